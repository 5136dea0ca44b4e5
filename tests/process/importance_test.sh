# Importances of forests: show has them, the same on any number of ranks, and permutations change nothing else.
. "$(dirname "$0")/setup.sh"
command -v python3 >/dev/null || skip "python3 is not there to read json"
small_config
forests=(--set 'space.model=["random_forest","extra_trees"]' --set 'space.channels=(["signed_size","iat"])' --set task.top_n=5
    --set 'space.random_forest.features=(["sequence","statistics"])')
asked=("${forests[@]}" --set space.random_forest.permutation_repeats=3 --set space.extra_trees.permutation_repeats=2)
trial() { $FLOWSWEEP ls "$1" --filter "model = $2" --columns trial --format csv | sed -n 2p; }
cat >look.py <<'PY'
import json, sys
shown = json.load(sys.stdin)
exec(sys.argv[1])
PY
look() { $FLOWSWEEP show "$1" "$(trial "$1" "$2")" --format json | python3 look.py "$3"; }
told='print(json.dumps([shown["importances"], shown["importance_blocks"]]))'

$FLOWSWEEP run small.cfg -q -n 0 "${forests[@]}" --set study.database=plain.db || exit 1
$FLOWSWEEP run small.cfg -q -n 0 "${asked[@]}" || exit 1
columns='c = shown["importances"]; print(len(c), len({x["column"] for x in c}), round(sum(x["mdi"] for x in c), 9), '
check "every column, MDI sums to 1" "66 66 1.0 False" "$(look plain.db random_forest "$columns 'permutation' in c[0])")"
check "permutations, where asked for" "66 66 1.0 True" "$(look small.db random_forest "$columns all(x['permutation'] is not None for x in c))")"
check "packets and blocks are named" "iat[12] iat 12, all_gap_q75 statistics of iat None" \
    "$(look small.db random_forest 'c = shown["importances"]; print(", ".join("{column} {block} {packet}".format(**c[k]) for k in (23, 65)))')"
check "a block is its columns" True "$(look small.db random_forest 'b = {x["block"]: x for x in shown["importance_blocks"]}; c = shown["importances"]
print(len(b) == 6 and all(abs(x["mdi"] - sum(y["mdi"] for y in c if y["block"] == k)) < 1e-12 and x["columns"] == sum(y["block"] == k for y in c) for k, x in b.items()))')"
check "sizes are worth something" True "$(look small.db extra_trees 'print(shown["importance_blocks"][0]["permutation"] > 0.05)')"
check "metrics do not list them" True "$(look small.db random_forest 'print(not [k for k in shown["metrics"] if "perm" in k])')"
check "nothing of a neighbour" False "$(look small.db knn 'print("importances" in shown)')"
$FLOWSWEEP show small.db "$(trial small.db random_forest)" >show.txt
check "a line a packet" 12 "$(sed -n '/^importances by packet/,/^$/p' show.txt | grep -cE '^ +[0-9]+ .*[0-9]( +#+)?$')"
check "a bar at its fullest in each table" 3 "$(grep -cE ' {2}#{30}$' show.txt)"
$FLOWSWEEP ls small.db --sort 'validation_permutation:iat' >/dev/null 2>err.txt
check "nothing is sorted by them" 64 $?
proba() { $FLOWSWEEP predictions "$1" "$(trial "$1" random_forest)" --format csv | sha256sum; }
check "the forest is the same with them" "$(proba plain.db)" "$(proba small.db)"
later=("${forests[@]}" --set 'space.model=["random_forest","extra_trees"]' --set space.random_forest.n_estimators=3 --set space.extra_trees.n_estimators=3
    --set study.database=later.db)
$FLOWSWEEP run small.cfg -q -n 0 "${later[@]}" || exit 1
$FLOWSWEEP run small.cfg -q -n 0 "${later[@]}" --set space.random_forest.permutation_repeats=1 --set space.extra_trees.permutation_repeats=1 || exit 1
listed() { $FLOWSWEEP best "$1" -k 20 --format csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } $at["model"] ~ /forest|trees/ { print $at["model"], $at["trial"] }' | sort; }
newest=$(sqlite3 -separator ' ' later.db "SELECT model, max(trial) FROM trials WHERE model IN ('random_forest', 'extra_trees') GROUP BY 1 ORDER BY 1")
check "asked for later: four forests" 4 "$(sqlite3 later.db "SELECT count(*) FROM trials WHERE model IN ('random_forest', 'extra_trees')")"
check "of which best lists each once, the newest" "$newest" "$(listed later.db)"
if has_mpi; then
    expected="$($FLOWSWEEP db digest small.db) $(look small.db random_forest "$told")"
    for n in 1 2 3; do
        for placement in node sharded; do
            db=$placement$n.db
            $FLOWSWEEP run small.cfg -q -n $n "${asked[@]}" --set study.database=$db --set ranks.random_forest=$n --set data.placement=$placement || exit 1
            check "$placement placement, $n workers" "$expected" "$($FLOWSWEEP db digest $db) $(look $db random_forest "$told")"
        done
    done
    $FLOWSWEEP run small.cfg -q -n 2 "${asked[@]}" --set study.database=both.db --set data.placement=sharded --set data.split.stop=0.0 || exit 1
    check "rows that stop and validate" 0 "$($FLOWSWEEP ls both.db --filter 'state != done' --format csv | tail -n +2 | wc -l)"
