# A login node: no MPI library is loaded by flowsweep, and the database opens in one line elsewhere.
. "$(dirname "$0")/setup.sh"
small_config
ldd "$FLOWSWEEP" | grep -qi mpi
check "flowsweep is linked without MPI" 1 $?
$FLOWSWEEP run small.cfg -q -n 0 --set task.top_n=3 --set 'space.model="random_forest"' || exit 1
for verb in "status small.db" "ls small.db" "best small.db"; do
    env -i PATH=/usr/bin:/bin "$FLOWSWEEP" $verb >/dev/null
    check "$verb with a bare environment" 0 $?
done
command -v sqlite3 >/dev/null && check "sqlite3 reads trials" 3 "$(sqlite3 small.db 'SELECT count(validation_macro_f1) FROM trials')"
if python3 -c 'import pandas' 2>/dev/null; then
    check "pandas reads configs" 3 "$(python3 -c 'import pandas, sqlite3; print(len(pandas.read_sql("SELECT * FROM configs", sqlite3.connect("small.db"))))')"
fi
finish
