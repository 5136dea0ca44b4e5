# A checkpoint, or the model of a smaller forest, whose bytes have changed: passed over and told of; the run ends as one that was not disturbed.
. "$(dirname "$0")/setup.sh"
has_mpi || skip "without MPI there are no ranks to die"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to damage a database"
cat >d.cfg <<'CFG'
study = { name = "d"; database = "d.db"; seed = 11; };
data = { source = "synthetic"; synth = { rows = 3000; sites = 12; steps = 20; };
         split = { method = "stratified"; stop = 0.1; validation = 0.15; test = 0.2; }; };
task = { top_n = 12; steps = 20; };
space = { model = ["dnn", "random_forest"]; train = { epochs = 8; patience = 9; }; dnn = { hidden_layer_sizes = [8]; };
          random_forest = { n_estimators = [32, 96]; }; };
budget = { checkpoint = 0.001; };
CFG
$FLOWSWEEP run d.cfg -q -n 0 || exit 1
expected=$($FLOWSWEEP db digest d.db)
damage() { # which artifacts
    sqlite3 k.db "UPDATE artifact_chunk SET data = zeroblob(length(data)) WHERE artifact IN (SELECT a.id FROM artifact a JOIN trial t ON t.id = a.trial
        JOIN configuration c ON c.id = t.configuration WHERE $1); SELECT changes() > 0"
}
go_on() { # what, workers, words
    $FLOWSWEEP run d.cfg -n "$2" --set study.database=k.db 2>said.txt
    check "$1: code" 0 $?
    check "$1: told" 1 "$(grep -c "$3" said.txt)"
    check "$1: recorded" 1 "$(sqlite3 k.db "SELECT count(*) FROM event WHERE what = 'damage'")"
    check "$1: the bits of a run that was not disturbed" "$expected" "$($FLOWSWEEP db digest k.db)"
}
for model in dnn random_forest; do
    for workers in 0 2; do
        rm -f k.db*
        FLOWSWEEP_FAULT=epoch:5:kill:1,epoch:2+:delay "$FLOWSWEEP_FAULTY" run d.cfg -q -n 1 --no-restart --set study.database=k.db --set space.model=$model 2>/dev/null
        check "$model: stopped with a checkpoint, which is damaged" 1 "$(damage "a.role = 'checkpoint'")"
        go_on "$model's checkpoint, $workers workers" $workers "the checkpoint of trial [0-9]* is damaged"
    done
done
rm -f k.db*
$FLOWSWEEP run d.cfg -q -n 0 --set study.database=k.db --set space.random_forest.n_estimators=32 || exit 1
check "the smaller forest is damaged" 1 "$(damage "a.role = 'model' AND c.model = 'random_forest'")"
go_on "the smaller forest" 0 "the model of trial [0-9]* is damaged"

# What is no file is no database, and stays.
mkfifo pipe
mknod device c 1 3 2>/dev/null || rm -f device # another /dev/null, where one may be made: never the machine's own, which a wrong build would remove
for path in pipe device; do
    [ -e $path ] || continue
    rejects "$path as a database" 74 "is no regular file" $FLOWSWEEP run d.cfg -q -n 0 --set study.database=$path
    check "$path is still there" 0 "$([ -e $path ] && [ ! -f $path ]; echo $?)"
done

# A loop that feeds run from its own stdin keeps the rest of it; a path may hold bytes that are no UTF-8.
$FLOWSWEEP data synth --set rows=300 --set sites=4 --set steps=8 --out $'fl\xe9.csv' || exit 1
sed $'s#source = .*steps = 20; };#path = "fl\xe9.csv"; steps = 8;#; s/top_n = 12; steps = 20/top_n = 4; steps = 8/; s/\\[32, 96\\]/5/' d.cfg >e.cfg
n=0
while read -r name; do
    timeout 60 $FLOWSWEEP run e.cfg -q -n 1 --set study.database="$name" || exit 1
    n=$((n + 1))
done < <(printf 'x.db\ny.db\nz.db\n')
check "three runs of a loop" 3 $n
rejects "more workers than a machine could want" 64 "at most" env -u SLURM_JOB_ID $FLOWSWEEP run e.cfg -q -n 100000 --set study.database=none.db
finish
