# A worker of a step is killed early: the script starts the step again in the same allocation, at once, and says why. So does mpirun's.
. "$(dirname "$0")/setup.sh"
cluster 4 2
study

rank() { # of the job: the process that trains as this rank
    local p
    for p in $(pgrep -x flowsweep-mpi); do
        tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qx "SLURM_JOB_ID=$job" || continue
        tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qxE "(PMIX_RANK|OMPI_COMM_WORLD_RANK)=$1" && echo "$p" && return
    done
}
restarts() { scontrol show job "$job" | grep -oE 'Restarts=[0-9]+'; }

submit srun --launcher srun
submit mpirun --launcher mpirun
for launcher in srun mpirun; do
    of $launcher
    wait_for_work
    pid=$(rank 2)
    check "$name: rank 2 is there" 1 "$(echo "$pid" | grep -c .)"
    kill -KILL "$pid"
done
of srun && finishes 2
check "srun: says why it starts again" 1 "$(grep -c '^a rank died (code 1[0-9]*): starting again' "$log")"
check "srun: in the same allocation" Restarts=0 "$(restarts)"
of mpirun && finishes 2
check "mpirun: in the same allocation" Restarts=0 "$(restarts)"
finish
