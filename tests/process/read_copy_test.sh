# On a file system that is not local: while a run holds the database, query verbs read a copy that the run renames into place, and wait for nobody.
. "$(dirname "$0")/setup.sh"
[ -x "${FLOWSWEEP_FAULTY:-}" ] || skip "no program with fault points"
command -v sqlite3 >/dev/null && command -v python3 >/dev/null || skip "sqlite3 and python3 are not there to look into the database"
small_config
export FLOWSWEEP_TEST_NETWORK_DISK=1
run="run small.cfg -q -n 0 --set task.top_n=3 --set budget.checkpoint=0.2"
$FLOWSWEEP_FAULTY $run --set study.database=whole.db || exit 1
check "no WAL there" delete "$(sqlite3 whole.db 'PRAGMA journal_mode')"
check "nothing is left but the copy" "whole.db whole.read.db" "$(echo whole*)"
expected=$($FLOWSWEEP db digest whole.db)
check "the copy at the end has everything" "$expected" "$($FLOWSWEEP db digest whole.read.db)"

timeout 120 $FLOWSWEEP_FAULTY $run --set study.database=live.db --set space.train.epochs=100000 --set space.train.patience=0 2>/dev/null &
pid=$!
await $pid test -s live.read.db
check "a copy after the first commit" 1 "$(ls live.read.db | wc -l)"
python3 - <<'PY' & # the database itself is locked against all
import os, sqlite3, time
c = sqlite3.connect("live.db", timeout=60, isolation_level=None)
c.execute("BEGIN EXCLUSIVE")
open("locked", "w").close()
while os.path.exists("locked"):
    time.sleep(0.05)
PY
locker=$!
await $locker test -e locked
for verb in status ls "show DB 1" "db check"; do
    case $verb in *DB*) command=${verb/DB/live.db} ;; *) command="$verb live.db" ;; esac
    timeout 5 $FLOWSWEEP_FAULTY $command >out.txt 2>&1
    check "$verb at once" 0 $?
    [ "$verb" = status ] && check "status says how old it is" 1 "$(grep -cE 'as it was [0-9]+ s ago' out.txt)"
done
rm -f locked && wait $locker
kill -9 "$(cat /proc/$pid/task/*/children)" # the run, below timeout
wait $pid 2>/dev/null
rm -f live.db-journal && cp whole.db live.db # nobody holds it now: the database itself is read, not the old copy
check "without a run the database itself is read" "$expected" "$($FLOWSWEEP_FAULTY db digest live.db)"
$FLOWSWEEP_FAULTY status live.db 2>&1 | grep -c 'as it was' >count.txt
check "and nothing is said of a copy" 0 "$(cat count.txt)"
finish
