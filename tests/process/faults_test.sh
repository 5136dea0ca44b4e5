# Faults at every kind of point, in workers and in the coordinator: the run ends in time, says which rank, and goes on to the same bits.
. "$(dirname "$0")/setup.sh"
has_mpi || skip "without MPI there are no ranks to lose"
small_config
silence=3
options="-q --set budget.checkpoint=0.001 --set space.train.epochs=5"
$FLOWSWEEP run small.cfg -n 0 $options || exit 1
expected=$($FLOWSWEEP db digest small.db)

# A fault, then the same command without it. $1 fault, $2 words that the end must name ("": whatever), further options.
disturb() {
    local fault=$1 words=$2 start code seconds
    shift 2
    rm -f t.db*
    start=$(date +%s)
    FLOWSWEEP_FAULT=$fault timeout 60 "$FLOWSWEEP_FAULTY" run small.cfg -n 3 $options --no-restart --set study.database=t.db \
        --set budget.silence=$silence "$@" 2>err.txt
    code=$?
    seconds=$(($(date +%s) - start))
    if [ -n "$words" ]; then
        check "$fault ends with 75" 75 $code
        grep -q "$words" err.txt
        found=$?
        check "$fault says $words ($(tail -1 err.txt | head -c 120))" 0 $found
    fi
    check "$fault ends within the silence and 10 s ($seconds s)" 1 $((seconds <= silence + 10))
    timeout 60 "$FLOWSWEEP" run small.cfg -n 2 $options --set study.database=t.db 2>err.txt
    check "$fault: the same command goes on" 0 $?
    check "$fault: digest" "$expected" "$($FLOWSWEEP db digest t.db)"
}

disturb trial:9:kill "rank [123].* died"
disturb epoch:3:kill:1 "rank 1 .*died"
disturb checkpoint:1:kill "rank [123].* died"
disturb receive:3:kill:2 "rank 2 .*died"
disturb send:20:kill:0 "died"
disturb trial:9:hang "was silent for 3 s"
disturb epoch:2:hang:2 "rank 2 was silent for 3 s"
disturb send:6:hang:0 "rank 0, the coordinator, was silent for 3 s"
disturb send:3:drop:1 "a message of rank 1 was lost"
disturb send:3+:drop:2 "rank 2 was silent for 3 s"
disturb send:8:drop:0 "a message of rank 0 was lost"
disturb receive:6:drop:0 "a message of rank . was lost"
disturb send:3:delay:1 ""
disturb sum:40:kill:2 "rank 2 .*died" # within a node the others wait in shared memory
export FLOWSWEEP_TEST_NODES=3 # between nodes for messages
disturb sum:45:hang:1 "rank 1 was silent for 3 s"
unset FLOWSWEEP_TEST_NODES

silence=33 # before its first word the coordinator has half a minute more
disturb send:2:hang:0 "rank 0, the coordinator, was silent for 33 s" --set budget.silence=3
silence=3

# A launcher that hangs at its end, as Open MPI 4's sometimes does.
mkdir bin && mkfifo never
cat >bin/mpirun <<LAUNCHER
#!/bin/bash
"$(command -v mpirun)" "\$@"
exec 3<>"$PWD/never"
read -r -u 3 # for ever, without a child
LAUNCHER
chmod +x bin/mpirun
rm -f t.db*
PATH=$PWD/bin:$PATH timeout 60 "$FLOWSWEEP" run small.cfg -n 2 $options --set study.database=t.db 2>err.txt
check "a launcher that hangs at its end: code" 0 $?
check "a launcher that hangs at its end: digest" "$expected" "$($FLOWSWEEP db digest t.db)"

# Errors inside a gang: agreed on, the trial failed with rank, epoch and reason, everything else done.
fail() { # fault, words of the error
    rm -f t.db*
    FLOWSWEEP_FAULT=$1 timeout 60 "$FLOWSWEEP_FAULTY" run small.cfg -n 3 $options --set study.database=t.db 2>err.txt
    check "$1 fails a trial" 1 $?
    check "$1: one trial failed" 1 "$($FLOWSWEEP ls t.db --state failed --format csv | tail -n +2 | wc -l)"
    error=$($FLOWSWEEP ls t.db --state failed --columns error --format csv | tail -1)
    [[ $error =~ $2 ]]
    check "$1: the error is $error" 0 $?
    $FLOWSWEEP run small.cfg -n 2 $options --retry-failed --set study.database=t.db 2>err.txt
    check "$1: --retry-failed finishes" 0 $?
    check "$1: digest" "$expected" "$($FLOWSWEEP db digest t.db)"
}
fail allocate:2:fail:3 "rank 3, epoch 1: .*memory"
fail epoch:2:fail:2 "rank 2, epoch [0-9]+: a fault"

# The same where rows are dealt: on their way, and where a rank has no memory for them.
options="$options --set data.placement=sharded"
disturb receive:4:kill:2 "rank 2 .*died"
disturb send:9:drop:0 "a message of rank 0 was lost"
fail allocate:1:fail:2 "rank 2.*: no memory for [0-9]+ rows of flows"
finish
