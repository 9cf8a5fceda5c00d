package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sparsevk/train/safetensors"
)

// tinyData writes a data set in the form of Fashion-MNIST, of a few images, and
// returns its folder.
func tinyData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for split, n := range map[string]int{"train": 10, "t10k": 7} {
		images := binary.BigEndian.AppendUint32(nil, 0x803)
		labels := binary.BigEndian.AppendUint32(nil, 0x801)
		for _, d := range []int{n, 28, 28} {
			images = binary.BigEndian.AppendUint32(images, uint32(d))
		}
		labels = binary.BigEndian.AppendUint32(labels, uint32(n))
		for i := range n {
			labels = append(labels, byte(i%10))
			for p := range 28 * 28 {
				images = append(images, byte(31*i+p*p))
			}
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, split+"-images-idx3-ubyte"), images, 0o666))
		require.NoError(t, os.WriteFile(filepath.Join(dir, split+"-labels-idx1-ubyte"), labels, 0o666))
	}
	return dir
}

// tinyFlags are those of a network and a run that take no time.
func tinyFlags(data string) string {
	return " --dataset fashion-mnist --foreign --data " + data + " --depth 7 --growth 2 --batch 2 --class plain "
}

// fails runs a command line that must fail with one line on standard error, the
// given status and nothing on standard output.
func fails(t *testing.T, status int, line string, says ...string) {
	t.Helper()
	out, errOut, code := execute(t, line)
	assert.Equal(t, status, code, "%s: %s", line, errOut)
	assert.Empty(t, out, line)
	assert.True(t, strings.HasPrefix(errOut, "sparsenet: ") && strings.Count(errOut, "\n") == 1, "one line: %q", errOut)
	for _, s := range says {
		assert.Contains(t, errOut, s, line)
	}
}

// failsAtLength is fails for errors that name many things, each on a line.
func failsAtLength(t *testing.T, line string, says ...string) {
	t.Helper()
	out, errOut, code := execute(t, line)
	assert.Equal(t, exitFailure, code, "%s: %s", line, errOut)
	assert.Empty(t, out, line)
	for _, s := range says {
		assert.Contains(t, errOut, s, line)
	}
}

// What train and eval are told that cannot be is wrong usage, found before data is
// read or a device opened.
func TestBadUsageOfTraining(t *testing.T) {
	t.Setenv("VK_ICD_FILENAMES", "/nonexistent.json")
	t.Setenv("VK_DRIVER_FILES", "/nonexistent.json")
	for line, says := range map[string]string{
		"train --batch 0":                     "batch is 0: want at least 1",
		"train --batch -3":                    "batch is -3: want at least 1",
		"train --epochs 0":                    "epochs is 0: want at least 1",
		"train --depth 41":                    "nearest are 40 and 43",
		"train --growth 12,24":                "2 numbers for 3 stages; give one number, or 3",
		"train --dataset imagenet":            `unknown data set "imagenet", known are cifar10`,
		"train --resume":                      "--resume needs the run directory: --out DIR",
		"train --lr 0":                        "lr is 0: want more than 0",
		"train --lr NaN":                      "lr is NaN: want more than 0",
		"train --lr-drops 2":                  "drops has 2: want shares of the epochs between 0 and 1",
		"train --schedule tree":               "use step, cosine, constant or plateau",
		"train --recipe pie":                  "neither one of keras, paper, tensorpack nor a file",
		"train --recipe keras --bugs moth":    `no bug "moth": it has decay`,
		"train --optimizer lamb":              "use sgd, adam, adamw or amsgrad",
		"train --decay-on some":               "use all, weights or points",
		"train --patience -1":                 "--patience -1: want 0 or more epochs",
		"train --on-device-loss panic":        `--on-device-loss "panic": use restart or stop`,
		"train --accumulate 0":                "--accumulate 0: want at least 1 batch",
		"train --clip -1":                     "clip is -1: want 0 or more",
		"train --average 1":                   "average is 1: want at least 0 and less than 1",
		"train --momentum 1":                  "want at least 0 and less than 1",
		"train --decay NaN":                   "want at least 0 and less than 1",
		"train --smoothing -1":                "want at least 0 and less than 1",
		"train --engine steam":                `unknown engine "steam": use arena or layered`,
		"train --keep 0":                      "want at least 1 checkpoint",
		"train --pad -1":                      "want 0 or more pixels",
		"train --ui":                          "--ui draws on a terminal: standard output is no terminal; leave it out",
		"train --ui --json":                   "--ui and --json: choose one",
		"train here":                          "train takes flags only",
		"eval":                                "eval needs a model: --checkpoint RUN or FILE",
		"eval --model x --batch 0":            "--batch 0: want at least 1 image",
		"eval --model x --split valid":        "use test or train",
		"eval --model x --depth 8":            "depth 8",
		"eval --model x --engine steam":       "unknown engine",
		"eval --model x --dataset imagenet":   "unknown data set",
		"verify":                              "verify needs the file of a trace",
		"verify --engine steam x.safetensors": "unknown engine",
	} {
		fails(t, exitUsage, line, says)
	}
}

