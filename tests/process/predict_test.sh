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
check "score knows the rows" 900 "$($FLOWSWEEP score e all.csv --format json | python3 -c 'import json,sys; print(json.load(sys.stdin)["rows"])')"
finish
