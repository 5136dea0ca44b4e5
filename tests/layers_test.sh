#!/usr/bin/env bash
# Includes go one way: cli -> mpi -> storage -> sweep -> models -> flows -> base; libraries stay in their rooms.
cd "$(dirname "$0")/.." || exit 70
bad=0
say() { printf '%s\n' "$1" >&2; bad=1; }
rooms=(base flows models sweep storage mpi cli)
for i in "${!rooms[@]}"; do
    room=${rooms[$i]}
    for above in "${rooms[@]:$((i + 1))}"; do
        found=$(grep -nE "#include \"$above/" "$room" -r --include="*.[ch]" 2>/dev/null) && say "$room/ includes $above/, a room above it:
$found"
    done
    found=$(grep -nE '#include "' "$room" -r --include="*.[ch]" 2>/dev/null | grep -vE '#include "(base|flows|models|models/engine|sweep|storage|mpi|cli)/[a-z0-9_]+\.h"|schema_sql\.h|slurm_template\.h') &&
        say "includes name their room, as in #include \"base/status.h\":
$found"
done
only() { # HEADER ROOM
    found=$(grep -nE "#include <$1>" $(ls -d "${rooms[@]}" | sed 's|$|/|' | grep -v "^$2/" | sed 's|$|*.[ch]|') 2>/dev/null) &&
        say "$1 is for $2/ alone:
$found"
}
only 'mpi\.h' mpi; only 'sqlite3\.h' storage; only 'libconfig\.h' storage; only 'pcap(/pcap)?\.h' flows
found=$(grep -nE '"(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA) ' {base,flows,models,sweep,mpi,cli}/*.[ch] 2>/dev/null) && say "SQL outside storage/:
$found"
found=$(grep -nE '#if(def)? .*MPI' {base,flows,models,sweep,storage,cli}/*.[ch] 2>/dev/null) && say "#ifdef MPI outside mpi/:
$found"
[ $bad = 0 ] && echo "layers: every include points downwards"
exit $bad
