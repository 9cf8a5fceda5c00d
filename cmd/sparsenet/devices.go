package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"sparsevk/gpu"
	"sparsevk/ops"
	"sparsevk/ops/record"
	"sparsevk/sparsenet"
)

// A device is one row of `sparsenet devices`.
type device struct {
	Index         int      `json:"index"`
	Default       bool     `json:"default"` // what a command takes without --device
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	UUID          string   `json:"uuid"`
	Driver        string   `json:"driver"`
	DriverVersion string   `json:"driver_version"`
	API           string   `json:"api_version"`
	VendorID      uint32   `json:"vendor_id"`
	DeviceID      uint32   `json:"device_id"`
	Heaps         []heap   `json:"heaps"`
	Subgroup      subgroup `json:"subgroup"`
	Features      []string `json:"features"`
	Matrices      matrices `json:"cooperative_matrices"`
	Limits        limits   `json:"limits"`
	Kernels       string   `json:"kernels,omitempty"` // forms that suit it
	Unusable      string   `json:"unusable,omitempty"`
}

type heap struct {
	Bytes       uint64 `json:"bytes"`
	DeviceLocal bool   `json:"device_local"`
}

// matrices are what VK_KHR_cooperative_matrix offers of use: products of subgroups
// that are added up in float32.
type matrices struct {
	Listed  bool     `json:"listed"`
	Float32 []string `json:"float32"` // such as 16x16x16 float16
}

func newMatrices(i gpu.Info) matrices {
	m := matrices{Listed: i.Features.CooperativeMatrix, Float32: []string{}}
	for _, p := range i.Matrices {
		s := fmt.Sprintf("%dx%dx%d %s", p.M, p.N, p.K, p.A)
		if p.Subgroup && p.A == p.B && p.C == "float32" && p.Result == "float32" && !slices.Contains(m.Float32, s) {
			m.Float32 = append(m.Float32, s)
		}
	}
	return m
}

func (m matrices) String() string {
	switch {
	case !m.Listed:
		return "missing (VK_KHR_cooperative_matrix)"
	case len(m.Float32) == 0:
		return "listed, none with float32 accumulation"
	}
	return strings.Join(m.Float32, ", ") + ", with float32 accumulation"
}

type subgroup struct {
	Size       uint32   `json:"size"`
	Min        uint32   `json:"min"`
	Max        uint32   `json:"max"`
	Operations []string `json:"operations"`
}

// A limit is one that is checked before anything runs.
type limit struct {
	name  string
	value float64
	least float64 // what the kernels need, where that is more than nothing
}

// limits are one object in JSON, with names like storage_range_bytes.
type limits []limit

// MarshalJSON writes an object from name to value.
func (l limits) MarshalJSON() ([]byte, error) {
	values := map[string]float64{}
	for _, one := range l {
		values[strings.ReplaceAll(one.name, " ", "_")] = one.value
	}
	return json.Marshal(values)
}

