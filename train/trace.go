package train

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"sparsevk/sparsenet"
	"sparsevk/train/safetensors"
)

// A Trace is some training steps that another framework recorded: the network,
// its initial parameters, the images and labels in the order they were fed, and
// what came of them. The tensors are read from the file when they are compared.
// tools/traces/make_traces.py writes such files with PyTorch. Of the header's
// fields depth stands for blocks; init_channels, stem and form may be missing.
type Trace struct {
	Config                        sparsenet.Config
	Batch, Steps                  int
	LearningRate, Momentum, Decay float64
	Bounds                        map[string][2]float64 // per group: median over tensors, largest
	Parameters                    int                   // as the other framework counts them
	file                          *safetensors.File
}

// Groups are the parts of a trace that are compared, in order.
var Groups = []string{"logits0", "grad0", "loss", "final", "eval"}

var sgd = regexp.MustCompile(`^sgd momentum=([0-9.e-]+) nesterov weight_decay=([0-9.e-]+) on every parameter$`)

// OpenTrace reads the header of a trace. The error names the field of the
// header that is missing or that this program cannot replay.
func OpenTrace(path string) (*Trace, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	t := &Trace{file: f}
	if err := t.read(meta(f.Metadata())); err != nil {
		return nil, fmt.Errorf("train: %s: %w: is it a trace for verify?", path, joinClose(err, f))
	}
	return t, nil
}

func joinClose(err error, f *safetensors.File) error {
	if e := f.Close(); e != nil {
		return fmt.Errorf("%w; %w", err, e)
	}
	return err
}

// Close closes the file.
func (t *Trace) Close() error { return t.file.Close() }

func (t *Trace) read(m meta) error {
	var first error
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	if m.has("blocks") {
		note(m.list("blocks", &t.Config.Blocks))
	} else {
		note(m.integer("depth", &t.Config.Depth))
	}
	if m.has("init_channels") {
		note(m.integer("init_channels", &t.Config.InitChannels))
	}
	note(m.integer("classes", &t.Config.Classes))
	note(m.integer("batch", &t.Batch))
	note(m.integer("steps", &t.Steps))
	note(m.integer("parameters", &t.Parameters))
	note(m.number("compression", &t.Config.Compression))
	note(m.number("learning_rate", &t.LearningRate))
	note(m.list("growth", &t.Config.Growth))
	note(m.json("bounds", &t.Bounds))
	t.Config.Bottleneck = m["bottleneck"] == "True"
	t.Config.Stem, t.Config.Form = sparsenet.Stem(m["stem"]), sparsenet.Form(m["form"])
	w, err := sparsenet.ParseWiring(m["wiring"])
	note(err)
	t.Config.Wiring = w
	o := sgd.FindStringSubmatch(m["optimizer"])
	if o == nil {
		note(fmt.Errorf("optimizer %q cannot be replayed", m["optimizer"]))
	} else {
		o := meta{"momentum": o[1], "weight_decay": o[2]}
		note(o.number("momentum", &t.Momentum))
		note(o.number("weight_decay", &t.Decay))
	}
	if first != nil {
		return first
	}
	return t.check()
}

// check holds the shapes of the images and labels against the header.
func (t *Trace) check() error {
	if t.Batch > math.MaxInt32/t.Steps {
		return fmt.Errorf("%d steps of batch %d are more images than a trace holds", t.Steps, t.Batch)
	}
	in, ok := t.file.Info("input")
	if !ok || len(in.Shape) != 4 || in.Shape[0] != t.Batch*t.Steps {
		return fmt.Errorf("tensor input has shape %v, want [%d,channels,height,width] for %d steps of batch %d", in.Shape, t.Batch*t.Steps, t.Steps, t.Batch)
	}
	t.Config.Input = sparsenet.Input{C: in.Shape[1], H: in.Shape[2], W: in.Shape[3]}
	if l, ok := t.file.Info("label"); !ok || l.Elems() != t.Batch*t.Steps {
		return fmt.Errorf("tensor label has shape %v, want [%d]", l.Shape, t.Batch*t.Steps)
	}
	for _, g := range Groups {
		if _, ok := t.Bounds[g]; !ok {
			return fmt.Errorf("bounds have no group %s", g)
		}
	}
	return nil
}

// meta is a header's metadata.
type meta map[string]string

func (m meta) has(key string) bool { return m[key] != "" }

func (m meta) integer(key string, to *int) error {
	v, err := strconv.Atoi(m[key])
	if err != nil || v < 1 {
		return fmt.Errorf("header field %s is %q, not a whole number of at least 1", key, m[key])
	}
	*to = v
	return nil
}

func (m meta) number(key string, to *float64) error {
	v, err := strconv.ParseFloat(m[key], 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("header field %s is %q, not a number", key, m[key])
	}
	*to = v
	return nil
}

// list reads "[4, 4, 4]" or "4".
func (m meta) list(key string, to *[]int) error {
	for _, f := range strings.Split(strings.Trim(m[key], "[]"), ",") {
		v, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil {
			return fmt.Errorf("header field %s is %q, not a list of whole numbers", key, m[key])
		}
		*to = append(*to, v)
	}
	return nil
}

func (m meta) json(key string, to any) error {
	if err := json.Unmarshal([]byte(m[key]), to); err != nil {
		return fmt.Errorf("header field %s: %w", key, err)
	}
	return nil
}
