# What Slurm tests share: a real cluster of their own on this machine (slurm/sandbox), a study that is long enough to be disturbed, and jobs
# that are watched by asking Slurm, four times a second. What setup.sh of the process tests gives is there, too.
. "$(dirname "${BASH_SOURCE[0]}")/../process/setup.sh"
SANDBOX=$FLOWSWEEP_SOURCE/slurm/sandbox

cluster() { # nodes, CPUs of each
    local program
    [ "$(id -u)" = 0 ] || skip "the cluster's nodes are namespaces, which need root"
    for program in sbatch slurmctld slurmd munged unshare nsenter mpirun sqlite3; do
        command -v $program >/dev/null || skip "there is no $program; ./bootstrap test --slurm installs it"
    done
    has_mpi || skip "flowsweep was built without MPI"
    unshare --uts --mount true 2>/dev/null || skip "namespaces are not allowed here"
    unset SLURM_SANDBOX_DIR
    trap '"$SANDBOX" down; rm -rf "$WORK"' EXIT
    trap 'exit 1' INT TERM
    eval "$("$SANDBOX" up "$1" "$2")" || exit 1
}

study() { # long.cfg, and in `expected` the digest of its undisturbed run
    small_config
    sed 's/epochs = 3; patience = 2/epochs = 300; patience = 0/; s/top_n = \[3, 5\]/top_n = 5/; s/"small/"long/g' small.cfg >long.cfg
    echo 'budget = { checkpoint = 0.2; };' >>long.cfg
    $FLOWSWEEP run long.cfg -q -n 0 --set study.database=whole.db || exit 1
    expected=$($FLOWSWEEP db digest whole.db)
}

# Two jobs run side by side, one by srun and one by mpirun, to save time. What follows is about the one that `of` chose.
declare -A jobs
of() { # NAME
    name=$1 job=${jobs[$1]} database=$1.db log=long-${jobs[$1]}.log
}

submit() { # NAME, words for submit ..
    local id
    id=$($FLOWSWEEP submit long.cfg --nodes 2 --tasks-per-node 2 --set study.database="$1.db" "${@:2}" 2>/dev/null) || {
        echo "WRONG submit $*: code $?"
        exit 1
    }
    jobs[$1]=$id
    of "$1"
}

state() { squeue -h -t all -j "$job" -o %T 2>/dev/null; }

wait_for() { # seconds, what, command ..; the test is over where it does not come true
    local seconds=$1 what=$2
    shift 2
    for _ in $(seq $((seconds * 4))); do
        "$@" && return
        sleep 0.25
    done
    echo "WRONG $name, job $job ($(state)): $what within $seconds s; its output:"
    cat "$log" 2>/dev/null
    exit 1
}

count() { sqlite3 "file:$database?mode=ro" "$1" 2>/dev/null || echo 0; }
has_worked() { [ "$(count "SELECT count(*) FROM artifact WHERE role = 'checkpoint'")" -ge 1 ]; }
wait_for_work() { wait_for 60 "a checkpoint should be there" has_worked; }
is_over() { [[ $(state) =~ ^(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL)$ ]]; }
is() { [ "$(state)" = "$1" ]; }
said() { grep -q -- "$1" "$log" 2>/dev/null; }

finishes() { # starts that are expected
    wait_for 120 "it should be over" is_over
    check "$name: how the job ended" COMPLETED "$(state)"
    is COMPLETED || cat "$log"
    check "$name: digest" "$expected" "$($FLOWSWEEP db digest "$database")"
    check "$name: starts" "$1" "$(count 'SELECT count(*) FROM job')"
    check "$name: damage" 0 "$($FLOWSWEEP db check "$database" >/dev/null; echo $?)"
}

requeued() { # by itself, because of a signal
    wait_for 60 "it should go back into the queue" said "the job goes back into the queue"
    check "$name: why the first start ended" stopped "$(count 'SELECT why FROM job WHERE id = 1')"
}
