# plan beside a database: what is done there is not to be done again, and what stops a run is said before.
. "$(dirname "$0")/setup.sh"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to let a trial fail"
small_config
only=(--set 'space.model=["random_forest", "extra_trees"]')
plan() { $FLOWSWEEP plan small.cfg "${only[@]}" "$@"; }
of() { plan "${@:2}" --format csv | awk -F, -v model="$1" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i } $at["model"] == model { printf "%s/%s %s ", $at["done"], $at["trials"], ($at["TFLOP"] > 0) }'; }

check "no database: nothing is done" "0/1 1 0/1 1 " "$(of random_forest)"
check "and nothing is said of one" 0 "$(plan | grep -c small.db)"
check "plan makes none" small.cfg "$(ls)"
: >empty.db
check "an empty file is none either" "0 0/1 1 0/1 1 " "$(plan --set study.database=empty.db | grep -c empty.db) $(of random_forest --set study.database=empty.db)"
$FLOWSWEEP run small.cfg -q -n 0 --set 'space.model="random_forest"' || exit 1
check "what is done is not counted as work" "1/1 0 1/1 0 " "$(of random_forest)"
check "what is not done is" "0/1 1 0/1 1 " "$(of extra_trees)"
trials=$(sqlite3 small.db "SELECT count(*) FROM trial")
check "in words" 1 "$(plan | grep -cE "; small.db has $trials that are done: TFLOP is of the others\$")"
check "where nothing is left" 1 "$($FLOWSWEEP plan small.cfg --set 'space.model="random_forest"' | grep -c 'that are done: nothing is left to do$')"
sqlite3 small.db "UPDATE trial SET state = 'failed' WHERE id = (SELECT max(id) FROM trial)"
check "failed ones are left alone, as by run" 1 "$(plan | grep -cF "small.db has $((trials - 1)) that are done and 1 that failed (run --retry-failed tries them again): TFLOP")"

other=$(plan --set study.seed=8)
check "another study's database: plan goes on" 0 $?
why=$($FLOWSWEEP run small.cfg -q -n 0 --set study.seed=8 2>&1)
check "run does not ($why)" 78 $?
check "plan says what run would" "run would stop: ${why#flowsweep: }" "$(grep '^run would stop' <<<"$other")"
check "of which nothing is done" 0 "$(grep -c 'that are done' <<<"$other")"
echo "some other file, long enough" >small.db && rm -f small.db-*
check "no database at all" 1 "$(plan | grep -c '^run would stop: small.db: ')"
finish
