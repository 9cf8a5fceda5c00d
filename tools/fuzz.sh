#!/usr/bin/env bash
# Runs every fuzz target of the repository for the time given, one by one, and ends
# with a line per target: how many inputs it had, and whether it failed. One that
# fails does not keep the next from running; go test leaves its input in testdata.
#
#   tools/fuzz.sh 10m     ten minutes each; the default is a minute
#   tools/fuzz.sh list    what there is
set -uo pipefail
cd "$(dirname "$0")/.."

targets() {
	grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sed -E 's|/[^/]*:func | |' | LC_ALL=C sort
}
[ "${1:-}" != list ] || { targets; exit; }

report=() status=0 all=0
while read -r dir target; do
	echo "== $dir $target"
	log=$(mktemp)
	verdict=passed
	go test -run='^$' -fuzz="^$target\$" -fuzztime="${1:-60s}" -fuzzminimizetime=1s -timeout=0 "$dir" </dev/null 2>&1 | tee "$log" || verdict=FAILED status=1
	inputs=$(grep -o 'execs: [0-9]*' "$log" | tail -n 1 | cut -d' ' -f2)
	rm -f "$log"
	all=$((all + ${inputs:-0}))
	report+=("$(printf '%-24s %-14s %12s inputs  %s' "$dir" "$target" "${inputs:-0}" "$verdict")")
done < <(targets)
[ ${#report[@]} -gt 0 ] || { echo 'fuzz: no targets' >&2; exit 1; }
printf '%s\n' "${report[@]}" "$all inputs in ${#report[@]} targets of ${1:-60s} each"
exit $status
