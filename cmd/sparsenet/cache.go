package main

import (
	"os"
	"path/filepath"
)

// cacheDir returns the folder for pipeline caches, $SPARSEVK_CACHE or the user's
// cache folder, and nothing where there is none: then no cache is kept.
func cacheDir() string {
	if d := os.Getenv("SPARSEVK_CACHE"); d != "" {
		return d
	}
	d, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(d, "sparsevk")
}
