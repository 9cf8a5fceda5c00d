# Every target works from a fresh clone on Debian 12 or newer, or Ubuntu, with Go.

FUZZTIME := 60s
SOAK     := 30m
KILLS    := 200

help:     ## print this
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## */\t/'

run:      ## install what is missing, train a small SparseNet on Fashion-MNIST
	tools/setup.sh run
	go build -o bin/ ./cmd/sparsenet
	bin/sparsenet train --dataset fashion-mnist --depth 16 --growth 12 --epochs 1 --schedule cosine --pad 0 --out runs/fashion-$$(date +%Y%m%d-%H%M%S)

test:     ## install what is missing, all tests on lavapipe and then on SwiftShader, the kernels on a newer Mesa too
	tools/setup.sh test
	tools/test.sh

generate: ## GLSL to SPIR-V to Go; needs the pinned glslc
	go generate ./...

check:    ## what CI demands
	.ci/run

race:     ## data races on the host side
	go test -race -count=1 -timeout=30m ./...

fuzz:     ## a minute per fuzz target; FUZZTIME=10m for more; ends with the number of inputs
	tools/fuzz.sh $(FUZZTIME)

gpuav:    ## the kernels under GPU-assisted validation; minutes
	tools/gpuav.sh

crash:    ## 200 kills and 40 signals at random moments, a full disk, flipped bits
	SPARSEVK_KILLS=$(KILLS) SPARSEVK_SLOW=1 go test -count=1 -v -timeout=60m -run='^Test(Kills|Terminated|SecondSignal|FlippedBits|DiskFillsUp)$$' ./cmd/sparsenet

soak:     ## half an hour of training that must hold no more memory, handles or goroutines at its end
	SPARSEVK_SOAK=$(SOAK) SPARSEVK_GPU=require SPARSEVK_VALIDATE=off go test -count=1 -v -timeout=0 -run='^TestSoak$$' ./train

bench:    ## lines for benchstat; never compared across devices
	SPARSEVK_GPU=require go test -run='^$$' -bench=. -count=6 -timeout=60m ./...

bench-peers: ## PyTorch and TensorFlow.js beside sparsenet, into docs/BENCHMARKS.md; a quarter of an hour, on a quiet machine
	go run ./tools/peers prepare
	go run ./tools/peers measure

.PHONY: help run test generate check race fuzz gpuav crash soak bench bench-peers
