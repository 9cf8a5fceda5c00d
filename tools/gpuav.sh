#!/usr/bin/env bash
# Runs the kernels' tables under GPU-assisted validation with detection of races
# in shared memory, which needs the newer layer (tools/setup.sh layers). First,
# in a process of its own, planted faults prove that it sees: the layer reports a
# message only ten times.
#
#   tools/gpuav.sh         every table
#   tools/gpuav.sh short   without convolutions, their gathers and 16-bit maps; what CI runs
#
# The driver is SwiftShader where possible: lavapipe takes seconds to compile an
# instrumented kernel, minutes for a table.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! layers=$(tools/setup.sh layers) || ! icd=$(tools/setup.sh icd swiftshader); then
	echo "gpuav: skipped, this distribution has no package of the newer layer"
	exit
fi
export VK_LAYER_PATH=$layers VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd SPARSEVK_GPU=require SPARSEVK_VALIDATE=require
export VK_LAYER_GPUAV_ENABLE=1 VK_LAYER_GPUAV_SHARED_MEMORY_DATA_RACE=1
export VK_LAYER_VALIDATE_SYNC=1 VK_LAYER_SYNCVAL_SHADER_ACCESSES_HEURISTIC=1 # as tools/test.sh: what opens the device proves that hazards are seen
if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
	XDG_RUNTIME_DIR=$(mktemp -d) # the loader warns without one
	export XDG_RUNTIME_DIR
	trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
fi

planted=$(go test -count=1 -v -run='^TestAssistedValidationCatches$' ./ops) || { echo "$planted"; exit 1; }
grep -q '^--- PASS: TestAssistedValidationCatches' <<<"$planted" || { echo "$planted"; exit 1; }
echo "gpuav: the planted race and the planted write out of bounds were reported"

# Tests that plant faults are not for this layer. Of gather_merge it reports reads
# with 0 bytes bound by invocations that are inactive at that place, on
# SwiftShader alone: lavapipe runs the tables of that kernel.
# The instrumented code of tiles and of emulated matrices takes SwiftShader minutes
# and all memory.
skip='Catches|Noticed|AnyGroupCount|^Test(ActMax)?Gather$|^Test(Tile|Winograd|Emulated)'
if [ "${1:-}" = short ]; then
	go test -count=1 -skip="$skip|^TestConv$|^TestHalf" ./ops
	exit
fi
go test -count=1 -timeout=20m -skip="$skip" ./ops
icd=$(tools/setup.sh icd lavapipe)
VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd go test -count=1 -timeout=20m -run='^Test(ActMax)?Gather$' ./ops
