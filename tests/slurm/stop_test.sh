# USR1 to the batch script: the run ends with 75 and checkpoints, the job puts itself back into the queue, and finishes. A cancelled job does not.
. "$(dirname "$0")/setup.sh"
cluster 6 2
study

submit srun --launcher srun
submit mpirun --launcher mpirun
submit cancelled --launcher srun
for launcher in srun mpirun cancelled; do
    of $launcher
    wait_for_work
    [ $launcher = cancelled ] && scancel "$job" || scancel -s USR1 -b "$job"
done
of cancelled
wait_for 30 "it should be cancelled" is CANCELLED
check "cancelled with work left" stopped "$(count 'SELECT why FROM job WHERE id = 1')"
of srun && requeued && finishes 2
of mpirun && requeued && finishes 2 # by now a cancelled job that had put itself back would run again, too
of cancelled
check "cancelled for good" CANCELLED "$(state)"
submit cancelled
finishes 2
finish
