# The same rows, padded in front, at the end, and in both layouts, plain and gzip: equal digests.
. "$(dirname "$0")/setup.sh"
command -v python3 >/dev/null || skip "python3 is not there to write the files"
python3 - <<'PY'
import random
random.seed(3)
rows = []
for i in range(400):
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
finish
