# Broken input: one line that names the place, the right exit code, nothing left behind.
. "$(dirname "$0")/setup.sh"

row() { # label and 2 blocks of 3: sizes, directions
    echo "$1,100,200,0,1,-1,0"
}
data() { # a configuration around a file
    printf 'data = { path = "%s"; blocks = ["size", "direction"]; steps = 3; };\n' "$1" >flows.cfg
}
good() { for i in 1 2 3 4 5 6 7 8 9 10; do row a; row b; done; }

data flows.csv
flows() { rejects "$1" 65 "$2" "$FLOWSWEEP" plan flows.cfg; }
{ good; echo "a,1,2,3,1,1"; } >flows.csv;            flows "wrong column count" "flows.csv:21: 6 columns, expected 7"
{ good; echo "a,100,12x,0,1,-1,0"; } >flows.csv;     flows "not a number" 'flows.csv:21: column 3: "12x" is no number'
{ good; echo "a,100,nan,0,1,-1,0"; } >flows.csv;     flows "NaN" 'flows.csv:21: column 3: "nan" is no finite number'
{ good; echo "a,100,inf,0,1,-1,0"; } >flows.csv;     flows "infinity" 'flows.csv:21: column 3'
{ good; row ""; } >flows.csv;                        flows "empty label" 'flows.csv:21: column 1: the label is empty'
{ good; echo "a,100,-5,0,1,-1,0"; } >flows.csv;      flows "negative size in blocks" 'flows.csv:21: column 3: a negative size, -5'
: >flows.csv;                                        flows "empty file" "flows.csv: no rows: the file is empty"
echo "label,s1,s2,t1,t2,d1,d2" >flows.csv;           flows "header only" "flows.csv: no rows below the header"
for i in 1 2 3 4; do row a; done >flows.csv;         flows "one class only" "one label"
printf 'a\0b,100\0,200,0,1,-1,0\n' >flows.csv
rejects "zero bytes" 65 "flows.csv" "$FLOWSWEEP" data inspect flows.csv
good | gzip | head -c 40 >cut.csv.gz; data cut.csv.gz
rejects "truncated gzip" 65 "cut off" "$FLOWSWEEP" plan flows.cfg
{ good | gzip; good | gzip; head -c 700 /dev/zero; } >cut.csv.gz
check "gzip of two members, and zeros" "$(($(good | wc -l) * 2))" "$("$FLOWSWEEP" data inspect cut.csv.gz --format csv 2>/dev/null | grep -oE '^rows,[0-9]+' | cut -d, -f2)"
{ good | gzip; good | gzip | tail -c +2; } >cut.csv.gz
rejects "gzip whose second member is damaged" 65 "the gzip data is damaged" "$FLOWSWEEP" plan flows.cfg
good >flows.csv
data missing.csv
rejects "missing flows" 66 "missing.csv" "$FLOWSWEEP" plan flows.cfg

