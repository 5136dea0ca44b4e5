# The same bits, however it is run: serially, on 1, 2 or 4 workers, in another order.
. "$(dirname "$0")/setup.sh"
small_config
$FLOWSWEEP run small.cfg -q -n 0 || exit 1
expected=$($FLOWSWEEP db digest small.db)
check "a digest has 64 digits" 64 ${#expected}
check "all trials are done" 12 "$($FLOWSWEEP ls small.db --state done --format csv | tail -n +2 | wc -l)"
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=shuffled.db --set 'search.order="shuffled"' || exit 1
check "shuffled order" "$expected" "$($FLOWSWEEP db digest shuffled.db)"
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=other.db --set study.seed=8 || exit 1
[ "$expected" != "$($FLOWSWEEP db digest other.db)" ]
check "another seed gives another digest" 0 $?
if has_mpi; then
    for n in 1 2 4; do
        $FLOWSWEEP run small.cfg -q -n $n --set study.database=w$n.db || exit 1
        check "$n workers" "$expected" "$($FLOWSWEEP db digest w$n.db)"
    done
else
    echo "without MPI: workers were not tried"
fi
$FLOWSWEEP db check small.db >check.txt
check "db check" 0 $?
finish
