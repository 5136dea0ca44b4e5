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
of() { $FLOWSWEEP ls small.db "$@" --format csv | tr '\n' ' '; }
check "differs is a column as others" "trial,differs 9,learning_rate = 0.001 " "$(of --columns trial,differs --filter 'differs = learning_rate = 0.001')"
check "a name without its model is that of whichever model a trial has" "model,n_estimators random_forest,20 random_forest,20 extra_trees,20 random_forest,10 random_forest,10 " \
    "$(of --filter 'n_estimators > 1' --columns model,n_estimators --sort -n_estimators)"
check "in a filter too" "trial 4 6 " "$(of --filter 'max_features = log2' --columns trial)"
check "of networks, whose names have none, too" "model,class_weight random_forest,none random_forest,none random_forest,none random_forest,none extra_trees,none dnn,none dnn,none " \
    "$(of --filter 'class_weight = none' --columns model,class_weight --sort trial)"
check "words are not above numbers" "trial " "$(of --filter 'max_features > 0.1' --columns trial)"
check "nor below" "trial " "$(of --filter 'max_features < 1e9' --columns trial)"
check "but unequal" "trial 3 4 5 6 7 " "$(of --filter 'max_features != 3' --columns trial)"
rejects "where none has it" 64 'there is no column "max_fetures"' "$FLOWSWEEP" ls small.db --sort max_fetures
finish
