# A database of the version before (tests/golden/make_v1.sh): read, upgraded with its digest unchanged and a copy kept, gone on with.
. "$(dirname "$0")/setup.sh"
command -v sqlite3 >/dev/null || skip "sqlite3 is not there to look into the database"
golden=$FLOWSWEEP_SOURCE/tests/golden
read -r as_it_was <"$golden/v1.digest"
zcat "$golden/v1.db.gz" >old.db && cp old.db run.db && cp "$golden/v1.cfg" . || exit 1

check "digest of the old one" "$as_it_was" "$($FLOWSWEEP db digest old.db)"
for verb in status ls best "db check"; do
    $FLOWSWEEP $verb old.db >/dev/null
    check "$verb reads it" 0 $?
done
$FLOWSWEEP show old.db 3 2>err.txt
check "show cannot: code" 74 $?
check "show says what to do" 1 "$(grep -c 'run: flowsweep db upgrade old.db$' err.txt)"
check "nothing was written by reading" "$(zcat "$golden/v1.db.gz" | sha256sum)" "$(sha256sum <old.db)"

$FLOWSWEEP db upgrade old.db >said.txt
check "db upgrade" "0 old.db: upgraded from schema 1 to 4; as it was: old.v1.db" "$? $(cat said.txt)"
check "digest after it" "$as_it_was" "$($FLOWSWEEP db digest old.db)"
check "digest of the copy" "1 $as_it_was" "$(sqlite3 old.v1.db 'PRAGMA user_version') $($FLOWSWEEP db digest old.v1.db)"
$FLOWSWEEP show old.db 4 --format json >show.json && grep -q '"outcome": "stopped"' show.json
check "show reads it now" 0 $?
check "a second upgrade does nothing" "old.db: has schema 4, the newest" "$($FLOWSWEEP db upgrade old.db)"
check "one copy" "old.db old.v1.db" "$(echo old*)"

$FLOWSWEEP run v1.cfg -n 0 --set study.database=new.db -q || exit 1
columns() { sqlite3 "$1" "SELECT m.name, c.name, c.type, c.\"notnull\", c.dflt_value FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type IN ($2) ORDER BY 1, cid"; }
check "the same tables as in a new one" "$(columns new.db "'table'")" "$(columns old.db "'table'")"

echo precious >run.v1.db # a copy is never written over
$FLOWSWEEP run v1.cfg -n 0 --set study.database=run.db 2>said.txt
check "run does not go on by itself: its engine gave other bits" "78 1" "$? $(grep -c 'add --accept-other-arithmetic' said.txt)"
rm run.db run.v1-2.db && cp old.v1.db run.db
done_by() { sqlite3 "$1" "SELECT t.identity, t.model_sha256, t.proba_sha256 FROM trial t WHERE $2 ORDER BY 1"; }
kept=$(done_by old.v1.db "state = 'done'")
$FLOWSWEEP run v1.cfg -n 0 --accept-other-arithmetic --set study.database=run.db 2>said.txt
check "run goes on with an old one" 0 $?
check "and says so" 1 "$(grep -c '^run.db: made by an older flowsweep, and upgraded; as it was: run.v1-2.db$' said.txt)"
check "run.v1.db was let alone" precious "$(cat run.v1.db)"
check "copy kept by run" "$as_it_was" "$($FLOWSWEEP db digest run.v1-2.db)"
check "the same views as in a new one, with parameters that are younger than the old" "$(columns new.db "'view'")" "$(columns run.db "'view'")"
check "these stand at their defaults" "constant" "$(sqlite3 run.db "SELECT DISTINCT schedule FROM trials WHERE model = 'dnn'")"
check "and in the parameters that export reads" 3 "$(sqlite3 run.db "SELECT count(*) FROM configuration WHERE json_extract(params, '\$.\"train.schedule\"') = 'constant'")"
check "what was done has its bits" "$kept" "$(done_by run.db "id <= 3")"
check "what had not begun those of a new study" "$(done_by new.db "id > 4")" "$(done_by run.db "id > 4")"
check "what was done was kept" 150 "$(sqlite3 run.db "SELECT epoch_to FROM attempt WHERE trial = 3")"
check "what was stopped went on from its checkpoint" "done 1" "$(sqlite3 -separator ' ' run.db "SELECT outcome, epoch_from > 0 FROM attempt WHERE trial = 4 ORDER BY id DESC LIMIT 1")"
check "ranks are recorded" "[1]" "$(sqlite3 run.db "SELECT DISTINCT ranks FROM attempt WHERE ranks IS NOT NULL")"

sqlite3 new.db 'PRAGMA user_version = 99'
$FLOWSWEEP db upgrade new.db 2>err.txt
check "a newer one is refused" "74 1" "$? $(grep -c 'newer flowsweep' err.txt)"
finish
