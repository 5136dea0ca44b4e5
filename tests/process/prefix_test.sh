# A sweep over n_estimators grows the largest forest once: smaller ones are its first trees. To the bits of forests that were each trained alone.
. "$(dirname "$0")/setup.sh"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
small_config
sed -i -e 's/  model = .*/  model = ["random_forest", "extra_trees"];/' -e '/[dn]n = {\|lstm = {/d' -e '/train = {/d' -e 's/top_n = .*; }/top_n = 5; }/' \
    -e 's/random_forest = { n_est.*/random_forest = { n_estimators = [50, 7, 100, 16]; oob_score = true; max_leaf_nodes = ( "none", 9 ); };/' \
    -e 's/extra_trees = { n_est.*/extra_trees = { n_estimators = [33, 50]; };/' small.cfg
echo 'search = { repeats = 2; };' >>small.cfg

# By identity: what a trial came to, with everything that is shown of it.
results() {
    sqlite3 "$1" "SELECT t.identity, t.epochs, t.model_sha256, t.proba_sha256, t.features, (SELECT group_concat(part || name || value) FROM (SELECT part, name, value
        FROM metric WHERE trial = t.id ORDER BY part, name)) FROM trial t JOIN configuration c ON c.id = t.configuration WHERE c.model LIKE '%trees' OR c.model LIKE '%forest' ORDER BY 1"
}
ask() { sqlite3 "$1" "SELECT $2 FROM attempt a JOIN trial t ON t.id = a.trial JOIN configuration_param n ON n.configuration = t.configuration AND n.name LIKE '%.n_estimators' $3"; }

for n in 7 16 50 100 33; do # each alone; those that were done before go on in the same database, where nothing is to be shared
    rm -f alone.db*
    $FLOWSWEEP run small.cfg -q -n 0 --set study.database=alone.db --set space.random_forest.n_estimators=$n --set space.extra_trees.n_estimators=$n || exit 1
    check "$n trees alone: nothing to go on from" "" "$(ask alone.db "count(*)" "WHERE a.from_trial IS NOT NULL" | grep -v '^0$')"
    results alone.db >>alone.txt
done
$FLOWSWEEP run small.cfg -q -n 0 || exit 1
results small.db >together.txt
check "trials" 20 "$(wc -l <together.txt)"
check "as trained alone: files, probabilities, metrics, out-of-bag scores" "" "$(sort together.txt | comm -23 - <(sort alone.txt))"
expected=$($FLOWSWEEP db digest small.db)
smaller="(SELECT value FROM configuration_param p JOIN trial u ON u.configuration = p.configuration AND p.name = n.name WHERE u.id = a.from_trial)"
check "each goes on from the next smaller" "7< 16<7 33< 50<16 50<33 100<50" "$(ask small.db "DISTINCT n.value || '<' || ifnull($smaller, '')" "ORDER BY n.value, 1" | tr '\n' ' ' | sed 's/ $//')"
check "and from the same settings, at the same repeat" 0 "$(ask small.db "count(*)" "JOIN trial u ON u.id = a.from_trial WHERE u.repeat <> t.repeat OR u.task <> t.task
    OR (SELECT group_concat(name || value) FROM (SELECT name, value FROM configuration_param WHERE configuration = u.configuration AND name NOT LIKE '%.n_estimators' ORDER BY name))
    <> (SELECT group_concat(name || value) FROM (SELECT name, value FROM configuration_param WHERE configuration = t.configuration AND name NOT LIKE '%.n_estimators' ORDER BY name))")"
trial=$(ask small.db t.id "WHERE n.value = 100 LIMIT 1")
check "show tells from which" "$(ask small.db a.from_trial "WHERE t.id = $trial")" "$($FLOWSWEEP show small.db "$trial" --format json | sed -n 's/.*"from_trial": \([0-9]*\).*/\1/p')"
check "plan has nothing to grow where all is done" 0 "$($FLOWSWEEP plan small.cfg | grep -c "are grown")"
$FLOWSWEEP plan small.cfg --set study.database=new.db >plan.txt
check "plan says so" 1 "$(grep -c '^n_estimators: 14 of the trials go on from the trees of the next smaller forest, so that 500 trees are grown, not 858 (TFLOP' plan.txt)"
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=listed.db --set 'search.order="shuffled"' || exit 1
check "in another order" "$expected" "$($FLOWSWEEP db digest listed.db)"


# Stopped dead in the middle of forests: they go on from their own trees, or from those of the next smaller.
for at in epoch:9 epoch:14 epoch:22 checkpoint:5 transition:20 committed:30; do
    rm -f killed.db*
    FLOWSWEEP_FAULT=$at:kill "$FLOWSWEEP_FAULTY" run small.cfg -q -n 0 --set study.database=killed.db --set budget.checkpoint=0.0001 2>err.txt
    left=$(sqlite3 killed.db "SELECT count(*) FROM trial WHERE state <> 'done'")
    $FLOWSWEEP run small.cfg -q -n 0 --set study.database=killed.db || exit 1
    check "killed at $at with $left trials left" "1 $expected" "$((left > 0)) $($FLOWSWEEP db digest killed.db)"
done
$FLOWSWEEP db check killed.db >check.txt
check "db check" 0 $?

# Forests that come later to a study: larger ones go on from what is there.
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=later.db --set 'space.random_forest.n_estimators=[16, 50]' --set space.extra_trees.n_estimators=33 || exit 1
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=later.db || exit 1
check "a space that grew" "$expected" "$($FLOWSWEEP db digest later.db)"
check "what is smaller was grown by itself" "7< 16< 33< 50<16 50<33 100<50" "$(ask later.db "DISTINCT n.value || '<' || ifnull($smaller, '')" "ORDER BY n.value, 1" | tr '\n' ' ' | sed 's/ $//')"

has_mpi || finish
# One that failed is passed over.
trial=$(ask small.db t.id "JOIN configuration c ON c.id = t.configuration WHERE n.value = 16 ORDER BY t.id LIMIT 1")
FLOWSWEEP_FAULT=trial:$trial:kill timeout 60 "$FLOWSWEEP_FAULTY" run small.cfg -q -n 2 --set study.database=failed.db 2>err.txt
check "a forest that takes its rank down" "1 1" "$? $(sqlite3 failed.db "SELECT count(*) FROM trial WHERE state = 'failed'")"
check "the next larger goes on from the one before" 1 "$(ask failed.db "count(*)" "WHERE n.value = 50 AND $smaller = 7")"
$FLOWSWEEP run small.cfg -q -n 2 --retry-failed --set study.database=failed.db
check "tried again" "0 $expected" "$? $($FLOWSWEEP db digest failed.db)"
for n in 1 2 3 4 8; do
    $FLOWSWEEP run small.cfg -q -n $n --set study.database=n$n.db --set ranks.random_forest=$((n > 2 ? n - 1 : n)) || exit 1
    check "$n workers" "$expected" "$($FLOWSWEEP db digest n$n.db)"
done
finish
