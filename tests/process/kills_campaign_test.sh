# Every fault point three times in every rank, and 300 kills at random. ./bootstrap test --campaign
. "$(dirname "$0")/setup.sh"
has_mpi || skip "without MPI there are no ranks to kill"
command -v python3 >/dev/null || skip "python3 is not there to choose"
small_config
python3 "$FLOWSWEEP_SOURCE/tests/process/kills.py" "$FLOWSWEEP" "$FLOWSWEEP_FAULTY" --points 3 --kills "${FLOWSWEEP_KILLS:-300}"
check "every point, and kills at random" 0 $?
finish
