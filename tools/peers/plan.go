package main

import (
	"slices"
	"strconv"
	"strings"
)

// A setup is a network, how it is fed, and on how many threads: what is compared
// within and never across.
type setup struct {
	Net     string `json:"net"`
	Batch   int    `json:"batch"`
	Threads int    `json:"threads"` // of the CPU; 0: on a GPU, where threads are no matter
}

// A job is a setup and who takes part in it.
type job struct {
	setup
	contenders []string
}

// everyone is the order of the page: ours, then the peers.
var (
	ours     = []string{"arena", "layered"}
	onCPU    = []string{"eager", "channels_last", "compiled"}
	onCUDA   = []string{"cuda", "cuda_channels_last", "cuda_compiled", "tf32", "graph", "fp16", "graph_fp16"}
	webgpu   = []string{"webgpu"}
	everyone = slices.Concat(ours, onCPU, onCUDA, webgpu)
)

// fullNets are the networks that are compared.
var fullNets = []string{"sparse-40-12", "dense-40-12", "sparse-40-24", "sparse-bc-100-16x32x64"}

// jobs returns what set measures on a machine with that many cores, with a real
// GPU or without.
func jobs(set string, cores int, gpu bool) ([]job, error) {
	if gpu {
		return jobsOnGPU(set)
	}
	plain := slices.Concat(ours, onCPU[:2])
	full := slices.Concat(ours, onCPU, webgpu)
	switch set {
	case "quick":
		return []job{
			{setup{"sparse-40-12", 64, cores}, full},
			{setup{"dense-40-12", 64, cores}, plain},
			{setup{"sparse-40-24", 64, cores}, plain},
			{setup{"sparse-40-12", 64, 1}, slices.Concat(ours[:1], onCPU[:2])},
		}, nil
	case "full":
		var all []job
		for _, net := range fullNets {
			for _, batch := range []int{64, 256} {
				all = append(all, job{setup{net, batch, cores}, full})
			}
			all = append(all, job{setup{net, 64, 1}, plain})
		}
		return all, nil
	}
	return nil, usagef("set %q: want quick or full", set)
}

func jobsOnGPU(set string) ([]job, error) {
	batches, who := []int{64}, slices.Concat(ours, onCUDA)
	switch set {
	case "quick":
		who = slices.DeleteFunc(who, func(c string) bool { return c == "cuda_compiled" })
	case "full":
		batches, who = []int{64, 256}, slices.Concat(who, webgpu)
	default:
		return nil, usagef("set %q: want quick or full", set)
	}
	var all []job
	for _, net := range fullNets {
		for _, batch := range batches {
			all = append(all, job{setup{net, batch, 0}, who})
		}
	}
	return all, nil
}

// choose keeps the jobs and contenders that the flags leave.
func (o options) choose(all []job) ([]job, error) {
	skip := words(o.skip)
	for _, s := range skip {
		if !slices.Contains(everyone, s) {
			return nil, usagef("skip %q: want some of %s", s, strings.Join(everyone, ", "))
		}
	}
	has := func(list string, value string) bool { return list == "" || slices.Contains(words(list), value) }
	var kept []job
	for _, j := range all {
		if !has(o.nets, j.Net) || !has(o.batches, strconv.Itoa(j.Batch)) || !has(o.threads, strconv.Itoa(j.Threads)) {
			continue
		}
		j.contenders = slices.DeleteFunc(slices.Clone(j.contenders), func(c string) bool { return slices.Contains(skip, c) })
		kept = append(kept, j)
	}
	if len(kept) == 0 {
		return nil, usagef("no job of set %s has nets %q, batches %q and threads %q", o.set, o.nets, o.batches, o.threads)
	}
	return kept, nil
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
