# The disk fills up at 20 different moments, then there is space again: the run waits, says so once, and ends with the same bits.
# Writes that find no space or end half-way: tried again; where it stays so, the run ends and goes on later.
. "$(dirname "$0")/setup.sh"
[ -x "${FLOWSWEEP_FAULTY:-}" ] || skip "no program with fault points"
small_config
run="run small.cfg -n 0 --set task.top_n=3 --set budget.checkpoint=0.000001"
$FLOWSWEEP $run -q --set study.database=whole.db || exit 1
expected=$($FLOWSWEEP db digest whole.db)
digest() { $FLOWSWEEP db digest "$1"; }

# --- a real one: a small file system of this test's own ---
stopped() { grep -q '^State:.*stopped' /proc/"$1"/status 2>/dev/null; }
fill_up() { # i of 20: the run stops itself before that write; the disk is filled; it goes on, and finds no space until it has said so
    rm -f small/*
    FLOWSWEEP_FAULT=write:$((first + (writes - first) * $1 / 21)):hang $FLOWSWEEP_FAULTY $run --set study.database=small/full.db 2>said.txt &
    local pid=$!
    await $pid stopped $pid
    dd if=/dev/zero of=small/filler bs=4k 2>/dev/null
    kill -CONT $pid
    await $pid grep -qs "waiting for space" said.txt
    rm small/filler
    wait $pid
    local code=$?
    check "full at moment $1 ($(grep -o 'the disk is full' said.txt | head -1)): code and bits" "0 $expected" "$code $(digest small/full.db)"
    grep -q "waiting for space; 0 MB free" said.txt && waited=$((waited + 1))
}
if [ -n "${FLOWSWEEP_FULL_INSIDE:-}" ]; then
    mkdir small && mount -t tmpfs -o size=8m flowsweep small || exit 1
    FLOWSWEEP_FAULT_LOG=$PWD/passed.txt $FLOWSWEEP_FAULTY $run -q --set study.database=small/full.db || exit 1
    writes=$(awk '$1 == "write" { print $2 }' passed.txt)
    first=$((writes / 5)) # what cannot be made ends at once; see below
    waited=0
    for i in $(seq 20); do fill_up "$i"; done
    [ $waited -ge 10 ]
    check "most of them had to wait ($waited of 20)" 0 $?
    umount small
    finish
fi

# --- by fault points: the K-th write finds no space, ends half-way, or fails; the next try succeeds ---
FLOWSWEEP_FAULT_LOG=$PWD/passed.txt $FLOWSWEEP_FAULTY $run -q --set study.database=counted.db || exit 1
writes=$(awk '$1 == "write" { print $2 }' passed.txt)
once() { # point, k, action
    rm -f once.db*
    FLOWSWEEP_FAULT=$1:$2:$3 timeout 60 $FLOWSWEEP_FAULTY $run --set study.database=once.db 2>said.txt
    check "$1 $2 $3 once: code and bits" "0 $expected" "$? $(digest once.db)"
    check "$1 $2 $3 once: said once" "1 1" "$(grep -cE 'waiting for space|trying again' said.txt) $(grep -c 'going on after' said.txt)"
}
for i in 2 4 6 8; do # the first ones make the database; see below
    for action in full short fail; do once write $((writes * i / 10 + i)) $action; done
    once sync $((i * 3 + 6)) fail
done

stays() { # action, code, words: from the middle on, for good
    rm -f stays.db*
    FLOWSWEEP_FAULT=write:$((writes / 2))+:$1 timeout 60 $FLOWSWEEP_FAULTY $run --set study.database=stays.db --set budget.silence=3 2>said.txt
    check "$1 for good: code" "$2" $?
    check "$1 for good: says what to do" 1 "$(grep -c "$3" said.txt)"
    $FLOWSWEEP db check stays.db >/dev/null
    check "$1 for good: whole" 0 $?
    $FLOWSWEEP $run -q --set study.database=stays.db
    check "$1 for good: goes on" "0 $expected" "$? $(digest stays.db)"
}
stays full 75 'the disk is full.*gave up after 3 s.*make space, then run it again'
stays short 74 'gave up after 3 s.*look after the disk'

opening() { # point, k, action: the database cannot be made; nothing is waited for
    rm -f opening.db*
    FLOWSWEEP_FAULT=$1:$2:$3 timeout 60 $FLOWSWEEP_FAULTY $run -q --set study.database=opening.db 2>said.txt
    check "opening, $1 $2 $3: code and one line" "74 1" "$? $(wc -l <said.txt)"
    $FLOWSWEEP $run -q --set study.database=opening.db
    check "opening, $1 $2 $3: goes on" "0 $expected" "$? $(digest opening.db)"
}
opening sync 2 fail
opening sync 5 fail
opening write 1 full
opening write 20 short

if unshare -m true 2>/dev/null; then
    FLOWSWEEP_FULL_INSIDE=1 unshare -m bash "$FLOWSWEEP_SOURCE/tests/process/full_test.sh"
    check "a small file system, full 20 times" 0 $?
else
    echo "no rights for a file system of its own: not tried"
fi
finish
