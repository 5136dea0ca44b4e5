# Ranges of what takes counts and shares: whole bounds are counts, others shares.
. "$(dirname "$0")/setup.sh"
small_config
values() { # NAME RANGE [ARG..]: those that its trials have
    rm -f small.db
    $FLOWSWEEP run small.cfg -q -n 0 --set space.model=random_forest --set task.top_n=3 --set "space.random_forest.$1={$2}" "${@:3}" || return
    $FLOWSWEEP ls small.db --format csv --filter 'model = random_forest' --columns "$1" | tail -n +2 | sort -g | tr '\n' ' '
}
check "columns, counted" "2 4 6 " "$(values max_features 'low=2; high=6; points=3;')"
check "in steps" "2 4 6 " "$(values max_features 'low=2; high=6; step=2;')"
check "columns, shares" "0.25 0.5 0.75 " "$(values max_features 'low=0.25; high=0.75; points=3;')"
check "one whole bound: shares" "0.5 1.0 " "$(values max_features 'low=0.5; high=1; points=2;')"
check "rows of a leaf" "1 3 9 " "$(values min_samples_leaf 'low=1; high=9; log=true; points=3;')"
check "shares of them" "0.01 0.1 " "$(values min_samples_leaf 'low=0.01; high=0.1; points=2;')"
check "drawn" "1 2 3 4 " "$(values max_features 'low=1; high=4;' --set search.method=random --set search.n_trials=4)"
finish
