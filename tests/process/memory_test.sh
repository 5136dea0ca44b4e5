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
finish
