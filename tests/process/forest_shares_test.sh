# Of a forest's parameters a number with a point is a share, one without a count: 1.0 is all, 1 is one, wherever the parameter has been: database, messages
# to ranks, a bundle's manifest. What trains with a count is exported and predicts.
. "$(dirname "$0")/setup.sh"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
cat >shares.cfg <<'CFG'
study = { name = "shares"; database = "shares.db"; seed = 3; };
data = { source = "synthetic"; synth = { rows = 3000; sites = 60; steps = 12; };
         split = { method = "stratified"; stop = 0.1; validation = 0.15; test = 0.2; }; };
task = { top_n = 60; steps = 12; };
space = { model = ["random_forest", "extra_trees"]; random_forest = { n_estimators = 16; }; extra_trees = { n_estimators = 16; bootstrap = true; }; };
CFG
train=$($FLOWSWEEP plan shares.cfg --format csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "train") c = i } NR == 2 { print $c }')
check "rows train" 1 $((train > 500))
size() { # model, a parameter, its value: bytes of the forest, after a run of its own; they go by its nodes
    rm -f one.db*
    $FLOWSWEEP run shares.cfg -q -n "${workers:-0}" --set study.database=one.db --set space.model="$1" --set "space.$1.$2=$3" >/dev/null || return 1
    sqlite3 one.db "SELECT a.bytes FROM artifact a JOIN trial t ON t.id = a.trial JOIN configuration c ON c.id = t.configuration WHERE a.role = 'model' AND c.model = '$1'"
}
# Random numbers hang on the parameters as they are written, so equal forests are not equal to the byte.
alike() { # what, bytes, bytes
    check "$1 ($2 and $3 bytes)" 1 $((10 * $3 > 9 * $2 && 9 * $3 < 10 * $2))
}
for model in random_forest extra_trees; do
    for p in max_features:12 max_samples:$train; do
        name=${p%:*} all=${p#*:}
        none=$(size $model $name '"none"')
        alike "$model: $name = 1.0 is all" "$none" "$(size $model $name 1.0)"
        alike "$model: so is their number, $all" "$none" "$(size $model $name $all)"
        one=$(size $model $name 1)
        check "$model: $name = 1 is one: a forest of another size ($one bytes)" 1 $((10 * one < 8 * none || 8 * one > 10 * none))
        if has_mpi; then
            alike "$model: $name = 1.0 on two ranks" "$none" "$(workers=2 size $model $name 1.0)"
        fi
    done
    rejects "$model: a row more than there are" 78 "max_samples = $((train + 1)), but $train rows train" \
        $FLOWSWEEP run shares.cfg -q -n 0 --set study.database=none.db --set space.model=$model --set space.$model.max_samples=$((train + 1))

    # A count and a share, exported: what the bundle says of the test part is what the run found.
    for p in max_samples=300 max_samples=1.0 max_features=1.0; do
        rm -rf two.db* bundle
        $FLOWSWEEP run shares.cfg -q -n 0 --set study.database=two.db --set space.model=$model --set space.$model.$p || exit 1
        trial=$(sqlite3 two.db "SELECT t.id FROM trial t JOIN configuration c ON c.id = t.configuration WHERE c.model = '$model'")
        $FLOWSWEEP export two.db "$trial" --out bundle >/dev/null
        check "$model, $p: exported" 0 $?
        check "$model, $p: the manifest has it as it was written" 1 "$(grep -c "\"$model.${p%=*}\":${p#*=}[,}]" bundle/manifest.json)"
        $FLOWSWEEP run shares.cfg -q -n 0 --set study.database=two.db --set space.model=$model --set space.$model.$p
        check "$model, $p: run again, nothing is new" 1 "$(sqlite3 two.db "SELECT count(*) FROM attempt WHERE trial = $trial")"
    done
done

# One and all side by side are told apart by who lists them.
rm -f out.db*
$FLOWSWEEP run shares.cfg -q -n 0 --set study.database=out.db --set space.model=random_forest --set 'space.random_forest.max_features=(1, 1.0)' || exit 1
check "best" "max_features = 1 max_features = 1.0" "$($FLOWSWEEP best out.db --format csv | grep -o 'max_features = [0-9.]*' | sort | xargs)"
shown=$(for trial in $(sqlite3 out.db "SELECT t.id FROM trial t JOIN configuration c ON c.id = t.configuration WHERE c.model = 'random_forest'"); do
    $FLOWSWEEP show out.db "$trial" | awk '$1 == "random_forest.max_features" { print $2 }'
done | sort | xargs)
check "show" "1 1.0" "$shown"

# A run says what it leaves out.
rm -f out.db*
$FLOWSWEEP run shares.cfg -n 0 --set study.database=out.db --set 'space.random_forest.max_samples=[100, 5000]' 2>said.txt
check "left out, and said" 1 "$(grep -c "^1 point of the space cannot work and is left out; the first: random_forest.max_samples = 5000, but $train rows train" said.txt)"

# What is only told of a forest makes no other forest: it is no choice of a sweep, and asked for later, the forest counts once in an ensemble.
for p in oob_score=[false,true] permutation_repeats=[1,2]; do
    rejects "$p" 78 "space.random_forest.${p%=*}: changes no model" $FLOWSWEEP run shares.cfg -q -n 0 --set study.database=none.db --set "space.random_forest.$p"
done
rm -f out.db*
for score in false true; do
    $FLOWSWEEP run shares.cfg -q -n 0 --set study.database=out.db --set study.metric=accuracy --set space.model=random_forest --set space.random_forest.oob_score=$score || exit 1
done
check "two trials of one forest" "2 1" "$(sqlite3 out.db "SELECT count(*) || ' ' || count(DISTINCT t.model_sha256) FROM trial t JOIN configuration c ON c.id = t.configuration WHERE c.model = 'random_forest'")"
$FLOWSWEEP ensemble out.db >/dev/null || exit 1
check "one in the ensemble" 1 "$(sqlite3 out.db "SELECT count(*) FROM ensemble_member")"
check "accuracy is the metric: a column once" 1 "$($FLOWSWEEP best out.db --format csv | head -1 | tr , '\n' | grep -c validation_accuracy)"
finish
