# What plan tells of memory, and what cannot fit is refused before anything starts.
. "$(dirname "$0")/setup.sh"
small_config
column() { # of a model on task 1
    $FLOWSWEEP plan small.cfg --format csv "$@" | awk -F, -v model="$model" -v name="$name" \
        'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } NR > 1 && $at["model"] == model { print $at[name]; exit }'
}
more() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }

model=dnn name=rank_MiB
node=$(column --set ranks.dnn=1)
sharded=$(column --set ranks.dnn=2 --set data.placement=sharded)
more "$sharded" "$node"
check "a rank that holds rows needs more than one that looks ($sharded, $node MiB)" 0 $?
rows="--set data.synth.rows=60000 --set data.synth.steps=48 --set task.steps=48 --set data.placement=sharded --set space.dnn.embedding=0"
more "$(column $rows --set ranks.dnn=1)" "$(column $rows --set ranks.dnn=2)"
check "the more ranks, the less each holds" 0 $?
model=random_forest
name=node_MiB
more "$(column)" "$(column --set 'space.model=["dnn","random_forest"]' --set data.split.train_rows=50)"
check "codes of forests count for the node" 0 $?

huge='space.dnn.hidden_layer_sizes=([65536,65536,65536,65536,65536,65536,65536,65536])'
$FLOWSWEEP plan small.cfg --set "$huge" >plan.txt 2>err.txt
check "plan refuses what cannot fit" 78 $?
grep -q "dnn on task . needs .* GiB a rank, .* and this node has .* GiB" err.txt
found=$?
check "in words ($(head -c 160 err.txt))" 0 $found
grep -q rank_MiB plan.txt
check "and shows the table" 0 $?
for n in 0 $(has_mpi && echo 2); do
    $FLOWSWEEP run small.cfg -q -n "$n" --set "$huge" 2>err.txt
    check "run -n $n refuses the same" 78 $?
    grep -q "GiB a rank" err.txt
    check "in the same words" 0 $?
    check "and leaves nothing behind" "" "$(ls | grep -v -e small.cfg -e txt)"
done

# What ranks took is what plan said: networks of 300 MB and more, with checkpoints, stopped and gone on with.
[ -n "${LSAN_OPTIONS:-}" ] && finish # the sanitizers take more than the program
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
sed -e 's/rows = 900; sites = 5; steps = 12/rows = 1000; sites = 5; steps = 60/' -e 's/batch_size = 100; epochs = 3; patience = 2/batch_size = 600; epochs = 6; patience = 0/' \
    -e 's/, "random_forest", "extra_trees"//' -e 's/( \[16\] )/( [6000, 800] )/' -e '/cnn_lstm = {/d' -e 's/cnn_lstm = 3/cnn_lstm = 2/' -e 's/\[3, 5\]/5/' small.cfg |
    awk '/dnn = \{ emb/ { print "  cnn_lstm = { embedding = 0; filters = ( [256, 256] ); kernel_size = 1; pool_size = 1; batch_norm = true; cell = [\"lstm\", \"gru\"]; units = 64; };"; sub(/embedding = 4/, "embedding = 0") } { print }' >big.cfg
ask() { sqlite3 small.db "SELECT $1 FROM attempt a JOIN trial t ON t.id = a.trial JOIN configuration c ON c.id = t.configuration $2"; }
one_checkpoint() { [ "$(sqlite3 small.db "SELECT count(*) FROM artifact WHERE role = 'checkpoint'" 2>/dev/null)" = 1 ]; }
big="WHERE c.model IN ('dnn', 'cnn_lstm') AND a.peak_bytes"
for n in 0 $(has_mpi && echo 2); do
    rm -f small.db*
    for _ in 1 2; do # where writing the first checkpoint takes as long as the trial's other epochs, the next trial is stopped
        FLOWSWEEP_FAULT=epoch:1+:delay "$FLOWSWEEP_FAULTY" run big.cfg -q -n "$n" --set budget.checkpoint=0.05 2>err.txt &
        await $! one_checkpoint
        kill -USR1 $!
        wait $!
        check "run -n $n stops when told" 75 $?
        one_checkpoint && break
    done
    $FLOWSWEEP run big.cfg -q -n "$n" --set budget.checkpoint=0.05 2>err.txt
    check "and goes on" 0 $?
    check "-n $n: some trial went on from a checkpoint" 1 "$(ask 'count(*) > 0' "$big AND epoch_from > 0")"
    check "-n $n: trials of 300 MB and more" "3|1" "$(ask 'count(DISTINCT t.id), min(planned_bytes) >= 300e6' "$big")"
    check "-n $n: their peaks are within 5 % of what plan said" "" \
        "$(ask "c.model, epoch_from, planned_bytes, peak_bytes" "$big AND NOT peak_bytes BETWEEN 0.95 * planned_bytes AND 1.05 * planned_bytes")"
    check "-n $n: those of small ones within 4 MiB" "1" \
        "$(ask 'count(*) = 2 AND max(abs(peak_bytes - planned_bytes)) < 4 << 20' "WHERE c.model IN ('majority', 'knn')")"
done
$FLOWSWEEP plan big.cfg --format csv >plan.csv
plan_says=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } $at["model"] == "dnn" { printf "%d", $at["rank_MiB"] + 0.5 }' plan.csv)
has_mpi && check "plan prints what the attempt holds" "$plan_says" "$(ask "CAST(round(max(planned_bytes) / 1048576.0) AS INTEGER)" "WHERE c.model = 'dnn'")"
trial=$(ask "min(t.id)" "WHERE c.model = 'dnn'")
$FLOWSWEEP show small.db "$trial" --format json | grep -q '"planned_bytes": [0-9]*, "peak_bytes": [0-9]'
found=$?
check "show tells both" 0 $found

# Sums between nodes hold the parts of others.
has_mpi || finish
rm -f small.db*
FLOWSWEEP_TEST_NODES=2 "$FLOWSWEEP_FAULTY" run big.cfg -q -n 2 --set 'space.model=["dnn"]' --set space.train.epochs=1 2>err.txt
check "a gang over two nodes" "0|2|1" "$?|$(ask "a.gang, peak_bytes BETWEEN 0.95 * planned_bytes AND 1.05 * planned_bytes" "WHERE c.model = 'dnn'")"
more "$(ask "planned_bytes / 1048576" "WHERE c.model = 'dnn'")" "$plan_says"
check "is given more than within a node" 0 $?
finish
