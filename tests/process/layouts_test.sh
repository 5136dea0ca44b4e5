# The same rows, padded in front, at the end, and in both layouts, plain and gzip: equal digests. Rows of the apps data where they are.
. "$(dirname "$0")/setup.sh"
command -v python3 >/dev/null || skip "python3 is not there to write the files"
python3 - "$DATA/apps/flows-small.csv" <<'PY'
import csv, os, random, sys
random.seed(3)
rows = []
def real(path): # blocks of 25: sizes, payloads, times, directions; padded in front
    for r in list(csv.reader(open(path)))[1::4]:
        packets = [int(float(r[1 + t])) * int(float(r[76 + t])) for t in range(25) if float(r[76 + t])]
        if packets and all(packets): # a size of zero has no sign
            yield r[0], packets[:10]
if os.path.exists(sys.argv[1]):
    rows = list(real(sys.argv[1]))
    print(len(rows), "rows of the apps data")
else:
    print("the apps data are not there: made-up rows instead")
for i in range(0 if rows else 400):
    label = "abcde"[i % 5]
    n = random.randint(3, 10)
    sizes = [(100 * (ord(label) - 96) + random.choice([0, 7, 40])) * random.choice([1, -1]) for _ in range(n)]
    rows.append((label, sizes))
def blocks(front):
    for label, s in rows:
        pad = [0] * (10 - len(s))
        place = (lambda x: pad + x) if front else (lambda x: x + pad)
        yield [label] + place([abs(x) for x in s]) + place([1 if x > 0 else -1 for x in s])
def signed(front):
    for label, s in rows:
        pad = [0] * (10 - len(s))
        yield [label] + (pad + s if front else s + pad)
for name, lines in (("bf", blocks(True)), ("be", blocks(False)), ("sf", signed(True)), ("se", signed(False))):
    with open(name + ".csv", "w", newline="") as f:
        f.write("\ufeff" if name == "be" else "")
        for line in lines:
            f.write(",".join(map(str, line)) + ("\r\n" if name == "sf" else "\n"))
PY
gzip -k se.csv
cat >s.cfg <<'CFG'
study = { name = "s"; };
data = { path = "x"; steps = 10; split = { stop = 0.1; validation = 0.2; test = 0.2; }; };
space = { model = ["dnn", "random_forest"]; train = { epochs = 2; }; dnn = { embedding = 4; hidden_layer_sizes = 8; }; random_forest = { n_estimators = 10; }; };
CFG
expected=
for name in bf be sf se se.csv.gz; do
    path=${name%.csv*}.csv; [ $name = se.csv.gz ] && path=se.csv.gz
    case $name in b*) form='--set data.layout=blocks --set data.blocks=["size","direction"]' ;; *) form='--set data.layout=signed' ;; esac
    $FLOWSWEEP run s.cfg -q -n 0 --set data.path=$path --set study.database=$name.db $form || exit 1
    digest=$($FLOWSWEEP db digest $name.db)
    expected=${expected:-$digest}
    check "$name" "$expected" "$digest"
done
# as many packets as the file has, and how many of them models see, are two things
printf 'a,10,20,30,4,5,6,7,8\nb,8,7,6,5,4,3,2,1\n' >eight.csv
cat >eight.cfg <<'CFG'
study = { name = "eight"; database = "eight.db"; };
data = { path = "eight.csv"; };
task = { top_n = 0; steps = 2; };
space = { channels = ( ["signed_size"] ); model = "random_forest"; };
CFG
eight() { $FLOWSWEEP plan eight.cfg "$@" 2>&1 | sed 's/^flowsweep: //' | head -1; }
check "fewer steps than the file's: what to set" \
    "eight.csv:1: 9 columns, expected 6 (the label and 5 signed sizes); for flows of 8 packets: data.steps = 8; models that see fewer of them: task.steps" \
    "$(eight --set 'data.layout="signed"' --set data.steps=5)"
check "in blocks" \
    "eight.csv:1: 9 columns, expected 7 (the label and 2 blocks of 3); for flows of 4 packets: data.steps = 4; models that see fewer of them: task.steps" \
    "$(eight --set 'data.layout="blocks"' --set 'data.blocks=["size","direction"]' --set data.steps=3)"
check "a number of columns that blocks cannot have" "eight.csv:1: 9 columns, expected 7 (the label and 3 blocks of 2; see data.layout, data.blocks, data.steps)" \
    "$(eight --set 'data.layout="blocks"' --set 'data.blocks=["size","iat","direction"]' --set data.steps=2)"
printf 'a,10,20,3\nb,8,7,6\na,8,7\n' >eight.csv
check "a row that is shorter than those before: nothing to set" "eight.csv:3: 3 columns, expected 4 (the label and 3 signed sizes; see data.layout, data.blocks, data.steps)" \
    "$(eight --set 'data.layout="signed"' --set data.steps=3)"
finish
