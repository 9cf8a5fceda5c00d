package optest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"sparsevk/gpu"
)

var (
	once     sync.Once
	shared   *gpu.Device
	options  gpu.Options // that it was opened with
	errOpen  error
	ran      atomic.Int64
	skipped  atomic.Int64
	validate string
)

// Device returns the device that all tests of a process share, opened with core
// and synchronisation validation where the layer is installed
// (SPARSEVK_VALIDATE=off|auto|require). Under SPARSEVK_GPU=require a missing
// device fails the test, under auto (the default) it skips it and says why, and
// off skips.
func Device(t testing.TB) *gpu.Device {
	t.Helper()
	policy := os.Getenv("SPARSEVK_GPU")
	if policy == "off" {
		skipped.Add(1)
		t.Skip("SPARSEVK_GPU=off")
	}
	once.Do(func() { shared, errOpen = open() })
	if errOpen != nil {
		if policy == "require" {
			t.Fatalf("SPARSEVK_GPU=require: %v", errOpen)
		}
		skipped.Add(1)
		t.Skipf("no device: %v", errOpen)
	}
	ran.Add(1)
	return shared
}

// Another returns a device opened as Device's is, for tests that break it. The
// caller closes it.
func Another(t testing.TB) (*gpu.Device, error) {
	t.Helper()
	Device(t)
	return gpu.Open(options)
}

// open opens the device and, if validation is on, proves with a planted fault
// that the layer reports.
func open() (*gpu.Device, error) {
	want := os.Getenv("SPARSEVK_VALIDATE")
	o := gpu.Options{Validate: gpu.Sync, Clamp: os.Getenv("SPARSEVK_CLAMP") == "1"}
	if want == "off" {
		o.Validate = gpu.Off
	}
	d, err := gpu.Open(o)
	if errors.Is(err, gpu.ErrNoLayer) && want != "require" {
		o.Validate = gpu.Off
		d, err = gpu.Open(o)
	}
	if err != nil {
		return nil, err
	}
	validate = "validation off"
	if o.Validate == gpu.Sync {
		validate = "validation core and sync"
		err = ProveValidation(d)
	}
	options = o
	return d, err
}

// Main runs the tests of a package and ends with one line that says on what
// they ran. It closes the shared device, and fails if Vulkan handles or
// goroutines are left then.
func Main(m *testing.M) {
	code := m.Run()
	if shared != nil {
		i := shared.Info()
		fmt.Printf("device %s, driver %s %s, %s: %d uses by tests, %d skipped\n", i.Name, i.Driver, i.DriverInfo, validate, ran.Load(), skipped.Load())
		if err := shared.Close(); err != nil {
			fmt.Println("close:", err)
			code = 1
		}
	} else if n := skipped.Load(); n > 0 {
		fmt.Printf("no device: %d tests skipped\n", n)
	}
	if err := leaks(); err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// leaks reports the Vulkan handles of the process and the goroutines beside the
// caller's.
func leaks() error {
	var errs []error
	if left := gpu.Live(); len(left) > 0 {
		errs = append(errs, fmt.Errorf("leak: Vulkan handles are left: %v", left))
	}
	if err := goleak.Find(); err != nil {
		errs = append(errs, fmt.Errorf("leak: %w", err))
	}
	return errors.Join(errs...)
}

// RunAll runs every case registered under name.
func RunAll(t *testing.T, name string) {
	for _, c := range Cases(name) {
		t.Run(c.Name, func(t *testing.T) { Run(t, c) })
	}
}

// Run runs one case and logs the share of the tolerance that was used.
func Run(t *testing.T, c Case) {
	t.Helper()
	res, err := Check(Device(t), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d steps, %.2f of the tolerance used by %s", c.Name, res.Steps, res.Share, res.Worst)
}
