# A long forest goes on with whatever ranks become free: in larger gangs, to the bits of one rank, whatever stops it on the way.
. "$(dirname "$0")/setup.sh"
has_mpi || skip "without MPI there are no ranks"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
cat >long.cfg <<'CFG'
study = { name = "long"; database = "long.db"; seed = 11; };
data = { source = "synthetic"; synth = { rows = 1500; sites = 6; steps = 20; };
         split = { method = "stratified"; stop = 0.1; validation = 0.15; test = 0.2; }; };
task = { top_n = 6; steps = 20; };
space = { model = "random_forest"; random_forest = { n_estimators = 130; oob_score = true; }; };
ranks = { random_forest = 1; };
CFG
slow=epoch:1+:delay # a step takes 0.3 s
attempts() { sqlite3 -separator ' ' "$1" "SELECT a.gang, a.outcome FROM attempt a JOIN trial t ON t.id = a.trial JOIN configuration c ON c.id = t.configuration
    WHERE c.model = 'random_forest' ${2:-} ORDER BY a.id" | tr '\n' ',' ; }
$FLOWSWEEP run long.cfg -q -n 0 || exit 1
expected=$($FLOWSWEEP db digest long.db)
check "alone in one process" "1 done," "$(attempts long.db)"

for placement in node sharded; do
    db=$placement.db
    FLOWSWEEP_FAULT=$slow "$FLOWSWEEP_FAULTY" run long.cfg -q -n 4 --set study.database=$db --set data.placement=$placement || exit 1
    check "$placement placement: three free ranks come to its help" "1 stopped,4 done," "$(attempts $db)"
    check "to the same bits" "$expected" "$($FLOWSWEEP db digest $db)"
done
trial=$(sqlite3 node.db "SELECT max(id) FROM trial")
$FLOWSWEEP show node.db "$trial" >show.txt
check "show says why" 1 "$(grep -c 'stopped *a larger gang goes on from epoch [0-9]' show.txt)"
FLOWSWEEP_TEST_NODES=2 FLOWSWEEP_FAULT=$slow "$FLOWSWEEP_FAULTY" run long.cfg -q -n 3 --set study.database=nodes.db || exit 1
check "over two nodes" "1 stopped,3 done, $expected" "$(attempts nodes.db) $($FLOWSWEEP db digest nodes.db)"
FLOWSWEEP_FAULT=$slow "$FLOWSWEEP_FAULTY" run long.cfg -q -n 4 --set study.database=short.db --set space.random_forest.n_estimators=40 || exit 1
check "one that is over soon is let alone" "1 done," "$(attempts short.db)"

# What importances take is known beforehand, shown, and shared too.
asked=(--set space.random_forest.n_estimators=48 --set space.random_forest.permutation_repeats=4)
work() { $FLOWSWEEP plan long.cfg "$@" --set study.database=new.db --format csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "TFLOP") c = i } /random_forest/ { print $c; exit }'; }
check "plan counts them" 1 "$(awk "BEGIN { print ($(work "${asked[@]}") > 3 * $(work --set space.random_forest.n_estimators=48)) }")"
$FLOWSWEEP run long.cfg -q -n 0 "${asked[@]}" --set study.database=alone.db || exit 1
FLOWSWEEP_FAULT=round:1+:delay "$FLOWSWEEP_FAULTY" run long.cfg -n 2 "${asked[@]}" --set study.database=shared.db 2>said.txt || exit 1
check "a free rank comes to help with importances" "1 stopped,2 done," "$(attempts shared.db)"
check "how far they are is shown" yes "$(grep -qE '48 trees, importances [0-9]+ %' said.txt && echo yes)"
importances() { $FLOWSWEEP show "$1" "$(sqlite3 "$1" "SELECT max(id) FROM trial")" --format json | grep -o '"permutation": [^,]*'; }
check "to the same bits" "$($FLOWSWEEP db digest alone.db) $(importances alone.db)" "$($FLOWSWEEP db digest shared.db) $(importances shared.db)"

# The rank of a forest that has ended goes to the one that runs on; while a trial waits, none is moved.
two='space.random_forest.max_leaf_nodes=("none", 9, 5)'
$FLOWSWEEP run long.cfg -q -n 0 --set study.database=three.db --set "$two" --set space.random_forest.n_estimators=200 || exit 1
FLOWSWEEP_FAULT=$slow "$FLOWSWEEP_FAULTY" run long.cfg -q -n 2 --set study.database=moved.db --set "$two" --set space.random_forest.n_estimators=200 || exit 1
check "two ranks, three forests: the last one gets both" "$($FLOWSWEEP db digest three.db)" "$($FLOWSWEEP db digest moved.db)"
check "and no other does" "1 done,1 done,1 stopped,2 done," "$(sqlite3 -separator ' ' moved.db "SELECT a.gang, a.outcome FROM attempt a JOIN trial t ON t.id = a.trial
    JOIN configuration c ON c.id = t.configuration WHERE c.model = 'random_forest' ORDER BY (SELECT count(*) FROM attempt b WHERE b.trial = a.trial), a.id" | tr '\n' ',')"

# Stopped and killed on the way to a larger gang, and in it.
for fault in checkpoint:1:kill committed:10:kill epoch:4:kill:4; do
    rm -f killed.db*
    FLOWSWEEP_FAULT=$fault,$slow timeout 60 "$FLOWSWEEP_FAULTY" run long.cfg -q -n 4 --no-restart --set study.database=killed.db --set budget.checkpoint=0 2>err.txt
    code=$?
    timeout 60 "$FLOWSWEEP" run long.cfg -q -n 2 --set study.database=killed.db || exit 1
    check "$fault" "75 $expected" "$code $($FLOWSWEEP db digest killed.db)"
done
FLOWSWEEP_FAULT=$slow "$FLOWSWEEP_FAULTY" run long.cfg -q -n 4 --set study.database=told.db 2>err.txt &
pid=$!
widened() { [ "$(sqlite3 "file:told.db?mode=ro" "SELECT count(*) FROM attempt WHERE outcome = 'stopped'" 2>/dev/null)" = 1 ]; }
await $pid widened
kill -INT $pid
wait $pid
check "told to stop in the larger gang" 75 $?
check "ls and show tell how far it is kept" "$(sqlite3 told.db "SELECT epoch, epoch FROM artifact WHERE role = 'checkpoint'" | tr '|' ' ')" \
    "$($FLOWSWEEP ls told.db --state queued --columns epochs_run --format csv | tail -1) $($FLOWSWEEP show told.db "$trial" --format json | grep -oE '"epochs_run": [0-9]+' | grep -oE '[0-9]+')"
$FLOWSWEEP run long.cfg -q -n 2 --set study.database=told.db || exit 1
check "and gone on with" "1 stopped,4 stopped, $expected" "$(attempts told.db "AND a.job = 1") $($FLOWSWEEP db digest told.db)"
finish
