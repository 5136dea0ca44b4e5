# Exported networks beside others that read their weights by the safetensors package: numpy, and PyTorch where one of the virtual environments has it.
. "$(dirname "$0")/setup.sh"
has() { "$1" -c "import $2" 2>/dev/null; }
python=""
for p in "$FLOWSWEEP_SOURCE"/.venv-peers/bin/python "$FLOWSWEEP_SOURCE"/.venv/bin/python python3; do
    if has "$p" "torch, safetensors.torch, numpy"; then python=$p && break; fi
    if [ -z "$python" ] && has "$p" "safetensors, numpy"; then python=$p; fi
done
[ -n "$python" ] || skip "no safetensors package (./bootstrap test makes .venv where pip can)"
has "$python" torch || echo "PyTorch is not there (./bootstrap bench networks makes .venv-peers): numpy alone"
small_config
$FLOWSWEEP data synth --set rows=900 --set sites=5 --set steps=12 --out all.csv || exit 1
sed -i -e 's/source = "synthetic"; synth = { rows = 900; sites = 5; steps = 12; };/path = "all.csv"; steps = 12;/' \
    -e 's/model = .*/model = ["dnn", "cnn_lstm"]; channels = ( ["signed_size", "iat"] );/' -e 's/top_n = .*;/top_n = 5; };/' \
    -e 's/epochs = 3;/epochs = 3; learning_rate = 0.02;/' small.cfg
sweep() { # name, settings of the grid ..: bundles NAME.1, NAME.2, ..
    local name=$1 trials n=0
    shift
    $FLOWSWEEP run small.cfg -q -n 0 --set "study.database=$name.db" "$@" || exit 1
    trials=$($FLOWSWEEP ls "$name.db" --columns trial --format csv --filter 'model != majority' --filter 'model != knn' | tail -n +2)
    for trial in $trials; do
        n=$((n + 1))
        $FLOWSWEEP export "$name.db" "$trial" --out "$name.$n" 2>/dev/null || exit 1
    done
}
sweep cells --set 'space.dnn.embedding=[0,4]' --set 'space.dnn.activation=["relu","tanh"]' --set 'space.cnn_lstm.embedding=[0,4]' \
    --set 'space.cnn_lstm.bidirectional=[false,true]' --set 'space.cnn_lstm.masking=[false,true]'
sweep others --set 'space.model="cnn_lstm"' --set space.cnn_lstm.padding=same --set space.cnn_lstm.strides=2 --set space.cnn_lstm.dilation_rate=2 \
    --set space.cnn_lstm.pooling=average --set 'space.cnn_lstm.cell=["lstm","gru","flatten","global_max","global_average"]' --set space.cnn_lstm.reset_after=false \
    --set space.cnn_lstm.recurrent_activation=hard_sigmoid --set 'space.cnn_lstm.dense=[0,8]' --set 'space.cnn_lstm.masking=[false,true]' \
    --set space.cnn_lstm.dense_activation=sigmoid
check "networks of the cells" 20 "$(ls -d cells.[0-9]* | wc -l)"
check "and of other forms" 20 "$(ls -d others.[0-9]* | wc -l)"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
"$python" "$FLOWSWEEP_SOURCE/tests/oracle/weights.py" "$FLOWSWEEP" all.csv cells.[0-9]* others.[0-9]* >out.txt 2>err.txt
found=$?
check "$(tail -1 out.txt; tail -1 err.txt)" 0 $found
[ $found = 0 ] || cat out.txt err.txt
finish