// Data that is missing, damaged or of another size.
func TestBadData(t *testing.T) {
	empty := t.TempDir()
	fails(t, exitFailure, "train --dataset cifar10 --data "+empty, "no data_batch_1.bin", empty, "sparsenet data import cifar10")
	fails(t, exitFailure, "train --dataset fashion-mnist --data "+empty, "no train-images-idx3-ubyte", "sparsenet data import fashion-mnist")
	fails(t, exitFailure, "eval --model x --dataset fashion-mnist --data "+filepath.Join(empty, "nowhere"), "no t10k-images-idx3-ubyte", "nowhere")

	data := tinyData(t)
	fails(t, exitFailure, "train --depth 7 --growth 2 --dataset fashion-mnist --data "+data, "train-images-idx3-ubyte")
	fails(t, exitFailure, "train"+tinyFlags(data)+"--images 11", "limit of 11 images, the train split has 10")
	fails(t, exitFailure, "train"+tinyFlags(data)+"--input 27x28x1", "images of 28x28 do not fit into an input of 27x28")

	images := filepath.Join(data, "train-images-idx3-ubyte")
	whole, err := os.ReadFile(images)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(images, whole[:len(whole)-1], 0o666))
	fails(t, exitFailure, "train"+tinyFlags(data), images, "truncated")
	require.NoError(t, os.Remove(images))
	fails(t, exitFailure, "train"+tinyFlags(data), "train-images-idx3-ubyte is missing in "+data)
}

// Without a Vulkan library or a device, or without the one that was asked for.
func TestBadDeviceForTraining(t *testing.T) {
	commands := []string{
		"train" + tinyFlags(tinyData(t)) + "--epochs 1",
		"eval" + tinyFlags(tinyData(t)) + "--model x",
		"verify ../../train/safetensors/testdata/sparse-19-k4.safetensors",
	}
	for _, line := range commands {
		needDevice(t)
		fails(t, exitFailure, line+" --device nosuch", `none is called "nosuch"; there are: 0 `)
		fails(t, exitFailure, line+" --device 99", "99", "there are")
	}
	t.Setenv("VK_ICD_FILENAMES", "/nonexistent.json")
	t.Setenv("VK_DRIVER_FILES", "/nonexistent.json")
	for _, line := range commands {
		fails(t, exitFailure, line, "no Vulkan device", "mesa-vulkan-drivers")
	}
	t.Setenv("SPARSEVK_LOADER", filepath.Join(t.TempDir(), "libvulkan.so.1"))
	for _, line := range append(commands, "devices", "selftest") {
		fails(t, exitFailure, line, "no Vulkan library", "libvulkan1", "SPARSEVK_LOADER")
	}
}

// A batch that cannot fit is refused before the first allocation, with what was
// asked and what fits.
func TestBatchThatCannotFit(t *testing.T) {
	needDevice(t)
	data := tinyData(t)
	const net = " --class plain --depth 100 --growth 24 --batch "
	huge := strings.Replace(net, "--depth 100", "--depth 1000", 1) // 122 GiB
	fails(t, exitFailure, "bench"+huge+"3000", "batch 3000 needs 131", "the device has", "fits")
	line := "eval --model x --dataset fashion-mnist --foreign --data " + data + net
	fails(t, exitFailure, line+"200000", "batch 200000", "larger than a bound range", "use a smaller batch")
	fails(t, exitFailure, line+"10000000", "batch 10000000: want 1 to 1048576 images")
	fails(t, exitFailure, "train"+tinyFlags(data)+"--batch 11", "10 training images do not fill one batch of 11: use a smaller --batch")
}

