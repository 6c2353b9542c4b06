package values

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Handler says what a file that is not there does.
type Handler string

// The handlers of helmfile's missingFileHandler.
const (
	MissingError Handler = "Error"
	MissingWarn  Handler = "Warn"
	MissingInfo  Handler = "Info"
	MissingDebug Handler = "Debug"
)

// ParseHandler reads the value of missingFileHandler; nil is Error.
func ParseHandler(s *string) (Handler, error) {
	if s == nil {
		return MissingError, nil
	}
	switch h := Handler(*s); h {
	case MissingError, MissingWarn, MissingInfo, MissingDebug:
		return h, nil
	default:
		return "", fmt.Errorf("missingFileHandler %q is unknown, expected Error, Warn, Info or Debug", *s)
	}
}

// Files expands a path or glob, relative to dir, to the sorted paths that are
// there; nothing is not an error. An existing file whose name holds glob
// characters is itself.
func Files(dir, path string) ([]string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	_, err := os.Lstat(path)
	if err == nil {
		return []string{path}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		// A file in the place of a folder also means that nothing is there.
		if info, parent := os.Stat(filepath.Dir(path)); parent == nil && info.IsDir() {
			return nil, fmt.Errorf("looking for %s: %w", path, err)
		}
	}
	files, err := filepath.Glob(path)
	if err != nil {
		return nil, fmt.Errorf("bad pattern %s: %w", path, err)
	}
	slices.Sort(files)
	return files, nil
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
