package gpu

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Mesa gets the widest vectors, a width that the user chose stays, and code of
// different widths never shares a folder.
func TestVectorEnv(t *testing.T) {
	home := func() (string, error) { return "/home/me/.cache", nil }
	none := func() (string, error) { return "", errors.New("no home") }
	const width, cache = "LP_NATIVE_VECTOR_WIDTH", "MESA_SHADER_CACHE_DIR"
	for name, c := range map[string]struct {
		avx512 bool
		env    map[string]string
		home   func() (string, error)
		want   map[string]string
	}{
		"AVX2":                {false, nil, home, map[string]string{}},
		"AVX-512":             {true, nil, home, map[string]string{width: "512", cache: "/home/me/.cache/mesa_shader_cache_512"}},
		"a folder is chosen":  {true, map[string]string{cache: "/c"}, home, map[string]string{width: "512", cache: "/c/mesa_shader_cache_512"}},
		"256 is chosen":       {true, map[string]string{width: "256"}, home, map[string]string{}},
		"128 is chosen":       {true, map[string]string{width: "128"}, home, map[string]string{cache: "/home/me/.cache/mesa_shader_cache_128"}},
		"512 on AVX2":         {false, map[string]string{width: "512"}, home, map[string]string{cache: "/home/me/.cache/mesa_shader_cache_512"}},
		"a child of AVX-512":  {true, map[string]string{width: "512", cache: "/c/mesa_shader_cache_512"}, home, map[string]string{}},
		"no home":             {true, nil, none, map[string]string{width: "512", "MESA_SHADER_CACHE_DISABLE": "true"}},
		"no home, but folder": {true, map[string]string{cache: "/c"}, none, map[string]string{width: "512", cache: "/c/mesa_shader_cache_512"}},
	} {
		assert.Equal(t, c.want, vectorEnv(c.avx512, func(n string) string { return c.env[n] }, c.home), name)
	}
}

// What the driver reports is what was asked of it.
func TestVectorsReachMesa(t *testing.T) {
	d := openTest(t, Options{})
	if d.Info().DriverID != Llvmpipe {
		t.Skip("not Mesa's driver for processors")
	}
	switch os.Getenv("LP_NATIVE_VECTOR_WIDTH") {
	case "512":
		assert.EqualValues(t, 16, d.Info().SubgroupSize)
	case "", "256":
		assert.LessOrEqual(t, d.Info().SubgroupSize, uint32(8))
		assert.False(t, hasAVX512() && os.Getenv("LP_NATIVE_VECTOR_WIDTH") == "", "nothing was asked")
	}
}
