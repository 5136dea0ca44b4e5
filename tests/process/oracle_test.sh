# Beside scikit-learn: every node of a tree, the votes of neighbours and importances on real flows; recorded ensembles recomputed by a script that shares no
# code.
. "$(dirname "$0")/setup.sh"
[ -n "${LSAN_OPTIONS:-}" ] && skip "the sanitizers see the same code in other tests, and take minutes here"
python=$FLOWSWEEP_SOURCE/.venv/bin/python
"$python" -c 'import sklearn' 2>/dev/null || skip "scikit-learn is not there (./bootstrap test makes .venv where pip can)"
small_config
$FLOWSWEEP run small.cfg -q -n 0 --set search.repeats=2 || exit 1
$FLOWSWEEP ensemble small.db >/dev/null || exit 1
"$python" "$FLOWSWEEP_SOURCE/tests/oracle/ensemble.py" small.db >out.txt
found=$?
check "ensembles: $(tail -1 out.txt)" 0 $found
flows=$DATA/apps/flows-small.csv
if [ ! -f "$flows" ]; then
    $FLOWSWEEP data synth --set rows=2000 --out synth.csv || exit 1
    flows=$PWD/synth.csv
    echo "the apps data are not there: synthetic flows instead"
fi
"$python" "$FLOWSWEEP_SOURCE/tests/oracle/tree.py" "$FLOWSWEEP" "$flows" >out.txt
found=$?
check "trees: $(tail -1 out.txt)" 0 $found
"$python" "$FLOWSWEEP_SOURCE/tests/oracle/neighbours.py" "$FLOWSWEEP" "$flows" >out.txt
found=$?
check "neighbours: $(tail -1 out.txt)" 0 $found
"$python" "$FLOWSWEEP_SOURCE/tests/oracle/importance.py" "$FLOWSWEEP" "$flows" >out.txt
found=$?
check "importances: $(tr '\n' ';' <out.txt)" 0 $found
finish
