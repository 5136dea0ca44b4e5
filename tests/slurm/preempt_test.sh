# Preempted by a job of the partition `high`, and back when that one is over.
. "$(dirname "$0")/setup.sh"
cluster 4 2
study

submit srun --launcher srun --partition low
submit mpirun --launcher mpirun --partition low
of srun && wait_for_work
of mpirun && wait_for_work
high=$(sbatch --parsable -p high -N4 --ntasks-per-node=2 -o /dev/null --wrap 'sleep 3')
of srun && requeued
of mpirun && requeued
of srun && finishes 2
of mpirun && finishes 2
check "the job that took the nodes" COMPLETED "$(squeue -h -t all -j "$high" -o %T)"
finish
