# What plan says of gangs: by the leaves of batches before anything ran, by the seconds of earlier epochs afterwards; nothing is touched.
. "$(dirname "$0")/setup.sh"
small_config
plan() { $FLOWSWEEP plan small.cfg --set data.synth.rows=3000 "$@"; }
gangs() { plan --format csv "$@" | awk -v RS= '/^model,ranks,s_per_epoch/'; }
row() { gangs "${@:3}" | awk -F, -v model="$1" -v ranks="$2" '$1 == model && $2 == ranks { print $3 "," $4 "," $5 "," $6 }'; }

# batches of 64 rows
two='--set space.train.batch_size=64 --set ranks.dnn=1 --set ranks.cnn_lstm=3'
plan $two >plan.txt
check "a third rank is wasted on two leaves" 1 "$(grep -cx 'cnn_lstm: a third rank is wasted (batches of 64 rows have 2 leaves)' plan.txt)"
check "three are warned of" 1 "$(grep -cx 'warning: ranks.cnn_lstm = 3 is hardly faster than 2' plan.txt)"
check "one is not" 0 "$(grep -c 'warning: ranks.dnn' plan.txt)"
check "three gain what two do" "$(row cnn_lstm 2 $two | cut -d, -f2)" "$(row cnn_lstm 3 $two | cut -d, -f2)"
check "seconds are not known yet" ",1.0,1.0,expected" "$(row dnn 1 $two)"
plan --set space.train.batch_size=128 --set ranks.cnn_lstm=3 >plan.txt
check "of four leaves a fifth" 1 "$(grep -cx 'cnn_lstm: a fifth rank is wasted (batches of 128 rows have 4 leaves)' plan.txt)"
check "and three are no better than two" 1 "$(grep -cx 'warning: ranks.cnn_lstm = 3 is hardly faster than 2' plan.txt)"
plan --set 'space.train.batch_size=[32,64]' >plan.txt
check "of several sizes all are told" 1 "$(grep -c '^cnn_lstm: .*(batches of 32 to 64 rows have 1 to 2 leaves)$' plan.txt)"
check "forests have no leaves" 0 "$(gangs | grep -c random_forest)"
check "nothing was left behind" "plan.txt small.cfg" "$(echo *)"

command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
$FLOWSWEEP run small.cfg -q -n 0 $two --set data.synth.rows=3000 2>err.txt || exit 1
learnt=$(sqlite3 small.db "SELECT avg(s) FROM (SELECT (a.computed_s + a.waited_s) / (a.epoch_to - a.epoch_from) AS s FROM attempt a JOIN trial t ON t.id = a.trial
    JOIN configuration c ON c.id = t.configuration WHERE c.model = 'dnn')")
before=$(sha256sum small.db)
near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0.999 * b && a < 1.001 * b) }'; }
near "$(row dnn 1 $two | cut -d, -f1)" "$learnt"
check "seconds of an epoch are those of the attempts ($learnt)" 0 $?
check "they are learnt with one rank, and expected of two" "learnt expected" "$(row dnn 1 $two | cut -d, -f4) $(row dnn 2 $two | cut -d, -f4)"
check "plan touches nothing" "$before" "$(sha256sum small.db)"
# as if two ranks had been tried, and had been no faster
sqlite3 small.db "INSERT INTO attempt (trial, job, gang, epoch_from, epoch_to, outcome, computed_s, waited_s, started, ended)
    SELECT trial, job, 2, epoch_from, epoch_to, outcome, computed_s * 0.5, computed_s * 0.5 + waited_s, started, ended FROM attempt"
plan $two --set ranks.dnn=2 >plan.txt
check "what was learnt counts more than leaves" 1 "$(grep -c '^dnn: a second rank is wasted (learnt: an epoch takes [0-9.e-]* s with 2, [0-9.e-]* s with 1)$' plan.txt)"
check "and is warned of" 1 "$(grep -cx 'warning: ranks.dnn = 2 is hardly faster than 1' plan.txt)"

echo nonsense >small.db
plan $two >plan.txt
check "a file that is no database is said, and no error" "0 1" "$? $(grep -c '^no seconds of earlier runs: .*small.db' plan.txt)"
rm -f small.db-wal small.db-shm
rows=$(plan --format json $two | grep -c '"efficiency"')
check "rows in json" 1 "$((rows > 3))"
finish
