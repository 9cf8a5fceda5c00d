package spirv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
)

// Includes reports whether the GLSL file name in fsys includes the file called
// other, directly or not.
func Includes(fsys fs.FS, name, other string) (bool, error) {
	found := false
	err := walk(fsys, name, func(file string, _ []byte) { found = found || path.Base(file) == other && file != name })
	return found, err
}

var include = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*include[ \t]+"([^"\n]+)"`)

// HashSource returns the SHA-256, in hexadecimal, of the GLSL file name in
// fsys together with every file that it includes, directly or not, each with
// its name. It needs no compiler: an #include that the preprocessor would skip
// counts too.
func HashSource(fsys fs.FS, name string) (string, error) {
	h := sha256.New()
	err := walk(fsys, name, func(file string, b []byte) {
		fmt.Fprintf(h, "%s %d\n", file, len(b))
		h.Write(b)
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// walk calls visit with the file name and every file that it includes, each once.
func walk(fsys fs.FS, name string, visit func(file string, text []byte)) error {
	seen := map[string]bool{}
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
		visit(name, b)
		for _, m := range include.FindAllSubmatch(b, -1) {
			if err := add(path.Join(path.Dir(name), string(m[1])), name); err != nil {
				return err
			}
		}
		return nil
	}
	return add(name, name)
}
