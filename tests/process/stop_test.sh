# Stopped by INT, by TERM, killed whole: it goes on, to the digest of an undisturbed run.
. "$(dirname "$0")/setup.sh"
small_config
longer="--set space.train.epochs=40 --set space.train.patience=0 --set budget.checkpoint=0.2"
$FLOWSWEEP run small.cfg -q -n 0 $longer --set study.database=whole.db || exit 1
expected=$($FLOWSWEEP db digest whole.db)

descendants() { # process ids below one
    local child
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        echo "$child"
        descendants "$child"
    done
}

has_worked() { [ "$(sqlite3 "file:$1?mode=ro" "select count(*) from attempt where outcome = 'done'" 2>/dev/null || echo 0)" -ge 1 ]; }

disturb() { # signal, workers
    local db=$1$2.db pid code
    $FLOWSWEEP run small.cfg -q -n "$2" $longer --set study.database="$db" &
    pid=$!
    await $pid has_worked "$db"
    if [ "$1" = KILL ]; then kill -9 $pid $(descendants $pid); else kill -"$1" $pid; fi
    wait $pid 2>/dev/null
    code=$?
    left=$(sqlite3 "$db" "select count(*) from trial where state <> 'done'")
    echo "      $1, $2 workers: code $code, $left trials left"
    [ "$1" = KILL ] || [ "$left" = 0 ] || check "code after $1 with $2 workers" 75 $code
    $FLOWSWEEP run small.cfg -q -n "$2" $longer --set study.database="$db"
    check "goes on after $1 with $2 workers" 0 $?
    check "digest after $1 with $2 workers" "$expected" "$($FLOWSWEEP db digest "$db")"
}

command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
for signal in INT TERM KILL; do
    disturb $signal 0
    has_mpi && disturb $signal 2
done
# Told twice, it ends at once and says that it was told to. Its ranks are held meanwhile, so that they cannot have ended before.
if has_mpi; then
    $FLOWSWEEP run small.cfg -n 2 $longer --set study.database=twice.db >out.txt 2>err.txt &
    pid=$!
    await $pid has_worked twice.db
    held=$(descendants $pid)
    kill -STOP $held
    kill -INT $pid
    await $pid grep -qs "once more ends at once" out.txt err.txt
    kill -INT $pid
    wait $pid
    check "code where told twice" 75 $?
    check "says so" 1 "$(grep -c "ended at once, as told twice; run it again to go on" err.txt)"
    check "status says so, and that nothing runs" "0 0 1" "$($FLOWSWEEP status twice.db --format csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "running") c = i } NR > 1 { print $c }' | tr '\n' ' ')$($FLOWSWEEP status twice.db | grep -c '^job 1 was ended at once, as told twice: ')"
    kill -KILL $held 2>/dev/null
    $FLOWSWEEP run small.cfg -q -n 2 $longer --set study.database=twice.db
    check "goes on" 0 $?
    check "digest where told twice" "$expected" "$($FLOWSWEEP db digest twice.db)"
fi
# Stopped with rows dealt over three ranks, it goes on with the node's copy on two.
if has_mpi; then
    $FLOWSWEEP run small.cfg -q -n 3 $longer --set study.database=placement.db --set data.placement=sharded &
    pid=$!
    await $pid has_worked placement.db
    kill -INT $pid
    wait $pid
    code=$?
    left=$(sqlite3 placement.db "select count(*) from trial where state <> 'done'")
    [ "$left" = 0 ] || check "code after INT in sharded placement, $left trials left" 75 $code
    $FLOWSWEEP run small.cfg -q -n 2 $longer --set study.database=placement.db
    check "goes on in node placement" 0 $?
    check "digest after a change of placement" "$expected" "$($FLOWSWEEP db digest placement.db)"
fi
finish
