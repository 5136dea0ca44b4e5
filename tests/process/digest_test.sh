# The same bits, however it is run: serially, on 1 to 8 workers, in another order, with the node's one copy of the flows or with rows dealt over gangs.
. "$(dirname "$0")/setup.sh"
small_config
$FLOWSWEEP run small.cfg -q -n 0 || exit 1
expected=$($FLOWSWEEP db digest small.db)
check "a digest has 64 digits" 64 ${#expected}
check "all trials are done" 14 "$($FLOWSWEEP ls small.db --state done --format csv | tail -n +2 | wc -l)"
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=shuffled.db --set 'search.order="shuffled"' || exit 1
check "shuffled order" "$expected" "$($FLOWSWEEP db digest shuffled.db)"
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=other.db --set study.seed=8 || exit 1
[ "$expected" != "$($FLOWSWEEP db digest other.db)" ]
check "another seed gives another digest" 0 $?
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=one.db --set 'data.placement="sharded"' || exit 1
check "sharded placement, one process" "$expected" "$($FLOWSWEEP db digest one.db)"
if has_mpi; then
    for placement in node sharded; do
        for n in 1 2 3 4 8; do
            db=$placement$n.db
            $FLOWSWEEP run small.cfg -q -n $n --set study.database=$db --set data.placement=$placement --set 'search.order="shuffled"' || exit 1
            check "$placement placement, $n workers, shuffled" "$expected" "$($FLOWSWEEP db digest $db)"
        done
        db=$placement.db
        $FLOWSWEEP run small.cfg -q -n 5 --set study.database=$db --set data.placement=$placement --set ranks.dnn=5 --set ranks.cnn_lstm=4 \
            --set ranks.random_forest=5 --set ranks.knn=3 --set ranks.majority=2 || exit 1
        check "$placement placement, large gangs" "$expected" "$($FLOWSWEEP db digest $db)"
    done
    for n in 2 3 4 8; do # this machine passes for two nodes: gangs within one and over both, that add up in shared memory and by messages
        FLOWSWEEP_TEST_NODES=2 $FLOWSWEEP_FAULTY run small.cfg -q -n $n --set study.database=nodes$n.db --set ranks.dnn=2 --set ranks.cnn_lstm=4 \
            --set 'search.order="shuffled"' || exit 1
        check "two nodes, $n workers" "$expected" "$($FLOWSWEEP db digest nodes$n.db)"
    done
    moved() { $FLOWSWEEP show $1 "$2" --format json | sed -n 's/.*"moved_bytes": \([0-9]*\).*/\1/p'; }
    gang=$($FLOWSWEEP ls nodes4.db --filter 'model = cnn_lstm' --columns trial --format csv | sed -n 2p)
    floats=$(($($FLOWSWEEP show nodes4.db "$gang" --format json | sed -n 's/.*"role": "model", "epoch": [0-9]*, "bytes": \([0-9]*\).*/\1/p') / 4))
    check "a gang of four moves more than its model three times a batch ($(moved nodes4.db "$gang") bytes)" 1 $(($(moved nodes4.db "$gang") > 3 * 4 * floats))
    check "one process moves nothing" 0 "$(moved small.db "$gang")"
    $FLOWSWEEP show nodes4.db "$gang" >show.txt
    check "show tells it in units" 1 "$(grep -cE '^ *[0-9]+ +4 .* (done|stopped) .* [0-9.]+ [KM]iB$' show.txt)"
    for i in 1 2 3 4; do # as between nodes: messages of different ranks overtake each other
        OMPI_MCA_btl=self,tcp OMPI_MCA_btl_tcp_if_include=lo $FLOWSWEEP run small.cfg -q -n 3 --no-restart --set study.database=tcp$i.db
        check "3 workers over TCP, run $i" "0 $expected" "$? $($FLOWSWEEP db digest tcp$i.db)"
    done
else
    echo "without MPI: workers were not tried"
fi
# networks of every kind: 24 points of a space of all layers
cat >networks.cfg <<'CFG'
study = { name = "networks"; database = "networks.db"; seed = 5; };
data = { source = "synthetic"; synth = { rows = 500; sites = 4; steps = 12; };
         split = { method = "stratified"; stop = 0.1; validation = 0.15; test = 0.2; }; };
task = { top_n = 4; };
space = {
  model = ["dnn", "cnn_lstm"];
  train = { batch_size = 150; epochs = 2; optimizer = ["adam", "rmsprop", "sgd"]; class_weight = ["none", "balanced"]; label_smoothing = [0.0, 0.1]; };
  dnn = { embedding = [0, 3]; hidden_layer_sizes = ( [20, 9] ); activation = ["relu", "tanh"]; };
  cnn_lstm = { embedding = [0, 3]; filters = ( [6], [6, 17] ); padding = ["valid", "same"]; dilation_rate = [1, 2]; strides = [1, 2]; pool_size = [1, 2];
               pooling = ["max", "average"]; batch_norm = [false, true]; cell = ["lstm", "gru", "flatten", "global_max", "global_average"]; units = 5;
               bidirectional = [false, true]; reset_after = [false, true]; dense = 8; masking = [false, true]; };
};
search = { method = "random"; n_trials = 24; };
CFG
$FLOWSWEEP run networks.cfg -q -n 0 || exit 1
expected=$($FLOWSWEEP db digest networks.db)
n_trials() { sqlite3 networks.db "SELECT count(*) FROM trials WHERE $1"; }
check "networks: none failed, cells of every kind" "0 5" "$(n_trials "state <> 'done'") $(sqlite3 networks.db "SELECT count(DISTINCT \"cnn_lstm.cell\") FROM trials")"
for n in 1 2 3 4 8; do
    has_mpi || break
    $FLOWSWEEP run networks.cfg -q -n $n --set study.database=networks$n.db --set ranks.dnn=$n --set ranks.cnn_lstm=$n || exit 1
    check "networks, a gang of $n" "$expected" "$($FLOWSWEEP db digest networks$n.db)"
done
$FLOWSWEEP db check small.db >check.txt
check "db check" 0 $?
finish