fi
# stopped in the middle: the forest is kept, permutations begin anew
repeats=400
[ -n "${LSAN_OPTIONS:-}" ] && repeats=30 # the sanitizers take as long for so many
long=("${asked[@]}" --set space.model=random_forest --set space.random_forest.permutation_repeats=$repeats --set 'space.random_forest.n_estimators=[56,64]')
$FLOWSWEEP run small.cfg -q -n 0 "${long[@]}" --set study.database=long.db || exit 1
larger() { [ "$(sqlite3 "$1" "SELECT count(*) FROM attempt WHERE from_trial IS NOT NULL" 2>/dev/null)" = 1 ]; } # the smaller one is done, the larger one begins with its trees, and grows no block more
for n in 0 2; do
    has_mpi || [ $n = 0 ] || continue
    for wait in 0.3 1 3; do # once more where trees took longer than that
        rm -f stopped$n.db*
        $FLOWSWEEP run small.cfg -q -n $n "${long[@]}" --set study.database=stopped$n.db 2>/dev/null &
        run=$!
        await $run larger stopped$n.db
        sleep $wait
        kill -TERM $run
        wait $run
        code=$?
        [ "$(sqlite3 stopped$n.db "SELECT count(*) FROM artifact WHERE role = 'checkpoint' AND epoch = 4
            AND trial = (SELECT trial FROM attempt WHERE from_trial IS NOT NULL)")" = 1 ] && break
    done
    check "$n workers: told to stop" 75 $code
    check "$n workers: with a checkpoint of all trees" 4 "$(sqlite3 stopped$n.db "SELECT epoch FROM artifact WHERE role = 'checkpoint'")"
    $FLOWSWEEP run small.cfg -q -n $n "${long[@]}" --set study.database=stopped$n.db || exit 1
    check "$n workers: gone on to the same" "$($FLOWSWEEP db digest long.db)" "$($FLOWSWEEP db digest stopped$n.db)"
    check "$n workers: from its own checkpoint, not from the smaller forest's trees" "4|" \
        "$(sqlite3 stopped$n.db "SELECT epoch_from, from_trial FROM attempt WHERE trial = (SELECT trial FROM attempt WHERE from_trial IS NOT NULL) ORDER BY id DESC LIMIT 1")"
done
# killed in the middle: checkpoints go on while a forest is scored, so all its trees are there, and what was counted
$FLOWSWEEP run small.cfg -q -n 0 "${long[@]}" --set space.random_forest.n_estimators=64 --set budget.checkpoint=0.1 --set study.database=killed.db 2>/dev/null &
run=$!
counted() { [ "$(sqlite3 killed.db "SELECT epoch FROM artifact WHERE role = 'checkpoint'" 2>/dev/null)" = 4 ]; }
await $run counted
kill -KILL $run
wait $run 2>/dev/null
check "killed between permutations: a checkpoint of all trees" 0 "$(counted; echo $?)"
$FLOWSWEEP run small.cfg -q -n 0 "${long[@]}" --set study.database=killed.db || exit 1
check "killed between permutations: gone on to the same" "$($FLOWSWEEP db digest long.db)" "$($FLOWSWEEP db digest killed.db)"
check "killed between permutations: no tree is grown again" 4 "$(sqlite3 killed.db "SELECT max(epoch_from) FROM attempt")"
# one size exclusive or the other: the first split takes no impurity away, and yet shuffling its column costs half of what the second tells
awk 'BEGIN { for (i = 0; i < 400; i++) print ((int(i / 2) + i) % 2 ? "a" : "b") "," (i % 2 ? 10 : 20) "," (int(i / 2) % 2 ? -10 : -20) }' >xor.csv
awk 'BEGIN { for (i = 0; i < 400; i++) print i < 240 ? "train" : i < 360 ? "validation" : "test" }' >parts.txt
cat >xor.cfg <<'CFG'
study = { name = "xor"; database = "xor.db"; };
data = { path = "xor.csv"; layout = "signed"; steps = 2; split = { method = "file"; path = "parts.txt"; stop = 0.0; }; };
task = { top_n = 0; steps = 2; };
space = { model = "random_forest"; random_forest = { n_estimators = 1; bootstrap = false; max_features = "none"; permutation_repeats = 5; }; };
CFG
$FLOWSWEEP run xor.cfg -q -n 0 || exit 1
check "a split that takes nothing away counts" True "$(look xor.db random_forest 'print(all(x["permutation"] > 0.3 for x in shown["importances"]))')"
$FLOWSWEEP db check small.db >check.txt
check "db check" 0 $?
sqlite3 small.db "UPDATE artifact_chunk SET data = x'00' WHERE artifact IN (SELECT id FROM artifact WHERE trial = $(trial small.db random_forest))"
$FLOWSWEEP show small.db "$(trial small.db random_forest)" >show.txt
check "a damaged model: show shows the rest" "0 1" "$? $(grep -c 'importances cannot be told: .*damaged' show.txt)"
check "and json lacks them, and says why" "False True" "$(look small.db random_forest 'print("importances" in shown, "damaged" in shown["importances_error"][0]["why"])')"
finish