func newDevicesCommand() *cobra.Command {
	var clamp bool
	c := &cobra.Command{
		Use:   "devices",
		Short: "What is here, and what it can do",
		Long: `Lists the Vulkan devices with what the program uses or checks of them. The one
with a star is what the other commands take without --device: $SPARSEVK_DEVICE,
else the best (discrete, integrated, virtual, cpu). Every device is opened, and
what keeps it from being used is said.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := listDevices(clamp)
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return printJSON(cmd, list)
			}
			return writeDevices(cmd.OutOrStdout(), list)
		},
	}
	c.Flags().BoolVar(&clamp, "clamp-limits", false, "the limits as the other commands see them with this flag")
	return c
}

// listDevices describes all devices.
func listDevices(clamp bool) ([]device, error) {
	infos, err := gpu.List(gpu.Options{Clamp: clamp})
	if err != nil {
		return nil, err
	}
	chosen, err := defaultDevice()
	if err != nil {
		return nil, err
	}
	list := make([]device, len(infos))
	for i, info := range infos {
		list[i] = newDevice(info)
		list[i].Default = info.Index == chosen
		list[i].Kernels, err = probe(info.Index)
		if err == nil {
			err = tooWeak(list[i].Limits)
		}
		if err != nil {
			list[i].Unusable = err.Error()
		}
	}
	return list, nil
}

// defaultDevice returns the index of the device that Open takes, or -1.
func defaultDevice() (int, error) {
	d, err := gpu.Open(gpu.Options{})
	if errors.Is(err, gpu.ErrNoDevice) || errors.As(err, new(*gpu.Error)) {
		return -1, nil // the rows say why
	}
	if err != nil {
		return -1, err
	}
	return d.Info().Index, d.Close()
}

// probe opens a device and returns the kernel forms that suit it.
func probe(index int) (string, error) {
	d, err := gpu.Open(gpu.Options{Device: fmt.Sprint(index)})
	if err != nil {
		return "", err
	}
	return ops.ClassOf(record.Traits(d)).String(), d.Close()
}

// tooWeak names the limits that are below what kernels need.
func tooWeak(all limits) error {
	var below []string
	for _, l := range all {
		if l.value < l.least {
			below = append(below, fmt.Sprintf("%s %g, %g is needed", l.name, l.value, l.least))
		}
	}
	if below == nil {
		return nil
	}
	return errors.New(strings.Join(below, "; "))
}

func newDevice(i gpu.Info) device {
	d := device{
		Index: i.Index, Name: i.Name, Type: i.Type, UUID: i.UUID, Driver: driverName(i),
		DriverVersion: fmt.Sprintf("%#x", i.DriverVersion), API: gpu.Version(i.APIVersion), VendorID: i.VendorID, DeviceID: i.DeviceID,
		Heaps:    []heap{},
		Subgroup: subgroup{i.SubgroupSize, i.SubgroupMin, i.SubgroupMax, i.Features.Subgroup},
		Features: []string{}, Matrices: newMatrices(i), Limits: newLimits(i.Limits),
	}
	for _, h := range i.Heaps {
		d.Heaps = append(d.Heaps, heap(h))
	}
	f := i.Features
	for _, feature := range []struct {
		name string
		on   bool
	}{
		{"float64", f.Float64}, {"float16", f.Float16}, {"int64", f.Int64}, {"addresses", f.Address}, {"int16", f.Int16}, {"int8", f.Int8},
		{"storage16", f.Storage16}, {"storage8", f.Storage8}, {"integer dot", f.IntegerDot}, {"subgroup size control", f.SubgroupControl},
	} {
		if feature.on {
			d.Features = append(d.Features, feature.name)
		}
	}
	return d
}

// newLimits lists what package gpu checks, with what the kernels need of it.
func newLimits(l gpu.Limits) limits {
	u := func(name string, v uint64, least float64) limit { return limit{name, float64(v), least} }
	return limits{
		u("storage range bytes", l.StorageRange, ops.DefaultRange),
		u("allocation bytes", l.MaxAllocation, 0),
		u("buffer bytes", l.MaxBuffer, 0),
		u("allocations", uint64(l.Allocations), 0),
		u("storage offset alignment bytes", l.StorageAlign, 0),
		u("texel buffer elements", l.TexelElements, 0),
		u("workgroup invocations", uint64(l.Invocations), 128),
		u("workgroup size x", uint64(l.GroupSize[0]), 128),
		u("workgroup size y", uint64(l.GroupSize[1]), 128),
		u("workgroup size z", uint64(l.GroupSize[2]), 64),
		u("workgroups x", uint64(l.GroupCount[0]), ops.MaxGroups),
		u("workgroups y", uint64(l.GroupCount[1]), ops.MaxGroups),
		u("workgroups z", uint64(l.GroupCount[2]), ops.MaxGroups),
		u("shared memory bytes", uint64(l.SharedBytes), 16<<10),
		u("push constant bytes", uint64(l.PushBytes), 128),
		u("storage buffers per shader", uint64(l.StorageBuffers), 8),
		u("timestamp bits", uint64(l.TimestampBits), 0),
		{"timestamp period ns", l.TimestampPeriod, 0},
	}
}

func writeDevices(w io.Writer, list []device) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range list {
		star := " "
		if d.Default {
			star = "*"
		}
		fmt.Fprintf(t, "%s %d\t%s\n", star, d.Index, d.Name)
		row := func(what, format string, args ...any) {
			fmt.Fprintf(t, "    %s\t%s\n", what, fmt.Sprintf(format, args...))
		}
		if d.Unusable != "" {
			row("CANNOT BE USED", "%s", d.Unusable)
		}
		row("type", "%s, vendor %#x, device %#x", d.Type, d.VendorID, d.DeviceID)
		row("uuid", "%s", d.UUID)
		row("driver", "%s, version %s, Vulkan %s", d.Driver, d.DriverVersion, d.API)
		for i, h := range d.Heaps {
			where := "of the host"
			if h.DeviceLocal {
				where = "of the device"
			}
			row(fmt.Sprintf("heap %d", i), "%.1f GiB, %s", float64(h.Bytes)/(1<<30), where)
		}
		row("subgroups", "%d, can be %d to %d: %s", d.Subgroup.Size, d.Subgroup.Min, d.Subgroup.Max, strings.Join(d.Subgroup.Operations, ", "))
		row("features", "%s", strings.Join(d.Features, ", "))
		row("cooperative matrices", "%s", d.Matrices)
		if d.Kernels != "" {
			row("kernel forms", "%s", d.Kernels)
		}
		for _, l := range d.Limits {
			row(l.name, "%s", writeLimit(l))
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the devices: %w", err)
	}
	return nil
}

// writeLimit writes a limit as a whole number if it is one.
func writeLimit(l limit) string {
	if l.value == float64(int64(l.value)) {
		return sparsenet.Thousands(int64(l.value))
	}
	return fmt.Sprintf("%g", l.value)
}
