# The first row of a file: names of columns, or a flow. No flow is taken for names, with labels or without, and the names that pandas writes are no flow.
. "$(dirname "$0")/setup.sh"
small_config
$FLOWSWEEP run small.cfg -q -n 0 --set task.top_n=5 --set space.model=extra_trees || exit 1
$FLOWSWEEP export small.db best --out b 2>/dev/null || exit 1
$FLOWSWEEP data synth --set rows=40 --set sites=5 --set steps=12 --out named.csv || exit 1
tail -n +2 named.csv >plain.csv
cut -d, -f2- plain.csv >bare.csv
head -1 bare.csv >one.csv
steps=$(($(head -1 bare.csv | tr , '\n' | wc -l)))
{ echo "label,$(seq -s, 0 $((steps - 1)))"; cat plain.csv; } >pandas.csv
{ seq -s, 0 "$steps"; cat plain.csv; } >counted.csv
# the same as signed sizes
awk -F, -v OFS=, -v n=$((steps / 4)) '{ printf "%s", $1; for (i = 2; i <= n + 1; i++) printf ",%d", $i * ($(i + 3 * n) < 0 ? -1 : 1); print "" }' plain.csv >signed.csv
cut -d, -f2- signed.csv >bare_signed.csv
for form in named:40 plain:40 bare:40 one:1 pandas:40 counted:40 signed:40 bare_signed:40; do
    file=${form%:*}.csv
    $FLOWSWEEP predict b "$file" --format csv --proba >out_"$file" || exit 1
    check "$file: answers" "${form#*:}" "$(($(wc -l <out_"$file") - 1))"
done
for file in plain bare pandas counted; do
    check "$file.csv: the same answers" "" "$(cmp out_named.csv out_$file.csv 2>&1)"
done
check "without labels, signed: the same answers" "" "$(cmp out_signed.csv out_bare_signed.csv 2>&1)"
check "pandas' names are no label" 40 "$($FLOWSWEEP data inspect pandas.csv | grep -oE '\b4[01]\b' | head -1)"

# Labels may be numbers, and sizes odd in number: what init says of a file is what run reads.
awk -F, -v OFS=, '{ $1 = NR % 5; NF = 12; print }' signed.csv signed.csv signed.csv signed.csv signed.csv >numbers.csv
check "numbers as labels, an odd number of sizes" 5 "$($FLOWSWEEP data inspect numbers.csv --format csv | grep -oP '^labels,\K.*')"
$FLOWSWEEP init numbers.csv >numbers.cfg || exit 1
check "init's configuration of them" 0 "$($FLOWSWEEP plan numbers.cfg >/dev/null 2>&1; echo $?)"

# A first row that is cut short is named as any other would be.
{ head -1 plain.csv | cut -d, -f1-20 | sed 's/^[^,]*/7/'; awk -F, -v OFS=, '{ $1 = NR % 5; print }' plain.csv; } >short.csv
sed 's/source = "synthetic"; synth = { rows = 900; sites = 5; steps = 12; };/path = "short.csv"; steps = 12;/' small.cfg >short.cfg
rejects "a short first row" 65 "short.csv:1:" $FLOWSWEEP run short.cfg -q -n 0 --set study.database=none.db
finish
