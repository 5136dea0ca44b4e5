# A bundle in another process gives what training stored, bit for bit; labels or none, rows in any order.
. "$(dirname "$0")/setup.sh"
small_config
command -v python3 >/dev/null || skip "python3 is not there to compare"
$FLOWSWEEP data synth --set rows=900 --set sites=5 --set steps=12 --out all.csv || exit 1
sed -i 's/source = "synthetic"; synth = { rows = 900; sites = 5; steps = 12; };/path = "all.csv"; steps = 12;/' small.cfg
$FLOWSWEEP run small.cfg -q -n 0 --set task.top_n=5 || exit 1
$FLOWSWEEP ensemble small.db >/dev/null || exit 1
cut -d, -f2- all.csv >bare.csv
{ head -1 all.csv; tail -n +2 all.csv | tac; } >turned.csv
for trial in 2 3 4 5 6; do
    $FLOWSWEEP export small.db $trial --out t$trial 2>/dev/null || exit 1
    $FLOWSWEEP predictions small.db $trial --part validation --format csv >stored.csv || exit 1
    for file in all bare turned; do
        $FLOWSWEEP predict t$trial $file.csv --proba --format csv >$file.out.csv || exit 1
    done
    python3 - $trial <<'PY'
import csv, sys
read = lambda f: list(csv.DictReader(open(f)))
stored, whole, bare, turned = (read(f) for f in ("stored.csv", "all.out.csv", "bare.out.csv", "turned.out.csv"))
names = [k for k in stored[0] if k not in ("row", "truth", "label")]
assert len(names) == 5 and len(whole) == 900
same = all(s[k] == whole[int(s["row"])][k] for s in stored for k in names)
assert same, "predict differs from what training stored"
assert bare == whole, "the label column makes a difference"
assert all(turned[899 - i][k] == whole[i][k] for i in range(900) for k in names), "the order of rows makes a difference"
PY
    check "trial $trial" 0 $?
done
$FLOWSWEEP export small.db ensemble --out e 2>/dev/null || exit 1
cut -d, -f1-14 all.csv >cut.csv
$FLOWSWEEP predict e all.csv 2>err.txt >/dev/null
check "flows of the study's form: nothing is said" "" "$(cat err.txt)"
$FLOWSWEEP predict e cut.csv 2>err.txt >/dev/null
check "flows that look like another form: read so, and said" \
    "cut.csv: its columns are read as 13 signed sizes; the flows that this bundle learnt from were 12 packets of [size, payload, iat, direction]" "$(cat err.txt)"
# a study of signed sizes, 12 packets, whose models look at 6
python3 - <<'PY'
import csv
rows = list(csv.reader(open("all.csv")))[1:]
for r in rows: # padding, which stands in front, to the end
    padded = sum(x == "0" for x in r[37:])
    for b in range(4):
        block = r[1 + 12 * b:13 + 12 * b]
        r[1 + 12 * b:13 + 12 * b] = block[padded:] + ["0"] * padded
size = lambda r, t: float(r[1 + t]) * float(r[37 + t])
def write(path, header, of):
    with open(path, "w") as f:
        csv.writer(f).writerows(([header] if header else []) + [of(r) for r in rows])
names = lambda n: [f"p{t + 1}" for t in range(n)]
write("signed.csv", ["label"] + names(12), lambda r: [r[0]] + [size(r, t) for t in range(12)])
write("six.csv", names(6), lambda r: [size(r, t) for t in range(6)])
write("six_bare.csv", None, lambda r: [size(r, t) for t in range(6)])
write("thirteen.csv", names(13), lambda r: [size(r, t) for t in range(12)] + [0])
write("three.csv", ["label"] + names(3), lambda r: [r[0]] + [size(r, t) for t in range(3)])
write("wide.csv", ["label"] + names(48), lambda r: [r[0]] + [size(r, t) if t < 12 else 0 for t in range(48)])
write("less.csv", ["label"] + names(47), lambda r: [r[0]] + [size(r, t) if t < 12 else 0 for t in range(47)])
write("blocks.csv", None, lambda r: [r[0]] + [r[1 + 12 * b + t] for b in range(4) for t in range(3)])
PY
for steps in 48 47; do
    file=$([ $steps = 48 ] && echo wide || echo less)
    $FLOWSWEEP predict t2 all.csv --format csv >all.out 2>/dev/null && $FLOWSWEEP predict t2 $file.csv --format csv >$file.out 2>err.txt
    check "as many columns as the study's blocks, or one less, but signed sizes: said" \
        "0 $file.csv: its columns are read as $steps signed sizes; the flows that this bundle learnt from were 12 packets of [size, payload, iat, direction]" "$? $(cat err.txt)"
    check "and read so" "$(cat all.out)" "$(cat $file.out)"
