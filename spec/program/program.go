// Package program finds and runs the programs that flotilla starts: its own
// helpers, and the plugins of Helm that are programs.
package program

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// ErrNotFound says that a program is not installed.
var ErrNotFound = errors.New("is neither beside flotilla nor on PATH")

// Beside finds a helper: in the folder of the running executable, links
// followed, else on PATH. The error is ErrNotFound.
func Beside(name string) (string, error) {
	file := name
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	if own, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(own); err == nil {
			own = real
		}
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(own), file)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s %w", name, ErrNotFound)
	}
	return path, nil
}
