#!/usr/bin/env bash
# Runs all tests on lavapipe and then on SwiftShader, and the kernels on lavapipe
# of a newer Mesa, which has cooperative matrices. It ends with a line per driver.
# A driver that fails does not keep the next from running; the exit status is that
# of the worst. Arguments go to go test; the default is ./...
set -uo pipefail
cd "$(dirname "$0")/.."

export SPARSEVK_GPU=require SPARSEVK_VALIDATE=require
# Mesa's package brings AMD's compiler too: then its gate must run.
if ls /usr/share/vulkan/icd.d/radeon_icd*.json >/dev/null 2>&1; then
	export SPARSEVK_AMD=require
fi
# Layers from 1.4 on see hazards between shaders only if told to.
export VK_LAYER_VALIDATE_SYNC=1 VK_LAYER_SYNCVAL_SHADER_ACCESSES_HEURISTIC=1
if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
	XDG_RUNTIME_DIR=$(mktemp -d) # the loader warns without one
	export XDG_RUNTIME_DIR
	trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
fi
[ $# -gt 0 ] || set -- ./...
# That no test of cooperative matrices may be skipped is for the newer Mesa alone.
matrix=${SPARSEVK_MATRIX:-}
unset SPARSEVK_MATRIX

# lavapipe's vectors have 512 bits where the processor has AVX-512 (gpu/vectors.go).
other=512
grep -q -w avx512vl /proc/cpuinfo 2>/dev/null && other=256
widths='^Test(Quad|Conv$|Gather$|Stats|Finalise|Linear|Softmax|Vectors|EnginesAgree|Traces)'
newest='^Test(Quad|Conv$|Gather$|Stats|Finalise|EnginesAgree|Traces)'

report=() status=0
for driver in lavapipe swiftshader; do
	if ! icd=$(tools/setup.sh icd "$driver"); then
		report+=("$driver: skipped, this distribution has no package of it")
		[ "$driver" != lavapipe ] || status=1
		continue
	fi
	echo "== $driver: $icd"
	# The distribution's validation layer first, then the newer one, which also
	# sees a missing barrier between two writes.
	if [ "$driver" = swiftshader ] && layers=$(tools/setup.sh layers); then
		export VK_LAYER_PATH=$layers
	fi
	if VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd go test -count=1 -timeout=20m "$@"; then
		report+=("$driver: passed")
	else
		report+=("$driver: FAILED")
		status=1
	fi
	[ "$driver" = lavapipe ] || continue
	# The kernels and whole networks once more, with vectors of the other width.
	if VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd LP_NATIVE_VECTOR_WIDTH=$other go test -count=1 -timeout=20m -run="$widths" ./gpu ./ops ./sparsenet ./train; then
		report+=("$driver, $other bits: passed")
	else
		report+=("$driver, $other bits: FAILED")
		status=1
	fi
	# Once more every kernel, with no more than the weakest device has.
	if SPARSEVK_CLAMP=1 VK_ICD_FILENAMES=$icd VK_DRIVER_FILES=$icd go test -count=1 -timeout=20m ./ops; then
		report+=("$driver, clamped limits: passed")
	else
		report+=("$driver, clamped limits: FAILED")
		status=1
	fi
done
# The kernels that lean on what lavapipe's compiler makes of them, whole networks, and
# the kernels that multiply cooperative matrices.
newer='lavapipe of a newer Mesa'
if run=$(tools/setup.sh newer-mesa); then
	echo "== $newer: $run"
	if go test -exec="'$run'" -count=1 -timeout=20m -run="$newest" ./gpu ./ops ./sparsenet ./train; then
		report+=("$newer: passed")
	else
		report+=("$newer: FAILED")
		status=1
	fi
	# Of 512 bits its compiler of cooperative matrices makes nothing (ops/record/traits.go).
	if LP_NATIVE_VECTOR_WIDTH=256 SPARSEVK_MATRIX=require go test -exec="'$run'" -count=1 -timeout=20m -run='^TestMatrix' ./ops ./sparsenet; then
		report+=("$newer, cooperative matrices: passed")
	else
		report+=("$newer, cooperative matrices: FAILED")
		status=1
	fi
elif [ "$matrix" = require ]; then
	report+=("$newer: FAILED, it is not installed (tools/setup.sh ci)")
	status=1
else
	report+=("$newer: skipped, it is not installed (tools/setup.sh test)")
fi
printf '%s\n' "${report[@]}"
exit $status
