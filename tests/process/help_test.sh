# Help on the configuration's groups: each tells all that its keys accept, in lines of bearable length.
. "$(dirname "$0")/setup.sh"
groups=$($FLOWSWEEP help | tail -1)
for group in $groups; do
    $FLOWSWEEP help "$group" >>all.txt || exit 1
done
check "as many as there are" "$(wc -w <<<"$groups")" "$(grep -c 'default  *accepts  *what it does$' all.txt)"
check "nothing is cut" "" "$(grep '\.\.  \|\.\.$' all.txt)"
check "lines of 150 at most" "" "$(awk 'length > 150' all.txt)"
for word in macro_recall weighted_f1 log2; do # of long lists
    check "$word" 1 "$(($(grep -cw $word all.txt) > 0))"
done
finish