// A run from beginning to end, and what of its files is refused: checkpoints that
// are damaged or of another network, directories that cannot be written or are in
// use.
func TestTrainEvalAndTheirFiles(t *testing.T) {
	needDevice(t)
	data, dir := tinyData(t), filepath.Join(t.TempDir(), "run")
	train := "train" + tinyFlags(data) + "--epochs 2 --no-test --out " + dir
	out, errOut, code := execute(t, train)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Empty(t, errOut)
	assert.Contains(t, out, "loss")
	fails(t, exitFailure, train, "trained for 10 steps: go on with --resume, or name another --out")

	model := filepath.Join(dir, "checkpoints", "step-000000000010.safetensors")
	eval := "eval" + tinyFlags(data) + "--json --model "
	var score struct {
		Test struct {
			Images int
			Loss   float64
		}
	}
	decode(t, eval+model, &score)
	assert.Equal(t, 7, score.Test.Images)
	assert.Positive(t, score.Test.Loss)

	failsAtLength(t, eval+model+" --depth 10", model, "is it another network?", "missing: features.dense-stage-0.block-2.bn1.weight [6]")
	failsAtLength(t, eval+model+" --growth 3", model, "has shape", "another network")
	fails(t, exitFailure, eval+filepath.Join(dir, "nothing"), "nothing", "no such file")
	fails(t, exitFailure, "eval --checkpoint "+filepath.Join(dir, "nothing"), "nothing", "no such file") // not a data set
	failsAtLength(t, "train"+tinyFlags(data)+"--growth 3 --init "+model, model, "another network")
	fails(t, exitFailure, strings.Replace(train, "--growth 2", "--growth 3", 1)+" --resume", "network was", "--force is no help", "use the same, or another run directory")
	fails(t, exitFailure, train+" --resume --lr 0.2", "schedule was", "--force")
	fails(t, exitFailure, "train"+tinyFlags(data)+"--resume --out "+t.TempDir(), "no checkpoint", "start the run without resuming")

	whole, err := os.ReadFile(model)
	require.NoError(t, err)
	broken := filepath.Join(t.TempDir(), "broken.safetensors")
	for name, b := range map[string][]byte{"empty": nil, "short": whole[:len(whole)-5], "header": whole[:100], "flipped": flip(whole)} {
		require.NoError(t, os.WriteFile(broken, b, 0o666))
		for _, line := range []string{eval + broken, "train" + tinyFlags(data) + "--init " + broken} {
			fails(t, exitFailure, line, "damaged checkpoint", broken)
		}
		_, errOut, code := execute(t, "verify "+broken)
		assert.Equal(t, exitFailure, code, "%s: %s", name, errOut)
		assert.Contains(t, errOut, broken)
	}
	fails(t, exitFailure, "verify "+model, model, "is it a trace for verify?")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for _, out := range []string{file, filepath.Join(file, "run"), "/proc/nowhere"} {
		fails(t, exitFailure, "train"+tinyFlags(data)+"--epochs 1 --out "+out, "run directory", strings.TrimSuffix(out, "/run"))
	}

	// what resumes passes over damaged checkpoints, and fails if none is whole
	all, err := filepath.Glob(filepath.Join(dir, "checkpoints", "*"))
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.NoError(t, os.WriteFile(model, whole[:len(whole)/2], 0o666))
	_, errOut, code = execute(t, train+" --resume")
	assert.Equal(t, exitSuccess, code, errOut)
	for _, path := range all {
		require.NoError(t, os.WriteFile(path, whole[:len(whole)/2], 0o666))
	}
	_, errOut, code = execute(t, train+" --resume")
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, errOut, "no checkpoint in "+dir+" is whole")
}

func flip(b []byte) []byte {
	f := bytes.Clone(b)
	f[len(f)-1] ^= 0x40
	return f
}

// verify exits with 1 and says which group strays, in text and in JSON.
func TestVerify(t *testing.T) {
	needDevice(t)
	const trace = "../../train/safetensors/testdata/sparse-19-k4.safetensors"
	out, errOut, code := execute(t, "verify "+trace)
	require.Equal(t, exitSuccess, code, errOut)
	assert.Regexp(t, `device .*, driver .*, engine arena, 8002 parameters, \d+ dispatches a step\n`, out)
	assert.Equal(t, 5, strings.Count(out, " ok "))

	f, err := safetensors.Open(trace)
	require.NoError(t, err)
	defer f.Close()
	var list []safetensors.Tensor
	for _, i := range f.Tensors() {
		b := make([]byte, i.Bytes)
		require.NoError(t, f.Read(i.Name, b))
		if i.Name == "label" {
			b[8*31] = (b[8*31] + 1) % 10
		}
		list = append(list, safetensors.Tensor{Name: i.Name, DType: i.DType, Shape: i.Shape, Data: b})
	}
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, f.Metadata(), list))
	wrong := filepath.Join(t.TempDir(), "wrong.safetensors")
	require.NoError(t, os.WriteFile(wrong, b.Bytes(), 0o666))
	out, errOut, code = execute(t, "verify "+wrong)
	assert.Equal(t, exitFailure, code)
	assert.Contains(t, errOut, wrong+": the replay strays")
	assert.Regexp(t, `loss .* FAILS `, out)
	assert.Regexp(t, `logits0 .* ok `, out)

	var o, e bytes.Buffer
	assert.Equal(t, exitFailure, run(context.Background(), []string{"verify", "--json", "--engine", "layered", trace, wrong}, &o, &e))
	var reports []verifyReport
	require.NoError(t, json.Unmarshal(o.Bytes(), &reports))
	require.Len(t, reports, 2)
	assert.True(t, reports[0].OK)
	assert.False(t, reports[1].OK)
	assert.Equal(t, "layered", reports[1].Engine)
}
