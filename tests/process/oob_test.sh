# The out-of-bag score: shown, marked where it is blind, chosen by nowhere, and the same bits on any number of ranks.
. "$(dirname "$0")/setup.sh"
small_config
forests=(--set 'space.model=["random_forest","extra_trees"]' --set space.random_forest.oob_score=true --set space.extra_trees.oob_score=true)
oob() { $FLOWSWEEP show "$1" "$(forest "$1")" --format json | grep -o '"train_oob_[a-z_]*": [^,}]*' | tr '\n' ' '; }
forest() { $FLOWSWEEP ls "$1" --filter 'model = random_forest' --filter 'top_n = 5' --columns trial --format csv | sed -n 2p; }

$FLOWSWEEP run small.cfg -q -n 0 --set study.database=plain.db --set 'space.model=["random_forest","extra_trees"]' || exit 1
check "not asked for, not there" "" "$(oob plain.db)"
$FLOWSWEEP run small.cfg -q -n 0 "${forests[@]}" || exit 1
score=$(oob small.db | sed -n 's/^"train_oob_accuracy": \([01]\.[0-9]*\) $/\1/p')
check "a share, not marked where rows are dealt at random ($score)" 1 "$(awk -v s="${score:-0}" 'BEGIN { print (s > 0.5 && s <= 1) }')"
check "show tells parameters as they are: true, a list" "true [\"signed_size\"]" "$($FLOWSWEEP show small.db "$(forest small.db)" --format json |
    grep -oP '"random_forest.oob_score": \K[^,]*|"channels": \K\[[^]]*\]' | tac | tr '\n' ' ' | sed 's/ $//')"
count() { $FLOWSWEEP ls "$1.db" --filter "random_forest.oob_score = $2" --format csv | tail -n +2 | wc -l; }
check "a filter takes true and false as they are shown" "2 0 0 2" "$(count small true) $(count small false) $(count plain true) $(count plain false)"
trees=$($FLOWSWEEP ls small.db --filter 'model = extra_trees' --columns trial --format csv | sed -n 2p)
check "no bootstrap, no score" 0 "$($FLOWSWEEP show small.db "$trees" | grep -c oob)"
said='space.extra_trees.oob_score has no effect: no point has bootstrap=true'
check "plan says so" 1 "$($FLOWSWEEP plan small.cfg "${forests[@]}" | grep -cF "$said")"
check "and nothing of what has one" 0 "$($FLOWSWEEP plan small.cfg "${forests[@]}" --set space.extra_trees.bootstrap=true | grep -c 'has no effect')"
check "nor of models that are left out" 0 "$($FLOWSWEEP plan small.cfg "${forests[@]}" --set 'space.model="dnn"' | grep -c 'has no effect')"
$FLOWSWEEP plan small.cfg "${forests[@]}" --set 'space.random_forest.max_features=[500,501,3]' --set space.extra_trees.max_features=500 >plan.txt
check "points that cannot work: a line a task, model and reason" "500 1 random_forest, 501 1 random_forest, 500 1 extra_trees, " \
    "$(sed -n '/^points that cannot/,$p' plan.txt | awk '$1 == 1 && /but there are/ { sub(",", "", $6); printf "%s %s %s, ", $6, $2, $3 }')"
check "a model without one that can" 1 "$(grep -cx 'no point of extra_trees can work: it is not run at all' plan.txt)"
check "run says so" 1 "$($FLOWSWEEP run small.cfg -n 0 "${forests[@]}" 2>&1 | grep -cF "$said")"
check "no list has it" 0 "$($FLOWSWEEP ls small.db --format csv | head -1 | grep -c oob_accuracy)"
$FLOWSWEEP ls small.db --sort train_oob_accuracy >/dev/null 2>err.txt
check "nothing is sorted by it" 64 $?
rm err.txt
proba() { $FLOWSWEEP predictions "$1" "$(forest "$1")" --format csv | sha256sum; }
check "the forest is the same with it" "$(proba plain.db)" "$(proba small.db)"
if has_mpi; then
    expected=$($FLOWSWEEP db digest small.db)
    for n in 1 2 3 4; do
        $FLOWSWEEP run small.cfg -q -n $n "${forests[@]}" --set study.database=n$n.db --set ranks.random_forest=$n --set 'data.placement="sharded"' || exit 1
        check "$n workers" "$expected $(oob small.db)" "$($FLOWSWEEP db digest n$n.db) $(oob n$n.db)"
    done
fi
$FLOWSWEEP run small.cfg -q -n 0 "${forests[@]}" --set study.database=ordered.db --set 'data.split.method="ordered"' || exit 1
case $(oob ordered.db) in *'"train_oob_blind_to": "drift'*'(split ordered)"'*) found=yes ;; *) found="no: $(oob ordered.db)" ;; esac
check "rows in order: marked as blind to drift" yes "$found"
finish