done
rm -f err.txt
awk -F, -v OFS=, 'NR == 4 { $13 = -7 } { print }' all.csv >wrong.csv
rejects "blocks with one wrong number stay blocks" 65 "wrong.csv:4: column 13: a negative size, -7" "$FLOWSWEEP" predict t2 wrong.csv
cat >signed.cfg <<'CFG'
study = { name = "signed"; database = "signed.db"; };
data = { path = "signed.csv"; layout = "signed"; steps = 12; };
task = { top_n = 0; steps = 6; };
space = { channels = ( ["signed_size"] ); model = "random_forest"; random_forest = { n_estimators = 9; }; };
CFG
$FLOWSWEEP run signed.cfg -q -n 0 || exit 1
$FLOWSWEEP export signed.db best --out s 2>/dev/null || exit 1
for file in signed six six_bare thirteen three blocks; do
    $FLOWSWEEP predict s $file.csv --format csv >$file.out 2>$file.err || exit 1
done
check "a header that counts packets from the first column: no label" "$(cat signed.out)" "$(cat six.out)"
check "one packet more than the study's, so a label by the number of columns, but the header says none" "$(cat signed.out)" "$(cat thirteen.out)"
check "as many columns as the models look at, no header: no label" "$(cat signed.out)" "$(cat six_bare.out)"
check "nothing is said of these" "" "$(cat six.err six_bare.err)"
check "fewer packets than the models look at: said" "three.csv: has 3 packets a flow; the bundle's models look at 6" "$(cat three.err)"
check "as many columns as the study's, but blocks: read so, and said" \
    "blocks.csv: its columns are read as 3 packets of [size, payload, iat, direction]; the flows that this bundle learnt from were 12 signed sizes; it has 3 packets a flow; the bundle's models look at 6" "$(cat blocks.err)"
check "the same flows in blocks" "$(cat three.out)" "$(cat blocks.out)"
$FLOWSWEEP data inspect six.csv >out.txt 2>err.txt
check "flows without labels are none to learn from" "65 six.csv:1: the first column is named p1, the second p2, so it holds a packet; a column of labels was expected before them" \
    "$? $(sed 's/^flowsweep: //' err.txt)"
sed '1s/.*/V1,V2,V3,V4,V5,V6,V7,V8,V9,V10,V11,V12,V13/' signed.csv >named.csv
$FLOWSWEEP data inspect named.csv >out.txt 2>err.txt
check "names that count up from a column of words, as R writes them: labels" "0 12" "$? $(awk '/steps/ { print $NF }' out.txt)"
sed 's/^[^,]*/nobody/' all.csv | sed -n 2,11p | cat all.csv - >more.csv
check "score counts flows of labels that the model does not know, and says so" "910 unknown: flows left out of all of these figures" \
    "$($FLOWSWEEP score e more.csv --format json | python3 -c 'import json,sys; t = json.load(sys.stdin); print(t["rows"] + t["unknown"])') $($FLOWSWEEP score e more.csv | grep -o '^unknown: .* figures')"
check "and nothing where there is none" 0 "$($FLOWSWEEP score e all.csv | grep -c '^unknown')"
of_study='^these are the flows that its study was made of, those that trained it among them: '
check "score says where they are the flows that it was trained on" "1 0" "$($FLOWSWEEP score e all.csv | grep -c "$of_study") $($FLOWSWEEP score e more.csv | grep -c "$of_study")"
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=two.db --set 'space.model="random_forest"' --set task.top_n=5 --set search.repeats=2 || exit 1
$FLOWSWEEP export two.db best --out two 2>two.err
check "export says that a model of several repeats is all of them" 1 "$(grep -c '^best: the 2 trials of the best configuration, averaged$' two.err)"
check "score knows the rows" 900 "$($FLOWSWEEP score e all.csv --format json | python3 -c 'import json,sys; print(json.load(sys.stdin)["rows"])')"
finish
