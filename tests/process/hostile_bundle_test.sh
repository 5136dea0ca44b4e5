# Bundles that someone changed, with checksums that fit: each is refused with 65, and takes neither memory nor time that its size does not explain.
. "$(dirname "$0")/setup.sh"
command -v python3 >/dev/null || skip "python3 is not there to change bundles"
small_config
$FLOWSWEEP run small.cfg -q -n 0 || exit 1
$FLOWSWEEP ensemble small.db >/dev/null || exit 1
$FLOWSWEEP data synth --set rows=20 --set steps=12 --set sites=5 --out new.csv || exit 1
trial=0
for model in majority knn dnn cnn_lstm lstm2 random_forest; do # the order of the plan
    trial=$((trial + 1))
    $FLOWSWEEP export small.db $trial --out $model 2>/dev/null || exit 1
done
$FLOWSWEEP export small.db ensemble --task 1 --out mix 2>/dev/null || exit 1

cat >change.py <<'PY'
# BUNDLE CODE: m is the manifest, f the bytes of the first member's file; both are written back, the checksum made to fit. text, where set, is what becomes
# of the manifest instead.
import glob, hashlib, json, struct, sys
folder, code = sys.argv[1:]
m = json.load(open(folder + "/manifest.json"))
name = folder + "/" + m["members"][0]["file"]
f, text = bytearray(open(name, "rb").read()), None
exec(code)
open(name, "wb").write(f)
m["members"][0]["sha256"] = hashlib.sha256(f).hexdigest()
open(folder + "/manifest.json", "w").write(text or json.dumps(m))
PY
changed() { # name, bundle, words, code
    rm -rf c && cp -r "$2" c && python3 change.py c "$4" || exit 1
    rejects "$1" 65 "$3" "$FLOWSWEEP" predict c new.csv
}
for bundle in majority knn dnn cnn_lstm random_forest mix; do
    rm -rf c && cp -r $bundle c && python3 change.py c "pass" || exit 1
    $FLOWSWEEP predict c new.csv >c.txt
    check "$bundle, unchanged, is read" 0 $?
done
rm -f c.txt

for key in path test_path meta; do
    changed "form with $key" dnn '"form" must hold' "m['form']['$key'] = '/etc/passwd'"
