# Forests on statistics: the same bits on any number of ranks, in a bundle, and of whatever the flows have; a prefix is a prefix.
. "$(dirname "$0")/setup.sh"
command -v python3 >/dev/null || skip "python3 is not there to compare"
$FLOWSWEEP data synth --set rows=900 --set sites=5 --set steps=12 --out all.csv || exit 1
$FLOWSWEEP data synth --set rows=900 --set sites=5 --set steps=12 --layout signed --out signed.csv || exit 1
cat >st.cfg <<'CFG'
study = { name = "st"; database = "st.db"; seed = 7; };
data = { path = "all.csv"; steps = 12; split = { method = "stratified"; stop = 0.1; validation = 0.15; test = 0.2; }; };
task = { top_n = 5; steps = [4, 12]; };
space = {
  model = ["random_forest", "extra_trees"];
  channels = ( ["signed_size"], ["signed_size", "iat"] );
  random_forest = { n_estimators = 20; features = ["sequence", "statistics"]; };
  extra_trees = { n_estimators = 20; features = ( ["sequence", "statistics"] ); };
};
ranks = { random_forest = 2; extra_trees = 3; };
CFG
ls_csv() { $FLOWSWEEP ls "$@" --format csv | tail -n +2; }
$FLOWSWEEP plan st.cfg >plan.txt || exit 1
check "all 42: nothing to say" 0 "$(grep -c statistics plan.txt)"
$FLOWSWEEP run st.cfg -q -n 0 || exit 1
expected=$($FLOWSWEEP db digest st.db)
check "channels do not count where only statistics are read" 3 "$(ls_csv st.db --filter 'steps = 12' --filter 'model = random_forest' | wc -l)"
check "but where both are" 2 "$(ls_csv st.db --filter 'steps = 12' --filter 'model = extra_trees' | wc -l)"
if has_mpi; then
    for placement in node sharded; do
        for n in 1 2 3; do
            $FLOWSWEEP run st.cfg -q -n $n --set study.database=$placement$n.db --set data.placement=$placement || exit 1
            check "$placement placement, $n workers" "$expected" "$($FLOWSWEEP db digest $placement$n.db)"
        done
    done
fi

# bundles; and whatever comes after the fourth packet, of later.csv
python3 - <<'PY'
import csv
rows = list(csv.reader(open("all.csv")))
for row in rows[1:]:
    real = [t for t in range(12) if row[1 + 36 + t] != "0"]
    for t in real[4:]:
        row[1 + t], row[13 + t], row[25 + t] = "777", "7", "1.5"
csv.writer(open("later.csv", "w")).writerows(rows)
PY
cat >compare.py <<'PY'
import csv, sys
stored, found = (list(csv.DictReader(open(f))) for f in ("stored.csv", sys.argv[1]))
names = [k for k in stored[0] if k not in ("row", "truth", "label")]
print(sum(s[k] == found[int(s["row"])][k] for s in stored for k in names) / len(stored) / len(names) == 1.0)
PY
few=$(ls_csv st.db --filter 'steps = 4' --filter 'random_forest.features = ["statistics"]' --columns trial)
both=$(ls_csv st.db --filter 'steps = 12' --filter 'model = extra_trees' --columns trial | tail -1)
for trial in $few $both; do
    $FLOWSWEEP export st.db $trial --out t$trial 2>/dev/null || exit 1
    $FLOWSWEEP predictions st.db $trial --part validation --format csv >stored.csv || exit 1
    for file in all later; do $FLOWSWEEP predict t$trial $file.csv --proba --format csv >$file.out.csv || exit 1; done
    check "a bundle of trial $trial predicts what was stored" True "$(python3 compare.py all.out.csv)"
    check "later packets: no matter where four are read" $([ $trial = $few ] && echo True || echo False) "$(python3 compare.py later.out.csv)"
done
check "score knows the rows" 900 "$($FLOWSWEEP score t$few all.csv --format json | python3 -c 'import json,sys; print(json.load(sys.stdin)["rows"])')"
rejects "flows without what the statistics were made of" 65 "which the bundle's models look at" $FLOWSWEEP predict t$few signed.csv

signed=(--set data.path=signed.csv --set data.layout=signed --set 'space.channels=["signed_size"]' --set study.database=signed.db)
$FLOWSWEEP plan st.cfg "${signed[@]}" >plan.txt || exit 1
check "sizes alone give 21, and plan says so" 'features = "statistics": 21 of 42, since the flows have no payload, iat' "$(grep 21 plan.txt | grep statistics)"
$FLOWSWEEP run st.cfg -q -n 0 "${signed[@]}" || exit 1
check "and they run" 0 "$(ls_csv signed.db --filter 'state != done' | wc -l)"
changed() { # words, code on the manifest's member m
    cp t$few/manifest.json kept.json
    python3 - t$few/manifest.json "$2" <<'PY'
import json, sys
root = json.load(open(sys.argv[1])); m = root["members"][0]
exec(sys.argv[2])
json.dump(root, open(sys.argv[1], "w"))
PY
    rejects "$2" 65 "$1" $FLOWSWEEP predict t$few all.csv
    cp kept.json t$few/manifest.json
}
changed "not those that its params name" 'm["params"]["random_forest.features"] = ["sequence"]'
changed "not those that its params name" 'del m["features"]["statistics"]; m["features"].update(channels=["size"], offset=[0]*4, factor=[1]*4)'
changed '"statistics" must be' 'm["features"]["statistics"] = ["payload"]'
changed '"statistics" must be' 'm["features"]["statistics"] = ["size", "signed_size"]'
changed '"statistics" must be' 'm["features"]["statistics"] = {"a": "size"}'
changed "over 42 columns" 'm["features"]["statistics"] = ["size"]'
changed "not those that its params name" 'm.update(model="knn", params={})'
rejects "named twice" 78 "sequence is named twice" $FLOWSWEEP plan st.cfg --set 'space.model=["extra_trees"]' --set 'space.extra_trees.features=(["sequence","sequence"])'
rejects "no such features" 78 "statistics" $FLOWSWEEP plan st.cfg --set 'space.random_forest.features="statistic"'
finish
