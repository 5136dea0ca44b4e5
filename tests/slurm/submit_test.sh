# Submitted on two nodes of two tasks, by srun and by mpirun: the digest of a run in one process, one copy of the data a node, the job's end told.
. "$(dirname "$0")/setup.sh"
cluster 4 2
study

variables() { tr '\0' '\n' 2>/dev/null <"/proc/$1/environ"; } # of a process

ranks() { # pid and node of every rank of the job; processes of others come and go meanwhile
    local pid here
    for pid in $(grep -lx flowsweep-mpi /proc/[0-9]*/comm | cut -d/ -f3); do
        here=$(variables "$pid")
        grep -qx "SLURM_CONF=$SLURM_CONF" <<<"$here" && grep -qx "SLURM_JOB_ID=$job" <<<"$here" && echo "$pid $(nsenter -t "$pid" -u hostname)"
    done 2>/dev/null
}

# A line for each rank, in order of nodes: its node, then the device and inode of what it shares with others, the flows and the forests' codes.
windows() {
    ranks | sort -k2 | while read -r pid node; do
        echo "$node" $(sed -n 's|^[^ ]* rw-s [^ ]* \([^ ]*\) \([0-9]*\) */dev/shm/osc.*|\1 \2|p' "/proc/$pid/maps" | sort)
    done
}

submit srun --launcher srun --time 10:00
submit mpirun --launcher mpirun --time 10:00
for launcher in srun mpirun; do
    of $launcher
    wait_for_work
    windows >windows.txt
    # mpirun starts the coordinator in addition, beside the batch script
    check "$name: ranks a node" "$([ $name = srun ] && echo 2 2 || echo 3 2)" "$(cut -d' ' -f1 windows.txt | uniq -c | awk '{print $1}' | xargs)"
    check "$name: ranks without a window" 0 "$(awk 'NF < 3' windows.txt | wc -l)"
    check "$name: one copy a node" 2 "$(sort -u windows.txt | wc -l)"
    check "$name: each its own" 2 "$(cut -d' ' -f2- windows.txt | sort -u | wc -l)"
    check "$name: the end of the job" "$(date -d "$(squeue -h -j "$job" -o %e)" +%s)" \
        "$(variables "$(ranks | head -1 | cut -d' ' -f1)" | sed -n 's/^SLURM_JOB_END_TIME=//p')"
done
of srun && finishes 1
of mpirun && finishes 1
finish
