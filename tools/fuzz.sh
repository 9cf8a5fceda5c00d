#!/usr/bin/env bash
# Runs every fuzz target of the repository for the time given, one by one.
set -euo pipefail
cd "$(dirname "$0")/.."
ran=0
for dir in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do
	for target in $(grep -h -o '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -d' ' -f2); do
		echo "== $dir $target"
		go test -run='^$' -fuzz="^$target\$" -fuzztime="${1:-60s}" -fuzzminimizetime=1s "$dir"
		ran=$((ran + 1))
	done
done
[ "$ran" -gt 0 ] || { echo "fuzz: no targets" >&2; exit 1; }
