# Where run stands in a job of Slurm: a step of one MPI job, a step of many single programs, a batch script, a shell, mpirun by hand.
. "$(dirname "$0")/setup.sh"
cluster 2 2
small_config
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=whole.db || exit 1
expected=$($FLOWSWEEP db digest whole.db)
export SLURM_PMIX_FENCE=ring FLOWSWEEP

ranks_of() { sqlite3 "$1" 'SELECT ranks FROM job'; }
same() { # name, database, ranks
    check "$1: digest" "$expected" "$($FLOWSWEEP db digest "$2")"
    check "$1: ranks" "$3" "$(ranks_of "$2")"
}

srun -N2 --ntasks-per-node=2 "$FLOWSWEEP" run small.cfg -q --set study.database=step.db
check "a step: code" 0 $?
same "a step" step.db 4

refused() { # name, words, command ..
    local name=$1 words=$2
    shift 2
    "$@" >said.txt 2>&1
    check "$name: code" 78 $?
    grep -q -- "$words" said.txt
    found=$?
    check "$name: says \"$words\" ($(grep flowsweep: said.txt | head -1 | cut -c1-100))" 0 $found
    check "$name: no database" "" "$(ls none.db* 2>/dev/null)"
}
none=(run small.cfg -q --set study.database=none.db)
refused "a step of single programs" "started 4 times, not as one job" srun --mpi=none -N2 --ntasks-per-node=2 "$FLOWSWEEP" "${none[@]}"
refused "a step of one rank" "one rank alone" srun -n1 -N1 "$FLOWSWEEP" "${none[@]}"

batch() { # name, database, ranks, script
    printf '#!/bin/bash\n%s\n' "$4" | sbatch -W -N2 --ntasks-per-node=2 -o "$2.log" >/dev/null
    found=$?
    check "$1: code ($(head -c 300 "$2.log"))" 0 $found
    same "$1" "$2" "$3"
}
batch "a batch script" batch.db 5 "$FLOWSWEEP run small.cfg -q --set study.database=batch.db"
batch "mpirun in a batch script" mpirun.db 4 \
    "mpirun --allow-run-as-root -n 4 $FLOWSWEEP run small.cfg -q --set study.database=mpirun.db"
salloc -Q -N2 --ntasks-per-node=2 "$FLOWSWEEP" run small.cfg -q --set study.database=shell.db
check "salloc: code" 0 $?
same "salloc" shell.db 5
finish
