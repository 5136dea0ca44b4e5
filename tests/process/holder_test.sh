# One writer: a second run is refused in one line, a dead holder is no obstacle, a holder from which the database was taken over writes no more.
. "$(dirname "$0")/setup.sh"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
small_config
run="run small.cfg -q -n 0 --set task.top_n=3"
long="--set space.train.epochs=100000 --set space.train.patience=0 --set budget.checkpoint=0.2"
$FLOWSWEEP $run --set study.database=whole.db || exit 1
expected=$($FLOWSWEEP db digest whole.db)

holds() { # a run that holds held.db, and does not end by itself soon
    rm -f held.db*
    timeout 120 $FLOWSWEEP $run $long --set study.database=held.db 2>first.txt &
    holder=$!
    for _ in $(seq 400); do [ "$(sqlite3 'file:held.db?mode=ro' 'SELECT count(*) FROM attempt' 2>/dev/null || echo 0)" -ge 1 ] && break || sleep 0.05; done
    pid=$(sqlite3 'file:held.db?mode=ro' 'SELECT pid FROM holder')
}
refused() { # name, host, command ..
    local name=$1 host=$2
    shift 2
    "$@" 2>said.txt
    check "$name: code, lines" "74 1" "$? $(wc -l <said.txt)"
    check "$name: who, where, since when ($(cat said.txt))" 1 "$(grep -c "held.db: is held by a run (process $pid on $host.*since 20..-..-.. ..:..:..)" said.txt)"
}
holds
refused "from the same host" "$(hostname)" $FLOWSWEEP $run $long --set study.database=held.db
if unshare -u true 2>/dev/null; then
    refused "from another host name" "$(hostname)" unshare -u sh -c "hostname elsewhere && exec $FLOWSWEEP $run $long --set study.database=held.db"
fi
check "plan: run would not" 1 "$($FLOWSWEEP plan small.cfg --set task.top_n=3 $long --set study.database=held.db | grep -c "^run would stop: held.db: is held by a run (process $pid on $(hostname)")"
check "status: it runs" 1 "$($FLOWSWEEP status held.db | grep -c "^job 1 is running by process $pid on $(hostname): ")"
kill -9 "$pid"
await_end() { ! kill -0 "$pid" 2>/dev/null; }
for _ in $(seq 200); do await_end && break || sleep 0.05; done
check "status: it died" 1 "$($FLOWSWEEP status held.db | grep -c '^job 1 died without a word (run goes on from what it left): ')"
$FLOWSWEEP $run --set study.database=held.db # at once, other choices
check "after kill -9 of the holder the same database goes on at once: code" 0 $?
check "and ends with the bits of an undisturbed run" "$expected" "$(sqlite3 held.db "DELETE FROM trial WHERE state = 'cancelled'" && $FLOWSWEEP db digest held.db)"
wait $holder 2>/dev/null

# --- a holder on another machine, where its lock cannot be seen ---
away() { sqlite3 away.db "INSERT OR REPLACE INTO holder VALUES (1, 'elsewhere', 4711, 'another boot', $1, 'token', 1700000000)"; }
cp whole.db away.db && away NULL
refused_away() { # name, words
    $FLOWSWEEP $run --set study.database=away.db 2>said.txt
    check "$1" "74 1 1" "$? $(wc -l <said.txt) $(grep -c "$2" said.txt)"
}
sqlite3 away.db "UPDATE job SET ended = NULL"
check "status: another machine's may be running" 1 "$($FLOWSWEEP status away.db | grep -c '^job 1 is running by process 4711 on elsewhere, or died: ')"
refused_away "another machine's holder is believed" "add --take-over: away.db: is held by a run (process 4711 on elsewhere, since 2023-11-1"
$FLOWSWEEP $run --set study.database=away.db --take-over
check "--take-over" 0 $?
mkdir bin && printf '#!/bin/sh\ncat %s/squeue.txt\nexit %s\n' "$PWD" '$(cat '"$PWD"'/code.txt)' >bin/squeue && chmod +x bin/squeue
export PATH=$PWD/bin:$PATH # a Slurm that says what squeue.txt says
slurm() { echo "$1" >code.txt; printf '%s' "$2" >squeue.txt; away "'17'"; }
slurm 0 "2023-11-01T00:00:00
"
refused_away "Slurm's job of the holder runs" "on elsewhere, Slurm job 17, since"
slurm 1 "slurm_load_jobs error: Unable to contact slurm controller"
refused_away "Slurm cannot be asked" "Slurm job 17"
slurm 1 "slurm_load_jobs error: Invalid job id specified"
$FLOWSWEEP $run --set study.database=away.db
check "Slurm knows no such job" 0 $?
slurm 0 ""
$FLOWSWEEP $run --set study.database=away.db
check "Slurm's job is over" 0 $?
slurm 0 "$(date +%Y-%m-%dT%H:%M:%S)
"
$FLOWSWEEP $run --set study.database=away.db
check "Slurm started the job again since" 0 $?
away "'17; touch pwned'"
refused_away "a job that is no number is not asked for" "add --take-over"
[ ! -e pwned ]
check "nor executed" 0 $?

# --- fencing: another run takes over while the holder lives; where locks are not seen (here: the file is gone) nothing else stops it ---
holds
rm held.db.lock
$FLOWSWEEP $run --set study.database=held.db
check "taken over" "0" $?
wait $holder
check "the old holder: code and words" "74 1" "$? $(grep -c 'held.db: was taken over by another run' first.txt)"
check "the bits are the second's" "$expected" "$(sqlite3 held.db "DELETE FROM trial WHERE state = 'cancelled'" && $FLOWSWEEP db digest held.db)"

if [ -x "${FLOWSWEEP_FAULTY:-}" ]; then
    FLOWSWEEP_TEST_NO_LOCKS=1 $FLOWSWEEP_FAULTY $run --set study.database=nolocks.db 2>said.txt
    check "where locks fail run refuses" "74 1" "$? $(grep -c 'nolocks.db: locks do not work on its file system (a lock that is held was given a second time)' said.txt)"
    check "and leaves nothing behind" "" "$(ls | grep nolocks)"
fi
finish