mkfifo pipe.csv; data flows.csv
rejects "flows out of a pipe, which cannot be read twice" 66 "pipe.csv: is no regular file" timeout 10 "$FLOWSWEEP" data inspect pipe.csv
rejects "flows out of standard input" 66 "/dev/stdin: is no regular file" bash -c 'cat flows.csv | timeout 10 "$1" data inspect /dev/stdin' - "$FLOWSWEEP"
rejects "a split out of a device" 66 "/dev/zero: is no regular file" timeout 10 "$FLOWSWEEP" plan flows.cfg --set data.split.method=file --set data.split.path=/dev/zero
rejects "a split out of a folder" 66 "is a folder" "$FLOWSWEEP" plan flows.cfg --set data.split.method=file --set data.split.path=/tmp
rejects "no split" 66 "none.txt" "$FLOWSWEEP" plan flows.cfg --set data.split.method=file --set data.split.path=none.txt
{ echo train; printf 'test\0\n'; } >split.txt
rejects "a zero byte in a split" 65 "split.txt:2: a zero byte" "$FLOWSWEEP" plan flows.cfg --set data.split.method=file --set data.split.path=split.txt
meta() { rejects "$1" 65 "$2" "$FLOWSWEEP" plan flows.cfg --set data.meta=meta.csv; }
{ echo start,cap; for i in {1..20}; do printf '1\0,2\n'; done; } >meta.csv;       meta "a zero byte in meta" "meta.csv:2: a zero byte"
{ echo start,cap; for i in {1..20}; do echo 'x"0,2"y,5'; done; } >meta.csv;        meta "quotes within a cell of meta" "meta.csv:2: 3 columns, expected 2"
{ echo start,cap; for i in {1..20}; do echo 1; done; } >meta.csv;                  meta "a column less in meta" "meta.csv:2: 1 column, expected 2"
{ yes ,1 | head -70000 | tr -d '\n'; echo; for i in {1..20}; do echo 1; done; } >meta.csv; meta "too many columns in meta" "more than 4096 columns"
{ echo a,1; printf a; yes ,1 | head -999999 | tr -d '\n'; echo; yes b,1 | head -600; } >wide.csv
limit=1000000
[ -n "${LSAN_OPTIONS:-}" ] && limit=unlimited # the sanitizers take address space without end
rejects "a million columns" 65 "wide.csv:2: 1000000 columns" bash -c 'ulimit -v $0 && exec "$@"' "$limit" "$FLOWSWEEP" data inspect wide.csv
rm -f pipe.csv split.txt meta.csv wide.csv

config() { # name, words, text
    printf '%s\n' 'study = { name = "x"; };' "$3" 'data = { source = "synthetic"; };' >bad.cfg
    rejects "$1" 78 "$2" "$FLOWSWEEP" run bad.cfg -q -n 0
    has_mpi && rejects "$1, with workers" 78 "$2" "$FLOWSWEEP" run bad.cfg -q -n 1
}
config "a task of one class" 'bad.cfg: task.top_n: 1 keeps a single class' 'task = { top_n = [3, 1]; };'
config "unknown key" 'bad.cfg:2: keep.probabilites: unknown key (did you mean "probabilities"?)' 'keep = { probabilites = 3; };'
config "unknown key like no other" 'bad.cfg:2: keep.x9: unknown key; there are probabilities, checkpoints' 'keep = { x9 = 3; };'
config "unknown group" 'bad.cfg:2: serch: unknown key (did you mean "search"?)' 'serch = { n_trials = 3; };'
config "wrong type" 'bad.cfg:2: search.n_trials' 'search = { n_trials = "many"; };'
config "a time within the margin" 'bad.cfg:2: budget.wall_time: 40 s leave no time to train: the run stops 60 s before (budget.margin)' 'budget = { wall_time = 40; };'
config "negative rate" 'bad.cfg:2: space.train.learning_rate' 'space = { train = { learning_rate = -0.1; }; };'
config "empty list" 'bad.cfg:2: space.train.epochs' 'space = { train = { epochs = []; }; };'
config "range in a grid" 'points or step' 'space = { train = { learning_rate = { low = 0.1; high = 0.2; }; }; };'
config "syntax error" 'bad.cfg:2: syntax error' 'search = { n_trials 3; '
printf 'study = { name = "x";\n  seed = 3000000000; };\ndata = { source = "synthetic"; };\n' >bad.cfg
rejects "seed of three thousand million" 78 'bad.cfg:2: 3000000000' "$FLOWSWEEP" run bad.cfg -q -n 0
printf 'study = { name = "x"; };\ndata = { source = "synthetic";\n  path = "flows.csv"; };\n' >bad.cfg
rejects "a file beside the generator" 78 'bad.cfg:3: data.path: is not read where data.source = "synthetic"' "$FLOWSWEEP" run bad.cfg -q -n 0
config "@include" 'bad.cfg:2: @include' '@include "other.cfg"'
rejects "missing configuration" 66 "nowhere.cfg" "$FLOWSWEEP" run nowhere.cfg -n 0
rm -f x.db

