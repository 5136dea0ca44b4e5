# The short form of kills_campaign_test.sh: some kills at random, with a fixed seed.
. "$(dirname "$0")/setup.sh"
has_mpi || skip "without MPI there are no ranks to kill"
command -v python3 >/dev/null || skip "python3 is not there to choose"
small_config
python3 "$FLOWSWEEP_SOURCE/tests/process/kills.py" "$FLOWSWEEP" "$FLOWSWEEP_FAULTY" --kills 12 --seed 7
check "kills at random" 0 $?
finish
