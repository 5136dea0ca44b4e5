# A million rows: forests beside counts of equal rows.
. "$(dirname "$0")/setup.sh"
command -v python3 >/dev/null || skip "python3 is not there to count"
python3 "$FLOWSWEEP_SOURCE/tests/oracle/forest_edges.py" "$FLOWSWEEP" million
check "right answers" 0 $?
finish
