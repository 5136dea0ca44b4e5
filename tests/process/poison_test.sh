# A trial that crashes its rank is set aside after three jobs, the rest finishes; --retry-failed runs it again. Deaths of others never count.
. "$(dirname "$0")/setup.sh"
has_mpi || skip "without MPI there are no ranks to lose"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
small_config
options="-n 2 -q"
$FLOWSWEEP run small.cfg -n 0 -q || exit 1
expected=$($FLOWSWEEP db digest small.db)
ask() { sqlite3 "file:$1?mode=ro" "$2"; }

# Trial 9 of the plan takes its rank down whenever it is tried: four launches of one command, by itself.
for how in kill abort; do
    db=$how.db
    FLOWSWEEP_FAULT=trial:9:$how timeout 120 "$FLOWSWEEP_FAULTY" run small.cfg $options --set study.database=$db 2>err.txt
    check "$how: the sweep ends with 1" 1 $?
    check "$how: one trial is set aside" 1 "$(ask $db "select count(*) from trial where state = 'failed'")"
    check "$how: the others are done" 13 "$(ask $db "select count(*) from trial where state = 'done'")"
    check "$how: three jobs ended by it" 3 "$(ask $db "select count(*) from job where dead_rank > 0")"
    check "$how: nothing ran beside it the third time" 1 "$(ask $db "select count(*) from attempt where job = 3 and outcome = 'died'")"
    [[ $(ask $db "select error from trial where state = 'failed'") =~ "in three jobs a rank of its gang died first" ]]
    check "$how: the error says so" 0 $?
    trial=$(ask $db "select id from trial where state = 'failed'")
    check "$how: show tells of every attempt" 3 "$($FLOWSWEEP show $db "$trial" --format json | grep -o '"outcome": "died", "why": "its job ended: rank [12] died' | wc -l)"
    FLOWSWEEP_FAULT=trial:9:$how timeout 120 "$FLOWSWEEP_FAULTY" run small.cfg $options --set study.database=$db 2>err.txt
    check "$how: run again, it stays aside" 1 $?
    check "$how: in one job" 5 "$(ask $db "select count(*) from job")"
    FLOWSWEEP_FAULT=trial:9:$how timeout 120 "$FLOWSWEEP_FAULTY" run small.cfg $options --retry-failed --set study.database=$db 2>err.txt
    check "$how: tried again, it is set aside again" 1 $?
    check "$how: after three more jobs" 6 "$(ask $db "select count(*) from job where dead_rank > 0")"
    timeout 120 "$FLOWSWEEP" run small.cfg $options --retry-failed --set study.database=$db 2>err.txt
    check "$how: --retry-failed without the fault finishes" 0 $?
    check "$how: digest" "$expected" "$($FLOWSWEEP db digest $db)"
done

# Four deaths of the coordinator, four of the whole job: no trial is to blame.
for i in 1 2 3 4; do
    FLOWSWEEP_FAULT=send:25:kill:0 timeout 60 "$FLOWSWEEP_FAULTY" run small.cfg $options --no-restart --set study.database=c.db 2>err.txt
done
check "deaths of the coordinator blame nobody" 0 "$(ask c.db "select count(*) from attempt where blamed > 0")"
$FLOWSWEEP run small.cfg $options --set study.database=c.db || exit 1
check "and the sweep finishes" "$expected" "$($FLOWSWEEP db digest c.db)"

# One arithmetic.
FLOWSWEEP_FAULT=arithmetic:1:fail:0 "$FLOWSWEEP_FAULTY" run small.cfg -q -n 0 2>err.txt
check "another arithmetic is refused" 78 $?
grep -q -- "--accept-other-arithmetic" err.txt
check "the error says what to do" 0 $?
FLOWSWEEP_FAULT=arithmetic:1+:fail:0 "$FLOWSWEEP_FAULTY" run small.cfg -q -n 0 --accept-other-arithmetic --set task.top_n=[3,4,5] 2>err.txt
check "or accepted" 0 $?
check "and recorded per attempt" 2 "$(ask small.db "select count(distinct arithmetic) from attempt")"
FLOWSWEEP_FAULT=arithmetic:1:fail:2 "$FLOWSWEEP_FAULTY" run small.cfg $options --set study.database=a.db 2>err.txt
check "ranks of different arithmetic are refused" 78 $?
grep -q "rank 2 .*computes other bits" err.txt
found=$?
check "the error names the rank ($(head -c 100 err.txt))" 0 $found
finish
