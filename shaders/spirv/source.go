package spirv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
)

var include = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*include[ \t]+"([^"\n]+)"`)

// HashSource returns the SHA-256, in hexadecimal, of the GLSL file name in
// fsys together with every file that it includes, directly or not, each with
// its name. It needs no compiler: an #include that the preprocessor would skip
// counts too.
func HashSource(fsys fs.FS, name string) (string, error) {
	h, seen := sha256.New(), map[string]bool{}
	var add func(name, from string) error
	add = func(name, from string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return fmt.Errorf("spirv: %s includes %s: %w", from, name, err)
		}
		fmt.Fprintf(h, "%s %d\n", name, len(b))
		h.Write(b)
		for _, m := range include.FindAllSubmatch(b, -1) {
			if err := add(path.Join(path.Dir(name), string(m[1])), name); err != nil {
				return err
			}
		}
		return nil
	}
	if err := add(name, name); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
