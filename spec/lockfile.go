package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// warnOfLock says that a lock file of helmfile is not read: versions are those
// of the state file, and nobody should believe that they are pinned.
func (l *loader) warnOfLock(f *stateFile) {
	if f.path == "-" {
		return
	}
	candidates := []string{f.state.LockFilePath}
	if f.state.LockFilePath == "" {
		base := strings.TrimSuffix(filepath.Base(f.path), filepath.Ext(f.path))
		candidates = []string{base + ".lock", strings.TrimSuffix(base, filepath.Ext(base)) + ".lock"}
	}
	for _, name := range candidates {
		if !filepath.IsAbs(name) {
			name = filepath.Join(f.dir, name)
		}
		if _, err := os.Stat(name); err == nil {
			l.opts.Warn(fmt.Sprintf("%s is not read: chart versions are those of %s, not the locked ones", name, f.path))
			return
		}
	}
}
