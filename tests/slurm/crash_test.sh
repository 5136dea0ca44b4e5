# Two nodes lose their power; one comes back, a spare one stands in for the other. Slurm puts the jobs back into the queue, and they go on from their
# last checkpoints: also the one whose coordinator is gone, on a host of another name.
. "$(dirname "$0")/setup.sh"
command -v ip >/dev/null && export SLURM_SANDBOX_NET=1 # no peer sees a connection close
cluster 5 2
study

node_is() { [ "$(sinfo -h -n "$1" -p low -o %t)" = "$2" ]; }
trials_left() { check "$name: trials left at the crash" 1 "$(($(count "SELECT count(*) FROM trial WHERE state <> 'done'") > 0))"; }
hosts() { count 'SELECT count(DISTINCT host) FROM job'; }

submit srun --launcher srun     # n1, n2
submit mpirun --launcher mpirun # n3, n4; the batch script and the coordinator are on n3
of srun && wait_for_work
of mpirun && wait_for_work
"$SANDBOX" crash n2
"$SANDBOX" crash n3
wait_for 60 "n2 should be down" node_is n2 'down*'
wait_for 60 "n3 should be down" node_is n3 'down*'
of srun && trials_left
of mpirun && trials_left
"$SANDBOX" boot n2
of srun && finishes 2
of mpirun && finishes 2
check "another host" 2 "$(hosts)"
finish
