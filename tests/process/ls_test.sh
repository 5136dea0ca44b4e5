# ls: what tells trials apart is shown, by names that sort and filter as they stand.
. "$(dirname "$0")/setup.sh"
small_config
$FLOWSWEEP run small.cfg -q -n 0 --set 'space.model=["random_forest", "extra_trees", "dnn"]' --set 'space.random_forest.n_estimators=[10, 20]' \
    --set 'space.random_forest.max_features=["sqrt", "log2"]' --set 'space.train.learning_rate=[0.01, 0.001]' --set task.top_n=5 || exit 1
differs() { $FLOWSWEEP ls small.db --filter "model = $1" --format json | grep -oP '"differs": \K("[^"]*"|null)' | tr '\n' ';'; }
check "two parameters" '"max_features = sqrt, n_estimators = 10";"max_features = log2, n_estimators = 10";"max_features = sqrt, n_estimators = 20";"max_features = log2, n_estimators = 20";' \
    "$(differs random_forest)"
check "one of those of training" '"learning_rate = 0.01";"learning_rate = 0.001";' "$(differs dnn)"
check "of a model of one configuration nothing" "null;null;" "$(differs extra_trees)$(differs majority)"
check "best tells the same" 1 "$($FLOWSWEEP best small.db -k 20 --format json | grep -c '"differs": "max_features = sqrt, n_estimators = 10"')"
$FLOWSWEEP run small.cfg -q -n 0 --set study.database=one.db --set 'space.model="random_forest"' --set 'space.random_forest.n_estimators=[10, 20]' --set task.top_n=5 || exit 1
one() { $FLOWSWEEP ls one.db "$@" --format csv | tr '\n' ' '; }
check "a name without its model, where only one has it" "random_forest.n_estimators 20 10 " "$(one --filter 'model = random_forest' --columns n_estimators --sort -n_estimators)"
check "in a filter too" "model random_forest " "$(one --filter 'n_estimators > 10' --columns model)"
rejects "where two have it" 64 '"max_features" is extra_trees.max_features or random_forest.max_features: say which' "$FLOWSWEEP" ls small.db --columns max_features
rejects "where none has it" 64 'there is no column "max_fetures"' "$FLOWSWEEP" ls small.db --sort max_fetures
finish
