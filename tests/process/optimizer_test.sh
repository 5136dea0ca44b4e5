# Optimizers and schedules from the configuration to the results: what counts for identity, what is refused, the same bits on any number of ranks.
. "$(dirname "$0")/setup.sh"
small_config
only_dnn() { # name of the database, then more settings
    local name=$1
    shift
    echo "small.cfg --set study.database=$name.db --set space.model=dnn --set task.top_n=3 $*"
}
run() { $FLOWSWEEP run $(only_dnn "$@") -n 0 -q 2>/dev/null; }
digest() { $FLOWSWEEP db digest "$1.db"; }
trials() { $FLOWSWEEP ls "$1.db" --filter 'model = dnn' --format csv | tail -n +2 | wc -l; }

run plain && run said --set space.train.schedule=constant --set space.train.weight_decay=none --set space.train.warmup_epochs=0 --set space.train.label_smoothing=0.0 --set space.train.decay_rate=0.5
check "defaults, said, and what nothing uses, make no other study" "$(digest plain)" "$(digest said)"
run plain --set 'space.train.schedule=["constant","cosine"]'
check "a schedule beside the constant one: done trials stay" "0 2" "$? $(trials plain)"

run few --set 'space.train.schedule=["constant","step"]' --set 'space.train.decay_rate=[0.1,0.5]'
check "points that differ in what the schedule does not use are one" "0 3" "$? $(trials few)"
run many --set 'space.train.optimizer=["adam","adamw","sgd","rmsprop"]' --set 'space.train.rho=[0.8,0.9]'
check "so for optimizers" "0 5" "$? $(trials many)"
check "columns" "0.8 0.9" "$($FLOWSWEEP ls many.db --columns rho --sort rho --filter 'optimizer = rmsprop' --format csv | tail -n +2 | xargs)"

rejects "both ways to clip" 78 "exclude each other" "$FLOWSWEEP" plan $(only_dnn bad --set space.train.clipvalue=1.0 --set space.train.global_clipnorm=1.0)
rejects "nesterov alone" 78 "train.nesterov needs train.momentum above 0" "$FLOWSWEEP" plan $(only_dnn bad --set space.train.optimizer=sgd --set space.train.nesterov=true)
rejects "no such schedule" 78 'did you mean "cosine"' "$FLOWSWEEP" plan $(only_dnn bad --set space.train.schedule=cosin)
rejects "warm-up to the end" 78 "leaves no epoch" "$FLOWSWEEP" plan $(only_dnn bad --set space.train.warmup_epochs=3)
check "help names them" 3 "$($FLOWSWEEP help train | grep -c '^ *\(plateau_factor\|global_clipnorm\|rho\) ')"

has_mpi || finish
how="--set space.train.optimizer=rmsprop --set space.train.momentum=0.5 --set space.train.global_clipnorm=0.1 --set space.train.schedule=reduce_on_plateau
     --set space.train.plateau_patience=1 --set space.train.epochs=6 --set space.train.patience=0"
run alone $how
$FLOWSWEEP run $(only_dnn ranks $how) -n 3 --set ranks.dnn=3 -q 2>/dev/null
check "the same bits on three ranks" "0 $(digest alone)" "$? $(digest ranks)"
often="--set budget.checkpoint=0.000001"
# The delays give the coordinator time to store what came before; where the disk was slower than that, once more.
for _ in 1 2 3; do
    rm -f killed.db*
    FLOWSWEEP_FAULT=epoch:2:delay,epoch:3:delay,epoch:4:delay,epoch:5:kill $FLOWSWEEP_FAULTY run $(only_dnn killed $how $often) -n 1 --no-restart -q 2>/dev/null
    code=$?
    $FLOWSWEEP show killed.db 3 | grep -q checkpoint && break
done
check "killed in its fifth epoch" 75 $code
run killed $how
check "goes on from a checkpoint, to the same bits" "0 $(digest alone) 1" \
    "$? $(digest killed) $($FLOWSWEEP show killed.db 3 --format json | tr -d ' \n' | grep -c '"epoch_from":[1-5],"epoch_to":6')"
finish
