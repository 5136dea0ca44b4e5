# A reader that keeps a cursor open: in WAL nothing waits for it, and the last fold loses nothing; with a rollback journal commits wait and say for whom.
. "$(dirname "$0")/setup.sh"
[ -x "${FLOWSWEEP_FAULTY:-}" ] || skip "no program with fault points"
command -v python3 >/dev/null || skip "python3 is not there to keep a cursor open"
small_config
run="run small.cfg -n 0 --set task.top_n=3 --set budget.checkpoint=0.000001 --set space.train.epochs=150 --set space.train.patience=0"
$FLOWSWEEP $run -q --set study.database=whole.db || exit 1
expected=$($FLOWSWEEP db digest whole.db)

reader() { # database, until this file goes away: reads a first row, and stays
    python3 - "$1" "$2" <<'PY' &
import os, sqlite3, sys, time
path, flag = sys.argv[1:]
row = None
while not row:
    try:
        cursor = sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=30).execute("SELECT * FROM configuration_param")
        row = cursor.fetchone()
    except sqlite3.OperationalError:
        time.sleep(0.01)
open(flag, "w").close()
while os.path.exists(flag):
    time.sleep(0.05)
PY
    reader=$!
}

# --- WAL ---
reader wal.db reads1
timeout 120 $FLOWSWEEP $run --set study.database=wal.db 2>said.txt
check "WAL: the run ends while the cursor is open" "0 1" "$? $(ls reads1 | wc -l)"
check "WAL: nobody waited" 0 "$(grep -c waiting said.txt)"
check "WAL: digest while it is open" "$expected" "$($FLOWSWEEP db digest wal.db)"
rm reads1 && wait $reader
check "WAL: digest afterwards" "$expected" "$($FLOWSWEEP db digest wal.db)"
$FLOWSWEEP $run -q --set study.database=wal.db
check "WAL: the next run folds it into one file" "0 wal.db" "$? $(echo wal.db*)"

# --- rollback journal, as on a file system that is not local ---
reader rolled.db reads2
FLOWSWEEP_TEST_NETWORK_DISK=1 timeout 120 $FLOWSWEEP_FAULTY $run --set study.database=rolled.db 2>said.txt &
pid=$!
await $pid grep -qs waiting said.txt
check "rollback: says for whom it waits" 1 "$(grep -c "rolled.db: waiting for process $reader (python3), which reads or writes it" said.txt)"
sleep 18 # longer than any time limit of SQLite's
kill -0 $pid
check "rollback: still waiting" 0 $?
rm -f reads2 && wait $reader
wait $pid
check "rollback: goes on, the same bits" "0 $expected" "$? $($FLOWSWEEP db digest rolled.db)"
check "rollback: no trial ran twice" 0 "$(sqlite3 rolled.db "SELECT count(*) FROM (SELECT 1 FROM attempt WHERE outcome = 'done' GROUP BY trial HAVING count(*) > 1)")"

reader again.db reads3
FLOWSWEEP_TEST_NETWORK_DISK=1 timeout 120 $FLOWSWEEP_FAULTY $run -q --set study.database=again.db --set budget.silence=3 2>said.txt
check "rollback, too long: 75 and whom to end" "75 1" "$? $(grep -c "process $reader (python3).*gave up after [3-6] s.*run it again to go on" said.txt)"
rm -f reads3 && wait $reader
$FLOWSWEEP $run -q --set study.database=again.db
check "rollback, too long: goes on" "0 $expected" "$? $($FLOWSWEEP db digest again.db)"
finish
