# Databases that someone changed: verbs that need what is damaged say so with 74, db check finds it, nothing crashes, hangs or is left behind.
. "$(dirname "$0")/setup.sh"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to do damage"
small_config
$FLOWSWEEP run small.cfg -q -n 0 --set task.top_n=3 || exit 1
$FLOWSWEEP ensemble small.db >/dev/null || exit 1
$FLOWSWEEP db check small.db >/dev/null
check "a sound database passes" 0 $?

# How long it will take is said where trials of those models are done, and not by what others took.
cp small.db d.db && sqlite3 d.db "UPDATE trial SET state = 'queued' WHERE id = (SELECT max(t.id) FROM trial t JOIN configuration c ON c.id = t.configuration WHERE c.model = 'cnn_lstm')"
check "status: time left, by trials of that model" 1 "$($FLOWSWEEP status d.db | grep -cE '; 1 left, about [0-9]+ s$')"
sqlite3 d.db "UPDATE trial SET state = 'queued' WHERE configuration IN (SELECT id FROM configuration WHERE model = 'cnn_lstm')"
check "status: no time where none is done" 1 "$($FLOWSWEEP status d.db | grep -cE '; [0-9]+ left$')"
rm d.db

damaged() { # name, words, SQL, then verbs that must refuse it (DB stands for the file)
    local name=$1 words=$2 sql=$3 verb
    shift 3
    cp small.db d.db
    sqlite3 d.db "$sql" || exit 1
    for verb in "$@"; do
        rejects "$name: $verb" 74 "$words" "$FLOWSWEEP" ${verb/DB/d.db}
    done
    rejects "$name: db check" 74 "$words" "$FLOWSWEEP" db check d.db
}

damaged "no members" "ensemble 1 has no members" "delete from ensemble_member" "reveal DB ensemble" "export DB ensemble --out x"
damaged "weights that sum to two" "ensemble 1" "update ensemble_member set weight = 2 * weight" "reveal DB ensemble" "export DB ensemble --out x"
damaged "a weight that is no number" "ensemble 1" "update ensemble_member set weight = 'much'" "reveal DB ensemble" "export DB ensemble --out x"

for n in -1 0 2 2147483647; do
    damaged "$n classes" "the database is damaged" "update task set n_classes = $n" "export DB 3 --out x" "predictions DB 3" "reveal DB --all" "reveal DB best" \
        "reveal DB ensemble"
done
damaged "labels that are no JSON" "task 1 has no proper labels" "update task set labels = '['" "export DB 3 --out x" "predictions DB 3"
damaged "labels that are numbers" "task 1 has no proper labels" "update task set labels = '[1, 2, 3]'" "export DB 3 --out x" "predictions DB 3"

loose="create table p as select * from prediction; drop table prediction; alter table p rename to prediction;"
for column in rows labels truth; do
    damaged "no $column" "the database is damaged" "$loose update prediction set $column = NULL" "predictions DB 3" "reveal DB best" "reveal DB ensemble" \
        "reveal DB --all"
done

damaged "no study" "holds no study" "delete from study" "status DB" "ls DB" "reveal DB best" "export DB 3 --out x"
damaged "no results" "is done without its metrics of part stop" "delete from prediction; delete from metric"
damaged "no predictions" "is done without its predictions of part" "delete from prediction where part = 'validation'"
damaged "no predictions of the test part" "trial 3 is done without its predictions of part test" "delete from prediction where part = 'test' and trial = 3"
damaged "no counts" "is done without its metrics of part" "delete from class_metric"
damaged "zeroed probabilities" "trial 3 has other probabilities" "update prediction set probabilities = zeroblob(length(probabilities)) where trial = 3"
damaged "zeroed truth" "not those that its metrics were computed from" "update prediction set truth = zeroblob(length(truth)) where trial = 3 and part <> 'test'"
damaged "zeroed truth of the test part" "disagree on the classes" \
    "update prediction set truth = zeroblob(length(truth)) where trial = 3 and part = 'test'"
damaged "zeroed labels" "are not its most probable classes" "update prediction set labels = zeroblob(length(labels)) where trial = 3"
damaged "zeroed labels without probabilities" "not those that its metrics were computed from" \
    "update prediction set labels = zeroblob(length(labels)), probabilities = NULL where trial = 3"
damaged "another model" "trial 3 is done without its model" "update trial set model_sha256 = 'x' where id = 3"
damaged "features" "trial 3 has no proper features" "update trial set features = '{' where id = 3"
damaged "parameters" "has no proper parameters" "update configuration set params = '{'"
cp small.db d.db && sqlite3 d.db "update configuration set params = '{'"
rejects "damaged parameters, shown" 74 "d.db: damaged: the trial has no proper parameters" $FLOWSWEEP show d.db 3
rm d.db
damaged "form" "form of flows" "update study set form = '{'"

# Labels and what libraries say reach a terminal with their control characters written out.
labels='["a\u001b[31m", "b\nc", "d\u009b2J"]'
cp small.db d.db && sqlite3 d.db "update task set labels = '$labels'; update trial set error = 'x' || char(13, 27, 10) || 'y' where id = 3;
    update job set why = 'done' || char(27)"
for verb in "predictions DB 3" "ls DB" "status DB" "show DB 3" "db check DB"; do
    $FLOWSWEEP ${verb/DB/d.db} >shown.txt 2>&1
    check "$verb: no control characters" 0 "$(tr -d '\n' <shown.txt | LC_ALL=C grep -cP '[\x00-\x1f\x7f]|\xc2[\x80-\x9f]')"
done
check "labels written out" 1 "$($FLOWSWEEP predictions d.db 3 | head -1 | tr -s ' ' | grep -cF 'a\x1b[31m b\nc d\u009b2J')"
check "as data they stay what they are" 1 "$($FLOWSWEEP predictions d.db 3 --format csv | head -1 | grep -c $'\x1b')"
sqlite3 d.db "update ensemble_member set weight = 2; pragma writable_schema = on; update sqlite_master set name = 'x' || char(10, 27) where name = 'job';"
rejects "a name with control characters" 74 '' "$FLOWSWEEP" db check d.db
rejects "a path with control characters" 66 'no\x1b\n.db' "$FLOWSWEEP" status $'no\x1b\n.db'
rm -f shown.txt

# Names that mean something else to SQLite are names of files here: results that nobody finds again are lost.
mkdir names && cd names && cp ../small.cfg . || exit 1
for name in :memory: "file:x?mode=memory" "file:y" "file::memory:?cache=shared"; do
    $FLOWSWEEP run small.cfg -q -n 0 --set task.top_n=3 --set 'space.model=["dnn"]' --set "study.database=$name"
    check "results in a file named $name" "0 3" "$? $($FLOWSWEEP ls "$name" --format csv | tail -n +2 | wc -l)"
    [ -s "$name" ] && head -c 6 "$name" | grep -q SQLite
    check "$name is a file" 0 $?
done
rm -f file:* :mem*
for name in "" ./ ../; do
    rejects "a database named \"$name\"" 78 "study.database: \"$name\" names no file" "$FLOWSWEEP" run small.cfg -q -n 0 --set "study.database=$name"
done
finish
