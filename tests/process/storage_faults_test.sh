# The coordinator dies at a transition, around a COMMIT, in the middle of a write or a sync: the database is whole, and the sweep goes on to equal bits.
. "$(dirname "$0")/setup.sh"
[ -x "${FLOWSWEEP_FAULTY:-}" ] || skip "no program with fault points"
small_config
run="run small.cfg -q -n 0 --set task.top_n=3 --set budget.checkpoint=0.000001" # after every epoch: the counts are the same in every run
$FLOWSWEEP $run --set study.database=whole.db || exit 1
expected=$($FLOWSWEEP db digest whole.db)

FLOWSWEEP_FAULT_LOG=$PWD/passed.txt $FLOWSWEEP_FAULTY $run --set study.database=counted.db || exit 1
check "fault points that do nothing change nothing" "$expected" "$($FLOWSWEEP db digest counted.db)"
count() { awk -v point="$1" '$1 == point { n = $2 } END { print n + 0 }' passed.txt; }
for point in transition commit committed write sync; do
    [ "$(count $point)" -gt 10 ]
    found=$?
    check "$point is passed often ($(count $point) times)" 0 $found
done

dies() { # point, k: killed there; then run again
    rm -f died.db*
    FLOWSWEEP_FAULT=$1:$2:kill $FLOWSWEEP_FAULTY $run --set study.database=died.db 2>/dev/null
    local code=$?
    [ -s died.db ] && ! $FLOWSWEEP db check died.db >check.txt 2>&1 && grep -vE 'empty|no study' check.txt >>bad.txt
    $FLOWSWEEP $run --set study.database=died.db
    check "$1 $2: killed, whole, the same bits" "137 0 $expected" "$code $? $($FLOWSWEEP db digest died.db)"
}
for point in transition commit committed write sync; do
    n=$(count $point)
    for k in 1 2 3 4 5 6 7 $((n / 4)) $((n / 2)) $((n * 3 / 4)) $n; do dies $point $k 2>/dev/null; done
done
[ ! -s bad.txt ]
found=$?
check "db check after every kill$(cat bad.txt 2>/dev/null)" 0 $found
finish
