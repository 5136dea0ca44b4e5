# What may be in a mix: configurations that were validated on the same rows, whose probabilities are numbers.
. "$(dirname "$0")/setup.sh"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to do damage"
small_config
forests="--set task.top_n=5 --set space.model=[\"random_forest\"] --set space.random_forest.n_estimators=[2,4,8,16]"
recorded() { sqlite3 "$1" "SELECT configuration, trial, weight FROM ensemble_member ORDER BY place; SELECT kind, name, value FROM ensemble_metric ORDER BY 1, 2"; }

$FLOWSWEEP run small.cfg -q -n 0 $forests || exit 1
configuration=$(sqlite3 small.db "SELECT id FROM configuration WHERE json_extract(params, '\$.\"random_forest.n_estimators\"') = 8")
cells=$(sqlite3 small.db "SELECT length(probabilities) / 4 FROM prediction p JOIN trial t ON t.id = p.trial WHERE t.configuration = $configuration AND part = 'validation'")
cp small.db nan.db && cp small.db without.db
sqlite3 nan.db "UPDATE prediction SET probabilities = x'$(printf '0000C07F%.0s' $(seq "$cells"))' WHERE part = 'validation' AND trial IN (SELECT id FROM trial WHERE configuration = $configuration)"
sqlite3 without.db "UPDATE trial SET state = 'cancelled' WHERE configuration = $configuration"
for db in nan without; do
    $FLOWSWEEP ensemble $db.db >$db.txt
    check "ensemble $db.db" 0 $?
done
check "probabilities that are no numbers: as if the model were not there" "$(recorded without.db)" "$(recorded nan.db)"

sqlite3 without.db "UPDATE ensemble SET gain = 0.01, gain_high = 0.02" && $FLOWSWEEP export without.db ensemble --out better 2>better.txt
check "export of one that may be better: one line" "0 1" "$? $(wc -l <better.txt)"
sqlite3 without.db "UPDATE ensemble SET gain = -0.03, gain_high = -0.02" && $FLOWSWEEP export without.db ensemble --out worse 2>worse.txt
check "of one that is worse than its best model: written, and said" "0 1" "$? $(grep -c "the interval of this ensemble's gain is below zero" worse.txt)"

# --- repeats that were dealt other rows ---
$FLOWSWEEP run small.cfg -q -n 0 $forests --set search.repeats=2 --set search.repeat_over=split --set study.database=split.db || exit 1
rejects "every configuration's repeats" 64 'repeats were dealt different validation rows (search.repeat_over): nothing can be mixed' "$FLOWSWEEP" ensemble split.db
cp split.db part.db && cp split.db same.db # a sweep that was ended before all repeats were done
sqlite3 part.db "UPDATE trial SET state = 'cancelled' WHERE (configuration % 2) = repeat"
sqlite3 same.db "UPDATE trial SET state = 'cancelled' WHERE (configuration % 2) = repeat OR configuration % 2 <> (SELECT min(id) % 2 FROM configuration WHERE model = 'random_forest')"
$FLOWSWEEP ensemble part.db >part.txt
check "some of them: code, and that it is said" "0 1" "$? $(grep -c 'dealt other validation rows (search.repeat_over) are left out' part.txt)"
$FLOWSWEEP ensemble same.db >same.txt
check "nothing is said where all have the same" "0 0" "$? $(grep -c 'repeat_over' same.txt)"
check "those with the first one's rows are mixed" "$(recorded same.db)" "$(recorded part.db)"
finish
