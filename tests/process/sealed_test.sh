# No figure of the test part in any view, list or sort before reveal; every reading is recorded.
. "$(dirname "$0")/setup.sh"
small_config
$FLOWSWEEP run small.cfg -q -n 0 --set task.top_n=5 || exit 1
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
for view in trials configs per_class confusions curves; do
    check "view $view has rows" 1 "$(sqlite3 small.db "select count(*) > 0 from $view")"
    check "view $view has no column of part test" 0 "$(sqlite3 small.db "select count(*) from pragma_table_info('$view') where name like '%test%'")"
done
for table in metric class_metric confusion configuration_metric; do
    check "table $table has no row of part test" 0 "$(sqlite3 small.db "select count(*) from $table where part = 'test'")"
done
for verb in "status small.db" "ls small.db" "best small.db" "ensemble small.db" "show small.db 3"; do
    $FLOWSWEEP $verb --format json | grep -q '"test_'
    check "$verb shows nothing of it" 1 $?
done
check "no reading yet" 0 "$(sqlite3 small.db 'select count(*) from test_reading')"
$FLOWSWEEP ls small.db --sort test_accuracy 2>/dev/null
check "ls cannot sort by it" 64 $?
digest=$($FLOWSWEEP db digest small.db)
$FLOWSWEEP reveal small.db best >reveal.txt || exit 1
check "reveal is recorded" 1 "$(sqlite3 small.db 'select count(*) from test_reading')"
grep -q "read 1 time so far" reveal.txt
check "reveal says how often" 0 $?
$FLOWSWEEP predictions small.db 3 >/dev/null
check "predictions of validation are no reading" 1 "$(sqlite3 small.db 'select count(*) from test_reading')"
$FLOWSWEEP predictions small.db 3 --part test >/dev/null
check "predictions of test are one" 2 "$(sqlite3 small.db 'select count(*) from test_reading')"
check "reveal changes no digest" "$digest" "$($FLOWSWEEP db digest small.db)"
finish
