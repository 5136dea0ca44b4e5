# submit: the batch script, what it does when the run ends one way or another, and errors before anything is submitted. Real Slurm: tests/slurm/.
. "$(dirname "$0")/setup.sh"
small_config
sed 's/"small"/"topn"/' small.cfg >topn.cfg

# --- the script ---
paths='s|^flowsweep=.*|flowsweep=flowsweep|; s|^config=.*|config=topn.cfg|'
$FLOWSWEEP submit topn.cfg --dry-run --nodes 2 --tasks-per-node 4 --time 04:00:00 --partition batch --launcher srun >full.sbatch
check "dry run" 0 $?
check "slurm/flowsweep.sbatch is what submit writes" "" "$(sed "$paths" full.sbatch | diff - "$FLOWSWEEP_SOURCE/slurm/flowsweep.sbatch")"
check "the program's full path" "flowsweep=$(realpath "$FLOWSWEEP")" "$(grep ^flowsweep= full.sbatch)"
check "the configuration's full path" "config=$(realpath topn.cfg)" "$(grep ^config= full.sbatch)"
$FLOWSWEEP submit topn.cfg --dry-run --launcher mpirun --set 'budget.margin="00:01:40"' --set "study.name=\"it's; a name\"" >set.sbatch
check "no time, no partition" 0 "$(grep -cE 'SBATCH --(time|partition)' set.sbatch)"
check "the margin" "#SBATCH --signal=B:USR1@100" "$(grep -- --signal set.sbatch)"
check "a name that Slurm takes" "#SBATCH --job-name=it_s__a_name" "$(grep -- --job-name set.sbatch)"
check "launcher" launcher=mpirun "$(grep ^launcher= set.sbatch)"
eval "$(grep ^options= set.sbatch)"
check "words reach run as they were typed" "--set study.name=\"it's; a name\"" "${options[2]} ${options[3]}"

# --- errors ---
rejects() { # name, code, words, arguments ..
    local name=$1 code=$2 words=$3
    shift 3
    ${without:-} "$FLOWSWEEP" submit "$@" >out.txt 2>err.txt
    check "$name: code" "$code" $?
    check "$name: nothing to stdout" "" "$(cat out.txt)"
    grep -qF -- "$words" err.txt
    found=$?
    check "$name: says \"$words\" ($(head -c 200 err.txt))" 0 $found
}
printf 'study = { nam = "x"; };\ndata = { source = "synthetic"; };\n' >bad.cfg
rejects "a bad configuration" 78 "bad.cfg:1: study.nam" bad.cfg --dry-run
rejects "no configuration" 66 none.cfg none.cfg --dry-run
rejects "a bad time" 64 '"1:2:3:4"' topn.cfg --dry-run --time 1:2:3:4
rejects "a time within the margin" 64 budget.margin topn.cfg --dry-run --time 1
rejects "one task" 64 tasks-per-node topn.cfg --dry-run --launcher srun --tasks-per-node 1
rejects "an unknown launcher" 64 '"prun"' topn.cfg --dry-run --launcher prun
rejects "a partition of two lines" 64 partition topn.cfg --dry-run --partition $'low\n#SBATCH --exclusive'
without="env PATH=/nowhere" rejects "no Slurm" 78 "there is no Slurm here" topn.cfg

# --- submission, to a sbatch that notes what it gets ---
mkdir bin
fake() { # name, body
    printf '#!/bin/bash\n%s\n' "$2" >bin/"$1"
    chmod +x bin/"$1"
}
PATH=$PWD/bin:$PATH
fake sbatch 'printf "%s|" "$@" >words.txt; cat >submitted.sbatch; echo "17;here"'
$FLOWSWEEP submit topn.cfg --nodes 2 --launcher srun -- --account=my --comment "two words" >out.txt 2>next.txt
check "submitted: code" 0 $?
check "the job's id to stdout" 17 "$(cat out.txt)"
check "the next commands" 3 "$(grep -cE 'squeue -j 17|status .*small.db|tail -f topn-17.log' next.txt)"
check "words behind --" "--parsable|--account=my|--comment|two words|" "$(cat words.txt)"
check "the script" "" "$($FLOWSWEEP submit topn.cfg --nodes 2 --launcher srun --dry-run | diff - submitted.sbatch)"
fake sbatch 'echo "sbatch: error: invalid partition" >&2; exit 1'
rejects "refused" 74 "did not take the job (code 1)" topn.cfg

# --- what the script does when the run has ended: one that ends as it is told, in place of srun ---
export SLURM_JOB_ID=17 STATE=RUNNING END=2030-01-02T03:04:05
fake scontrol 'echo "$*" >>scontrol.txt'
fake squeue 'case "$*" in *%e) echo "$END" ;; *) echo "$STATE" ;; esac'
fake srun 'echo "$SLURM_JOB_END_TIME $SLURM_PMIX_FENCE" >>starts.txt; trap "exit 75" USR1; shift; for i in $(seq "${WAIT:-0}"); do sleep 0.1; done; exit $CODE'
ends() { # name, code of the run, expected code, expected words to scontrol; signals with SIGNAL, after 0.5 s
    rm -f scontrol.txt starts.txt
    CODE=$2 bash submitted.sbatch >log.txt 2>&1 &
    [ -z "${SIGNAL:-}" ] || { sleep 0.5; kill -"$SIGNAL" $!; }
    wait $!
    check "$1: code" "$3" $?
    check "$1: back into the queue" "$4" "$(cat scontrol.txt 2>/dev/null)"
}
ends "finished" 0 0 ""
check "end time and fence" "$(date -d $END +%s) ring" "$(cat starts.txt)"
ends "trials failed" 1 1 ""
ends "stopped by itself at once" 75 75 ""
grep -q "more time is needed" log.txt
check "says why it does not go on" 0 $?
ends "a rank died" 139 139 ""
check "four starts" 4 "$(wc -l <starts.txt)"
WAIT=100 SIGNAL=USR1 ends "USR1" 0 75 "requeue 17"
WAIT=100 SIGNAL=TERM STATE=COMPLETING ends "cancelled" 0 75 ""
WAIT=0 END=NONE ends "no time limit" 0 0 ""
check "no end time" " ring" "$(cat starts.txt)"
finish
