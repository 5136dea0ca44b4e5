# Forests on data at the edges, beside counts of equal rows: constant columns, two rows, equal rows with different labels, many values, many classes.
. "$(dirname "$0")/setup.sh"
command -v python3 >/dev/null || skip "python3 is not there to count"
python3 "$FLOWSWEEP_SOURCE/tests/oracle/forest_edges.py" "$FLOWSWEEP"
check "right answers" 0 $?
finish
