package gpu

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/cpu"
)

// What Mesa reads of the environment, when it is loaded.
const (
	widthVariable   = "LP_NATIVE_VECTOR_WIDTH"
	cacheVariable   = "MESA_SHADER_CACHE_DIR"
	noCacheVariable = "MESA_SHADER_CACHE_DISABLE"
	mesaWidth       = "256" // bits, its own choice where a processor has as many
)

// chooseVectors gives Mesa's driver for processors vectors of 512 bits where there
// are AVX-512: it takes 256 by itself. A width that the user chose stays.
var chooseVectors = sync.OnceFunc(func() {
	for name, value := range vectorEnv(hasAVX512(), os.Getenv, os.UserCacheDir) {
		os.Setenv(name, value) // no name of ours is refused
	}
})

func hasAVX512() bool {
	x := cpu.X86
	return x.HasAVX512F && x.HasAVX512CD && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
}

// vectorEnv returns the variables to set. Mesa keeps compiled code on disk under
// keys that lack the width (lp_disk_cache_create of 25.0), so that code for one
// would run under another, slowly and wrong: any width but its own choice gets a
// folder of its own, within a folder that the user chose, beside Mesa's otherwise.
func vectorEnv(avx512 bool, getenv func(string) string, userCache func() (string, error)) map[string]string {
	set, width := map[string]string{}, getenv(widthVariable)
	if width == "" && avx512 {
		width = "512"
		set[widthVariable] = width
	}
	if width == "" || width == mesaWidth {
		return set
	}
	dir := getenv(cacheVariable)
	name := "mesa_shader_cache_" + width
	if strings.HasSuffix(dir, name) { // inherited of a process that did this
		return set
	}
	if dir == "" {
		var err error
		if dir, err = userCache(); err != nil {
			set[noCacheVariable] = "true"
			return set
		}
	}
	set[cacheVariable] = filepath.Join(dir, name)
	return set
}