done
changed "form that makes flows" dnn '"form" must hold' "m['form']['source'] = 'synthetic'"
changed "form that skips rows" dnn '"form" must hold' "m['form']['on_bad_row'] = 'skip'"
changed "equal labels" dnn '"labels" must differ' "m['labels'][1] = m['labels'][0]"
changed "weights that sum to more" mix "do not sum to 1" "m['members'][1]['weight'] = 1.0"
changed "no weight" dnn "do not sum to 1" "m['members'][0]['weight'] = 0"
changed "a parameter out of range" dnn "c/manifest.json: dnn.dropout: must be" "m['members'][0]['params']['dnn.dropout'] = 7"
changed "garbage behind the manifest" dnn "no JSON object and nothing else" "text = json.dumps(m) + '}'"
changed "a zero byte behind the manifest" dnn "no JSON object and nothing else" "text = json.dumps(m) + chr(0)"
changed "shares that are no numbers" majority "do not sum to 1" "f[12:16] = struct.pack('<f', float('nan'))"
changed "shares below zero" majority "do not sum to 1" "f[12:20] = struct.pack('<2f', -1, 2)"
changed "shares of one and a half" majority "do not sum to 1" "f[12:24] = struct.pack('<3f', .5, .5, .5)"
changed "neighbours that are no numbers" knn "damaged" "f[-4:] = struct.pack('<f', float('nan'))"
changed "neighbours at infinity" knn "damaged" "f[-4:] = struct.pack('<f', float('inf'))"
# A forest with leaves of several classes: columns, thresholds, leaves and shares of the first tree, and the same forest in the first form of its file.
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=mixed.db --set space.model=random_forest --set space.random_forest.min_samples_leaf=20 || exit 1
$FLOWSWEEP export mixed.db 3 --out mixed 2>/dev/null || exit 1
cat >forest.txt <<'PY'
import sys; sys.path.insert(0, ORACLE); import forest_file
parts = forest_file.read(bytes(f)); columns, classes, importances, trees = parts
start = 20 + 8 * columns; nodes, = struct.unpack_from('<i', f, start); inner = nodes // 2
at_columns = start + 8; at_thresholds = at_columns + nodes; at_leaves = at_thresholds + 4 * inner
first = lambda change=lambda trees: None: (change(trees), bytearray(forest_file.write_first(columns, classes, importances, trees)))[1]
PY
forest() { # name, words, code
    changed "$1" mixed "$2" "$(sed "s|ORACLE|'$FLOWSWEEP_SOURCE/tests/oracle'|" forest.txt)
$3"
}
forest "fewer nodes than a tree has" "a damaged tree" "struct.pack_into('<i', f, start, nodes - 2)"
forest "an even number of nodes" "a damaged tree" "struct.pack_into('<i', f, start, nodes + 1)"
forest "far more nodes than the file has bytes" "a damaged tree" "struct.pack_into('<i', f, start, 2147483647)"
forest "far more shares than the file has bytes" "a damaged tree" "struct.pack_into('<i', f, start + 4, 2147483647)"
forest "a column that there is not" "a damaged tree" "f[at_columns] = columns"
forest "a tree that ends at its root" "a damaged tree" "f[at_columns] = 255"
forest "a tree of inner nodes alone" "a damaged tree" "f[at_columns:at_columns + nodes] = bytes(nodes)"
forest "a class that there is not" "a damaged tree" "f[at_leaves] = classes"
forest "a leaf whose shares are missing" "a damaged tree" "f[at_leaves + next(i for i in range(inner) if f[at_leaves + i] != 255)] = 255"
share_of() { # name, value in Python: of a leaf of several classes, wherever the first one is
    forest "$1" "a damaged tree" "assert any(c < 0 and len(w) > 1 for t in trees for c, w, r in t)
for t in trees:
    for c, w, r in t:
        if c < 0 and len(w) > 1:
            f = f.replace(struct.pack('<f', w[-1][1]), struct.pack('<f', $2)); break"
}
share_of "trees whose shares are below zero" -1
share_of "trees whose shares are no numbers" "float('nan')"
share_of "trees whose shares are too large" 3
forest "bytes behind the last tree" "more bytes than a forest has" "f += b'x'"
forest "a file of the first form with a child that two nodes have" "a damaged tree" "f = first(lambda t: t[0][0].__setitem__(2, 1))"
forest "a file of the first form with a child before its parent" "a damaged tree" "f = first(lambda t: t[0][0].__setitem__(2, 0))"
forest "a file of the first form with shares below zero" "a damaged tree" "f = first(); f[-4:] = struct.pack('<f', -1)"
rm -rf c && cp -r mixed c && python3 change.py c "$(sed "s|ORACLE|'$FLOWSWEEP_SOURCE/tests/oracle'|" forest.txt)
f = first()" || exit 1
$FLOWSWEEP predict mixed new.csv --proba --format csv >now.txt
$FLOWSWEEP predict c new.csv --proba --format csv >first.txt
check "a forest in the first form of its file predicts the same" "FSFORST1 $(sha256sum <now.txt)" "$(head -c 8 c/*.forest) $(sha256sum <first.txt)"
rm -f forest.txt now.txt first.txt
changed "garbage behind the header of weights" dnn "proper header" "n = f.index(b'}}') + 1; f[n:n + 1] = b'} }'; f[:8] = struct.pack('<Q', struct.unpack('<Q', f[:8])[0] + 2)"
changed "far more weights than the file has" dnn "too few for the model's" "m['members'][0]['params']['dnn.hidden_layer_sizes'] = [30000, 20000]"
rm -rf c

cp -r dnn c && truncate -s 4T c/member1.safetensors 2>/dev/null && rejects "a file larger than memory" 65 "is larger than" "$FLOWSWEEP" predict c new.csv
rm -rf c

# Labels by the thousand are sorted once a row.
rm -rf c && cp -r majority c && python3 change.py c "m['labels'] = ['l%d' % i for i in range(4000)]; f = f[:8] + struct.pack('<i4000f', 4000, *[1 / 4000] * 4000)" || exit 1
$FLOWSWEEP data synth --set rows=100 --set steps=12 --set sites=5 --out many.csv || exit 1
timeout 20 "$FLOWSWEEP" predict c many.csv --top 1000 --format csv >top.csv
check "the 1000 best of 4000 labels" "0 101" "$? $(wc -l <top.csv)"
check "equal probabilities: the lower class first" "0,l0,l1,l2" "$(sed -n 2p top.csv | cut -d, -f1,2,4,6)"
rm -rf c top.csv many.csv

# What export writes can be read, or is not written.
rm -f new.csv
damaged() { # name, words, SQL
    cp small.db d.db && sqlite3 d.db "$3" || exit 1
    rejects "export of $1" 74 "$2" "$FLOWSWEEP" export d.db 3 --out x
}
if command -v sqlite3 >/dev/null; then
    damaged "features that are no JSON" "the database is damaged" "update trial set features = '{'"
    damaged "parameters that are no JSON" "the database is damaged" "update configuration set params = '{'"
    damaged "parameters out of range" "dnn.dropout" "update configuration set params = json_set(params, '\$.\"dnn.dropout\"', 7)"
    damaged "a form that is no JSON" "the database is damaged" "update study set form = '{'"
    damaged "equal labels" "must differ" "update task set labels = '[\"a\", \"a\", \"b\"]'"
fi
finish
