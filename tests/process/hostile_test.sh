# Where output goes and what is asked for may be hostile too: limits, signals, devices, links, words that say two things.
. "$(dirname "$0")/setup.sh"

refused() { # name, expected code, words, command ..
    local name=$1 code=$2 words=$3 before after found said
    shift 3
    before=$(ls -A | sort)
    timeout 60 "$@" >.out 2>.err </dev/null
    found=$?
    grep -qF -- "$words" .err
    said=$?
    check "$name: code" "$code" $found
    check "$name: says \"$words\" ($(head -c 150 .err))" 0 $said
    rm -f .out .err
    after=$(ls -A | sort)
    check "$name: nothing is left behind" "$before" "$after"
}
written() { ls -A | grep -q 'killed.*\.part'; }

small_config
$FLOWSWEEP run small.cfg -q -n 0 --set 'space.model=["random_forest"]' --set task.top_n=3 || exit 1

# A file that may not grow: an error, not the signal's death.
limited() { (ulimit -f 24 && exec "$FLOWSWEEP" "$@"); }
export -f limited; export FLOWSWEEP
refused "a snapshot over the limit of files" 73 "part: " bash -c 'limited db snapshot small.db s.db'
refused "flows over the limit of files" 73 "h.csv: " bash -c 'limited data synth --set rows=2000 --out h.csv'

# Killed while it writes: no .part is left.
$FLOWSWEEP data synth --set rows=100000 --set steps=20 --out killed.csv &
pid=$!
await $pid written
check "flows are being written" 0 "$(written; echo $?)"
kill -TERM $pid
wait $pid 2>/dev/null
check "TERM ends it" 143 $?
check "TERM leaves nothing" "" "$(ls -A | grep killed)"

# What is no plain file is written to, not replaced; a link stays one.
synth() { $FLOWSWEEP data synth --set rows=50 --set steps=4 --out "$1"; }
synth plain.csv
mkfifo pipe && { timeout 20 cat pipe >read.csv & }
synth pipe
check "flows into a pipe" 0 $?
wait
check "the pipe is one still" fifo "$(stat -c %F pipe)"
check "what came through it" "$(sha256sum <plain.csv)" "$(sha256sum <read.csv)"
ln -s /dev/stdout out && ln -s /dev/full full # links of our own: a program that replaces what it is given harms nobody's /dev
check "flows to standard output" "$(sha256sum <plain.csv)" "$(synth out | sha256sum)"
mkdir elsewhere && echo old >elsewhere/real.csv && ln -s elsewhere/real.csv link.csv
synth link.csv
check "the link is one still" "symbolic link" "$(stat -c %F link.csv)"
check "the file behind it is new" "$(sha256sum <plain.csv)" "$(sha256sum <elsewhere/real.csv)"
ln -s elsewhere/none.csv dangling.csv
refused "a link to nothing" 73 "dangling.csv: is a link to nothing" "$FLOWSWEEP" data synth --set rows=50 --out dangling.csv
refused "flows to a full device" 73 "full: No space left" "$FLOWSWEEP" data synth --set rows=50 --out full
check "the device is one still" "character special file" "$(stat -Lc %F full)"

# Output that cannot be written is said, of one line too.
full() { (exec "$FLOWSWEEP" "$@" >/dev/full); }
export -f full
for what in "--version" "db digest small.db" "help" "ls small.db"; do
    refused "$what to a full device" 74 "standard output" bash -c "full $what"
done

# Words that say two things, and more words than there is room for.
refused "reveal of a trial and of all" 64 "--all" "$FLOWSWEEP" reveal small.db 3 --all
check "reading was not recorded" 0 "$(sqlite3 small.db 'select count(*) from test_reading')"
many=()
for i in {1..257}; do many+=(--set "study.seed=$i"); done
for verb in plan "run -n 0" submit; do
    refused "$verb with 257 --set" 64 "at most 256" "$FLOWSWEEP" $verb small.cfg "${many[@]}"
