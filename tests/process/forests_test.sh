# Forests of several blocks: the same bits on any number of ranks, after ranks died in the middle of one, and on two nodes; a node has its codes once.
. "$(dirname "$0")/setup.sh"
has_mpi || skip "without MPI there are no ranks"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
cat >forests.cfg <<'CFG'
study = { name = "forests"; database = "forests.db"; seed = 11; };
data = { source = "synthetic"; synth = { rows = 6000; sites = 12; steps = 30; };
         split = { method = "stratified"; stop = 0.1; validation = 0.15; test = 0.2; }; };
task = { top_n = 12; steps = 30; };
space = { model = ["random_forest", "extra_trees"];
          random_forest = { n_estimators = 70; oob_score = true; class_weight = ["none", "balanced_subsample"]; ties = ["lowest", "drawn"]; };
          extra_trees = { n_estimators = 70; bootstrap = true; oob_score = true; max_leaf_nodes = 40; }; };
budget = { checkpoint = 0.001; };
CFG
gang() { echo --set ranks.random_forest="$1" --set ranks.extra_trees="$1"; }
digest() { # with the out-of-bag scores, which the program's own leaves out
    $FLOWSWEEP db digest "$1"
    sqlite3 "$1" "SELECT t.identity, m.value FROM metric m JOIN trial t ON t.id = m.trial WHERE m.name = 'oob_accuracy' ORDER BY 1"
}
$FLOWSWEEP run forests.cfg -q -n 0 || exit 1
expected=$(digest forests.db)
check "five forests with their scores, no two alike" 6 "$(cut -d'|' -f2 <<<"$expected" | sort -u | wc -l)"

for n in 1 2 3 4 8; do # one gang of all
    $FLOWSWEEP run forests.cfg -q -n $n $(gang $n) --set study.database=n$n.db || exit 1
    check "a gang of $n" "$expected" "$(digest n$n.db)"
done

# A rank dies, or all are told to stop, in the middle of the first forest; it goes on from its last block on another number of ranks.
kept() { sqlite3 killed.db "SELECT count(*) FROM artifact WHERE role = 'checkpoint'"; }
n=0
for how in "1 epoch:3:kill:1" "2 epoch:2:kill:2" "8 epoch:2:kill:8" "2 checkpoint:2:kill:1" "4 codes:1:kill" "3 epoch:4:kill:1,epoch:2+:delay"; do
    read -r workers fault <<<"$how"
    n=$((n % 4 + 1))
    for _ in 1 2 3; do # once more where the disk took longer than the delays
        rm -f killed.db*
        FLOWSWEEP_FAULT=$fault timeout 60 "$FLOWSWEEP_FAULTY" run forests.cfg -q -n "$workers" $(gang "$workers") --no-restart --set study.database=killed.db 2>err.txt
        code=$?
        case $fault in *delay*) [ "$(kept)" = 1 ] && break ;; *) break ;; esac
    done
    check "$fault of $workers ends with 75" 75 $code
    timeout 60 "$FLOWSWEEP" run forests.cfg -q -n $n $(gang $n) --set study.database=killed.db || exit 1
    check "$fault of $workers, going on on $n" "$expected" "$(digest killed.db)"
    case $fault in *delay*) check "not from the start" 1 "$(sqlite3 killed.db "SELECT count(*) > 0 FROM attempt WHERE epoch_from > 0")" ;; esac
done

# This machine passes for two nodes. Of a set of codes there is one copy on a node: one rank of each makes it, however many gangs look at it.
for n in 2 4 7; do
    rm -f log.txt
    FLOWSWEEP_FAULT_LOG=log.txt FLOWSWEEP_TEST_NODES=2 "$FLOWSWEEP_FAULTY" run forests.cfg -q -n $n $(gang $((n / 2))) --set study.database=nodes$n.db || exit 1
    made() { awk -v n=$n -v node="$1" '$1 == "codes" && int(2 * $3 / (n + 1)) == node { sum += $2 } END { print sum + 0 }' log.txt; }
    check "two nodes, $n workers: sets made on each" "1 1" "$(made 0) $(made 1)"
    check "two nodes, $n workers" "$expected" "$(digest nodes$n.db)"
