package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoStateFile says that no state file was named and none has a default
// name.
var ErrNoStateFile = errors.New("no state file found")

// stateNames lists the default names, in order of preference.
func stateNames() []string {
	return []string{"flotilla.yaml", "flotilla.yaml.gotmpl", "helmfile.yaml", "helmfile.yaml.gotmpl", "flotilla.d", "helmfile.d"}
}

// discover finds the one default file or folder of dir. Two of one family are
// an error, as in helmfile; flotilla's own names win over those of helmfile.
func discover(dir string) (string, error) {
	found := map[string][]string{}
	for _, name := range stateNames() {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.IsDir() != strings.HasSuffix(name, ".d") {
			continue
		}
		family, _, _ := strings.Cut(name, ".")
		found[family] = append(found[family], name)
	}
	for _, family := range []string{"flotilla", "helmfile"} {
		switch names := found[family]; len(names) {
		case 0:
		case 1:
			return filepath.Join(dir, names[0]), nil
		default:
			return "", fmt.Errorf("both %s are in %s: remove one, or name one with --file", strings.Join(names, " and "), dir)
		}
	}
	return "", fmt.Errorf("%w in %s: expected one of %s, or name one with --file", ErrNoStateFile, dir, strings.Join(stateNames(), ", "))
}

// stateFiles lists the state files of a path: itself, or those of a folder in
// order of name.
func stateFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the state file %s is not there", path)
	}
	if err != nil {
		return nil, fmt.Errorf("looking for a state file: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("listing state files: %w", err)
	}
	var files []string
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".gotmpl")
		if !e.IsDir() && (strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	slices.Sort(files)
	return files, nil
}
