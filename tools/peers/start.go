package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// coldNet is the network whose first step is measured.
const coldNet = "sparse-40-12"

// cold measures the time from a program's start to the end of its first step, with empty caches of Mesa and of sparsenet, and then
// with what these left, at most three times each.
func (b *bench) cold(ctx context.Context, limit time.Duration) (*Cold, error) {
	begun := time.Now()
	c := &Cold{Net: coldNet, When: begun.UTC().Truncate(time.Second), Commit: commit(), Command: commandLine()}
	once := func(env []string) (float64, error) {
		cmd := exec.CommandContext(ctx, b.sparsenet, "bench", "--preset", coldNet, "--paced", "--warmup", "1")
		cmd.Env = append(os.Environ(), env...)
		begin := time.Now()
		p, err := start(ctx, "arena", cmd, startLimit)
		took := 1e3 * time.Since(begin).Seconds()
		if err == nil {
			_, _, err = p.end(ctx)
		}
		return took, err
	}
	for i := 0; i < 3 && (i == 0 || time.Since(begun) < limit/2); i++ {
		err := withCache(func(env []string) error {
			cold, err := once(env)
			if err != nil {
				return err
			}
			warm, err := once(env)
			c.ColdMS, c.WarmMS = append(c.ColdMS, cold), append(c.WarmMS, warm)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	progress("first step of %s: cold %.0f ms, warm %.0f ms", coldNet, c.ColdMS, c.WarmMS)
	err := withCache(func(env []string) (err error) {
		c.Costs, err = b.runWith(ctx, env, "bench", "--preset", coldNet, "--compile", "--json")
		return err
	})
	return c, err
}

// withCache calls f with an environment whose caches of compiled kernels are new
// and empty.
func withCache(f func(env []string) error) error {
	dir, err := os.MkdirTemp("", "peers-cache-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return f([]string{"MESA_SHADER_CACHE_DIR=" + dir, "XDG_CACHE_HOME=" + dir})
}

// depthNets are the networks of the plot, and depthBatch is small so that the
// deepest fits everywhere.
var depthNets = []int{40, 100, 190, 400}

const depthBatch = 16

// depths measures the time of a step over depth at growth 12, best of three
// turns, in which the networks alternate.
func (b *bench) depths(ctx context.Context, limit time.Duration) (*Depths, error) {
	begun := time.Now()
	d := &Depths{When: begun.UTC().Truncate(time.Second), Commit: commit(), Command: commandLine(), Batch: depthBatch}
	for round := range 3 {
		if round > 0 && time.Since(begun) > limit*2/3 {
			break
		}
		for i, depth := range depthNets {
			p, err := b.depth(ctx, depth)
			if err != nil {
				return nil, err
			}
			if round == 0 {
				d.Points = append(d.Points, p)
			}
			d.Points[i].StepMS = min(d.Points[i].StepMS, p.StepMS)
		}
	}
	return d, nil
}

func (b *bench) depth(ctx context.Context, depth int) (DepthPoint, error) {
	p := DepthPoint{Net: fmt.Sprintf("sparse-%d-12", depth), Depth: depth}
	out, err := b.runWith(ctx, nil, "bench", "--preset", p.Net, "--batch", strconv.Itoa(depthBatch), "--warmup", "1", "--steps", "3", "--json")
	if err != nil {
		return p, err
	}
	var r struct {
		Step struct {
			Min float64 `json:"min"`
		} `json:"step_ms"`
		MACs      uint64 `json:"multiply_accumulates"`
		Pipelines int    `json:"pipelines"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return p, fmt.Errorf("%s: %w: %s", p.Net, err, strings.TrimSpace(string(out)))
	}
	p.StepMS, p.MACs, p.Pipelines = r.Step.Min, r.MACs, r.Pipelines
	progress("%s: %.0f ms, %d pipelines", p.Net, p.StepMS, p.Pipelines)
	return p, nil
}