done
many=()
for i in {1..65}; do many+=(--set rows=50); done
refused "data synth with 65 --set" 64 "at most 64" "$FLOWSWEEP" data synth "${many[@]}" --out many.csv
many=()
for i in {1..65}; do many+=(--filter "trial > 0"); done
refused "ls with 65 --filter" 64 "at most 64" "$FLOWSWEEP" ls small.db "${many[@]}"
refused "ls with 65 columns" 64 "at most 64" "$FLOWSWEEP" ls small.db --columns "$(yes trial, | head -65 | tr -d '\n')"
refused "export of a trial of another task" 64 "task 1" "$FLOWSWEEP" export small.db 3 --task 2 --out b
check "export into a folder with slashes" 0 "$($FLOWSWEEP export small.db 3 --task 1 --out b// 2>/dev/null; echo $?)"
check "the folder" manifest.json "$(ls b | grep json)"

# --set: what is no libconfig value is a string, also where it begins as a number or holds an @.
$FLOWSWEEP data synth --set rows=200 --set sites=3 --set steps=4 --out 20240101123456-a.csv
cp 20240101123456-a.csv me@host.csv
data=(--set 'data.blocks=["size","payload","iat","direction"]' --set data.steps=4 --set data.source=csv)
printf 'data = { path = "none"; };\n' >files.cfg
for name in 20240101123456-a.csv me@host.csv '"me@host.csv"'; do
    check "--set data.path=$name" 0 "$($FLOWSWEEP plan files.cfg "${data[@]}" --set "data.path=$name" >/dev/null; echo $?)"
done
refused "--set of a number that is too large" 78 "too large" "$FLOWSWEEP" plan small.cfg --set study.seed=3000000000
refused "--set with an include" 78 "study.seed" "$FLOWSWEEP" plan small.cfg --set $'study.seed=\n@include "/etc/passwd"\n'

# More tasks than anybody compares.
numbers=$(seq -s, 1 3000)
refused "too many tasks" 78 "9000000 tasks" "$FLOWSWEEP" plan small.cfg --set "task.top_n=[$numbers]" --set "task.steps=[$numbers]"

# Labels, cells and names that would move a terminal's cursor are shown escaped; for programs they stay as they are.
evil=$'e\x1b[31mv\xc2\x9bil'
controls() { LC_ALL=C grep -caP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$1"; }
awk -F, -v OFS=, -v evil="\"$evil\nline\"" 'NR > 1 && $1 == first { $1 = evil } NR == 2 { first = $1; $1 = evil } { print }' 20240101123456-a.csv >evil.csv
run=(run files.cfg -q -n 0 "${data[@]}" --set data.path=evil.csv --set study.database=evil.db --set 'space.model=["random_forest"]' --set space.random_forest.n_estimators=5)
"$FLOWSWEEP" "${run[@]}" 2>err.txt
check "a study of such labels" 0 $?
"$FLOWSWEEP" export evil.db best --out evil 2>>err.txt
for what in "data inspect evil.csv" "show evil.db 3" "predict evil evil.csv" "predict evil evil.csv --proba" "score evil evil.csv"; do
    "$FLOWSWEEP" $what --format table >out.txt 2>>err.txt
    check "$what: control characters" 0 "$(controls out.txt)"
    check "$what: shows the label" 1 "$(($(grep -cF 'e\x1b[31mv\u009bil\nline' out.txt) > 0))"
done
"$FLOWSWEEP" predict evil evil.csv --format csv >out.txt
check "in csv it is what it was" 1 "$(($(grep -caF "$evil" out.txt) > 0))"
check "standard error has no control characters" 0 "$(controls err.txt)"
{ cat evil.csv; printf '"rare%s\nline",%s\n' "$evil" "$(sed -n 3p 20240101123456-a.csv | cut -d, -f2-)"; } >rare.csv
for n in 0 1; do
    [ $n = 0 ] || has_mpi || continue
    "$FLOWSWEEP" "${run[@]/-q/--no-restart}" --set data.path=rare.csv --set study.database=rare$n.db -n $n 2>err.txt
    check "-n $n: a label that parts lack is said" 1 "$(grep -cF 'raree\x1b[31mv\u009bil\nline' err.txt)"
    check "-n $n: progress has no control characters" 0 "$(controls err.txt)"
done
{ cat plain.csv; echo $'a,1\x1b[2J,2,3,4,1,1,1,1,1,1,1,1,1,1,1,1'; } >cell.csv
refused "a cell with control characters" 65 '"1\x1b[2J" is no number' "$FLOWSWEEP" data inspect cell.csv
refused "a verb with line ends" 64 'a\nb' "$FLOWSWEEP" $'a\nb'
finish
