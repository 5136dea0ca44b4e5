# What process tests share: a folder that goes away, small studies, and checks that say what they saw.
# FLOWSWEEP is the program, FLOWSWEEP_SOURCE the project's folder (tests/CMakeLists.txt).
set -u
FLOWSWEEP_SOURCE=${FLOWSWEEP_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
FLOWSWEEP=${FLOWSWEEP:-$FLOWSWEEP_SOURCE/build/flowsweep}
DATA=$FLOWSWEEP_SOURCE/../shared/data
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK" || exit 1
failures=0

check() { # what, expected, found
    if [ "$2" = "$3" ]; then echo "ok    $1"; else
        echo "WRONG $1: expected \"$2\", found \"$3\""
        failures=$((failures + 1))
    fi
}

rejects() { # name, expected code, words that the one line must hold, command ..; nothing may be left behind
    local name=$1 code=$2 words=$3 before after
    shift 3
    before=$(ls -A | sort)
    timeout 20 "$@" >out.txt 2>err.txt </dev/null
    local found=$? said
    rm -f out.txt
    check "$name: code" "$code" $found
    check "$name: one line" 1 "$(wc -l <err.txt)"
    grep -qF -- "$words" err.txt
    said=$?
    check "$name: names \"$words\" ($(head -c 150 err.txt))" 0 $said
    rm -f err.txt
    after=$(ls -A | sort)
    check "$name: nothing is left behind" "$before" "$after"
}

await() { # process id, command ..: until the command succeeds or the process has ended, however slow the machine (ctest has a limit)
    while ! "${@:2}" && kill -0 "$1" 2>/dev/null; do sleep 0.05; done
}

finish() { exit $((failures > 0)); }

skip() {
    echo "skipped: $*"
    exit 77
}

has_mpi() { [ -x "$(dirname "$FLOWSWEEP")/flowsweep-mpi" ] && command -v mpirun >/dev/null; }

# A study with every model that takes seconds: small.cfg
small_config() {
    cat >small.cfg <<'CFG'
study = { name = "small"; database = "small.db"; seed = 7; };
data = { source = "synthetic"; synth = { rows = 900; sites = 5; steps = 12; };
         split = { method = "stratified"; stop = 0.1; validation = 0.15; test = 0.2; }; };
task = { top_n = [3, 5]; };
space = {
  model = ["dnn", "cnn_lstm", "random_forest", "extra_trees"];
  train = { batch_size = 100; epochs = 3; patience = 2; };
  dnn = { embedding = 4; hidden_layer_sizes = ( [16] ); };
  cnn_lstm = { embedding = 4; filters = ( [8] ); batch_norm = true; cell = ["lstm", "gru"]; units = 8; dense = 8; };
  random_forest = { n_estimators = 20; };
  extra_trees = { n_estimators = 20; };
};
ranks = { dnn = 2; cnn_lstm = 3; random_forest = 2; extra_trees = 3; };
CFG
}