echo "no database at all, but long enough to be looked at as one, is it not?" >text.db
sqlite3 other.db "create table t (x); insert into t values (1)"
small_config
{ printf '\xef\xbb\xbf'; cat small.cfg; } >marked.cfg
check "the mark of UTF-8 before a configuration is passed over" "" "$("$FLOWSWEEP" plan marked.cfg 2>&1 >/dev/null)"
{ printf '\xef\xbb\xbf'; cat bad.cfg; } >marked.cfg
rejects "a wrong line behind the mark" 78 "marked.cfg:2: @include" "$FLOWSWEEP" run marked.cfg -n 0
rejects "a mixed list by --set" 78 '["sqrt", 1.0] is no list; expected words in quotes, values of one kind in [ .. ], of different kinds in ( .. )' "$FLOWSWEEP" plan small.cfg --set 'space.random_forest.max_features=["sqrt", 1.0]'
rejects "a database in no folder" 74 "none/x.db: its folder: No such file or directory" "$FLOWSWEEP" run small.cfg -q -n 0 --set study.database=none/x.db
$FLOWSWEEP run small.cfg -q -n 0 --set 'space.model=["random_forest"]' --set task.top_n=3 || exit 1
cp small.db newer.db && sqlite3 newer.db "pragma user_version = 99"
for verb in status ls best "db check" "db digest" ensemble "reveal best"; do
    set -- $verb
    second=${2:-}
    [ "$1" = reveal ] && command=("$FLOWSWEEP" reveal DB best) || command=("$FLOWSWEEP" $verb DB)
    for db in text other newer; do
        words=$([ $db = text ] && echo "is no database" || ([ $db = other ] && echo "another program's database" || echo "newer flowsweep"))
        rejects "$verb of $db" 74 "$words" "${command[@]/DB/$db.db}"
    done
done
rejects "run into another program's database" 74 "another program's" "$FLOWSWEEP" run small.cfg -n 0 -q --set study.database=other.db
rejects "missing database" 66 "none.db" "$FLOWSWEEP" status none.db
rejects "another study" 78 "study.seed" "$FLOWSWEEP" run small.cfg -n 0 -q --set study.seed=9

$FLOWSWEEP export small.db best --out bundle 2>/dev/null || exit 1
$FLOWSWEEP data synth --set rows=20 --set steps=12 --set sites=5 --out new.csv || exit 1
cp -r bundle bare && rm bare/manifest.json
rejects "bundle without manifest" 65 "manifest.json" "$FLOWSWEEP" predict bare new.csv
cp -r bundle changed && sed -i 's/"sha256": "./"sha256": "x/' changed/manifest.json
rejects "wrong checksum" 65 "checksum" "$FLOWSWEEP" predict changed new.csv
cp -r bundle short && truncate -s -100 short/member1.forest
rejects "truncated weights" 65 "member1.forest" "$FLOWSWEEP" predict short new.csv
sum=$(sha256sum short/member1.forest | cut -c1-64)
sed -i "s/\"sha256\": \"[0-9a-f]*\"/\"sha256\": \"$sum\"/" short/manifest.json
rejects "truncated weights, checksum right" 65 "member1.forest: a damaged tree" "$FLOWSWEEP" predict short new.csv

rejects "unknown verb" 64 'did you mean "status"' "$FLOWSWEEP" statos small.db
rejects "unknown flag" 64 "--fromat" "$FLOWSWEEP" ls small.db --fromat csv
rejects "unknown column in --filter" 64 "validation_acuracy" "$FLOWSWEEP" ls small.db --filter 'validation_acuracy > 0.5'
rejects "no such trial" 64 "trial 999" "$FLOWSWEEP" show small.db 999
rejects "export over a folder" 73 "exists" "$FLOWSWEEP" export small.db best --out bundle
finish