done

# What ranks have mapped while a forest grows: two windows of codes, each seen by the ranks of its node alone.
ranks_of() { # lines "RANK PID" of the processes below one
    local child
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        tr '\0' '\n' <"/proc/$child/environ" 2>/dev/null | sed -n "s/^OMPI_COMM_WORLD_RANK=\(.*\)/\1 $child/p"
        ranks_of "$child"
    done
}
largest() { # inode and size [kB] of the largest file that a process shares
    awk '/^[0-9a-f]+-/ { inode = $2 ~ /s/ ? $5 : 0 } /^Size:/ && inode { print inode, $2 }' "/proc/$1/smaps" | sort -k2n | tail -1
}
FLOWSWEEP_FAULT=epoch:3+:delay FLOWSWEEP_TEST_NODES=2 "$FLOWSWEEP_FAULTY" run forests.cfg -q -n 4 $(gang 4) --set data.synth.rows=60000 \
    --set space.random_forest.class_weight=none --set 'space.model="random_forest"' --set study.database=held.db 2>err.txt &
pid=$!
grown() { [ "$(sqlite3 "file:held.db?mode=ro" "SELECT count(*) FROM artifact WHERE role = 'checkpoint'" 2>/dev/null)" = 1 ]; }
await $pid grown
ranks_of $pid | sort | while read -r rank process; do
    echo "$rank $(largest "$process")"
done >maps.txt
kill -INT $pid
wait $pid
window() { awk -v first="$1" -v last="$2" '$1 >= first && $1 <= last { print $2 }' maps.txt | sort -u; }
check "five ranks looked at" 5 "$(wc -l <maps.txt)"
check "one window on each node" "1 1" "$(window 0 2 | wc -l) $(window 3 4 | wc -l)"
[ "$(window 0 2)" != "$(window 3 4)" ]
check "another one on each" 0 $?
codes=$((60000 * 65 / 100 * 30 * 2 / 1024)) # two bytes a row and column
check "it has room for the codes ($codes kB): $(awk 'NR == 1 { print $3 }' maps.txt) kB" 1 "$(awk -v codes=$codes 'NR == 1 { print ($3 >= codes) }' maps.txt)"

# Bins: a value that most rows have takes none of the others' bins, whether it is the smallest or the largest.
awk 'BEGIN { for (i = 0; i < 30; i++) print (i % 2 ? "a" : "b") "," 100 + i; for (i = 0; i < 970; i++) print "a,1000" }' >most.csv
awk -F, '{ print $1 "," (-$2) }' most.csv >least.csv
awk 'BEGIN { for (i = 0; i < 1000; i++) print "train"; for (i = 0; i < 40; i++) print i % 2 ? "validation" : "test" }' >parts.txt
for file in most least; do
    tail -n +11 $file.csv | head -40 >>$file.csv
    printf '%s\n' "study = { name = \"$file\"; };" "data = { path = \"$file.csv\"; layout = \"signed\"; steps = 1; split = { method = \"file\"; path = \"parts.txt\"; stop = 0.0; }; };" \
        'task = { top_n = 0; }; space = { model = "random_forest"; random_forest = { n_estimators = 1; bootstrap = false; max_bins = 10; }; };' >$file.cfg
    $FLOWSWEEP run $file.cfg -q -n 0 || exit 1
done
bytes() { sqlite3 "$1.db" "SELECT a.bytes FROM artifact a JOIN trial t ON t.id = a.trial JOIN configuration c ON c.id = t.configuration WHERE a.role = 'model' AND c.model = 'random_forest'"; }
check "bins beside a frequent value ($(bytes most) bytes of a tree)" "$(bytes least)" "$(bytes most)"
finish
