package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// The bounds of one build.
const (
	maxBytes = 64 << 20 // of all files that are read
	maxFiles = 10_000
)

// errReadOnly: kustomize build writes nothing.
var errReadOnly = fmt.Errorf("writing files: %w", ErrRefused)

// folder is the disk as a build may see it: read only, bounded, with one
// kustomization on top that is not on disk, and without remote resources: where
// a file names one it reads as naming the fetched copy.
type folder struct {
	filesys.FileSystem
	ctx     context.Context // of the one build that this is made for
	fetch   func(ctx context.Context, url string) (string, error)
	overlay string // the folder of the kustomization that is not on disk
	top     []byte
	fetched []string // folders whose files must not lead out of them
	configs []string // files of generators, transformers and validators

	bytes   int64
	files   int
	refusal error // the first thing that was refused
}

func newFolder(ctx context.Context, f Folder) (*folder, error) {
	dir, err := filepath.EvalSymlinks(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	out := &folder{
		FileSystem: filesys.MakeFsOnDisk(), ctx: ctx, fetch: f.Fetch, bytes: maxBytes, files: maxFiles,
		overlay: filepath.Join(filepath.VolumeName(dir)+string(filepath.Separator), ".overlay-of-the-release"),
	}
	if f.Fetched {
		out.fetched = append(out.fetched, repositoryOf(dir))
	}
	base, err := filepath.Rel(out.overlay, dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	head, err := yaml.Marshal(map[string]any{"resources": []string{filepath.ToSlash(base)}})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	rest, err := yaml.Marshal(f.Overlay)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBuild, err)
	}
	if string(rest) != "{}\n" {
		head = append(head, rest...)
	}
	out.top = head
	return out, nil
}

// repositoryOf is the folder that paths of a fetched folder may lead to: the
// git repository it is part of, else itself.
func repositoryOf(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if filepath.Dir(at) == at {
			return dir
		}
	}
}

func (f *folder) isTop(path string) bool {
	return filepath.Clean(path) == filepath.Join(f.overlay, kustomizationFile)
}

// CleanedAbs is that of the disk; the overlay is a folder of it.
func (f *folder) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	switch {
	case filepath.Clean(path) == f.overlay:
		return filesys.ConfirmedDir(f.overlay), "", nil
	case f.isTop(path):
		return filesys.ConfirmedDir(f.overlay), kustomizationFile, nil
	default:
		return f.FileSystem.CleanedAbs(path)
	}
}

// Exists reports what is on disk or is the overlay.
func (f *folder) Exists(path string) bool {
	return filepath.Clean(path) == f.overlay || f.isTop(path) || f.FileSystem.Exists(path)
}

// IsDir is that of the disk; the overlay is a folder.
func (f *folder) IsDir(path string) bool {
	return filepath.Clean(path) == f.overlay || f.FileSystem.IsDir(path)
}

// ReadFile reads within the bounds. Kustomizations have no remote resources any
// more, and what would make kustomize ask the network is refused.
func (f *folder) ReadFile(path string) ([]byte, error) {
	if f.isTop(path) {
		return f.top, nil
	}
	if f.ctx.Err() != nil {
		return nil, context.Cause(f.ctx)
	}
	data, err := f.read(path)
	if err != nil {
		return nil, err
	}
	switch {
	case slices.Contains(konfig.RecognizedKustomizationFileNames(), filepath.Base(path)):
		data, err = f.kustomization(path, data)
	case slices.Contains(f.configs, filepath.Clean(path)):
		err = f.check(path, data)
	}
	if err != nil {
		if f.refusal == nil {
			f.refusal = err
		}
		return nil, err
	}
	return data, nil
}

func (f *folder) read(path string) ([]byte, error) {
	if f.files--; f.files < 0 {
		return nil, f.tooMuch(fmt.Sprintf("more than %d files", maxFiles))
	}
	open, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer open.Close()
	info, err := open.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	data, err := io.ReadAll(io.LimitReader(open, f.bytes+1))
	if err != nil {
		return nil, err
	}
	if f.bytes -= int64(len(data)); f.bytes < 0 {
		return nil, f.tooMuch(fmt.Sprintf("more than %d bytes", maxBytes))
	}
	return data, nil
}

func (f *folder) tooMuch(what string) error {
	err := fmt.Errorf("reading %s: %w", what, ErrRefused)
	if f.refusal == nil {
		f.refusal = err
	}
	return err
}

// kustomization reads a file of that kind with its remote resources fetched.
func (f *folder) kustomization(path string, data []byte) ([]byte, error) {
	var k map[string]any
	if err := yaml.Unmarshal(data, &k); err != nil || k == nil {
		return data, nil // kustomize says what is wrong
	}
	for _, key := range []string{"helmCharts", "helmChartInflationGenerator"} {
		if k[key] != nil {
			return nil, fmt.Errorf("%s: %s: %w: make the chart a release of its own, or add it with dependencies: of this one", path, key, ErrRefused)
		}
	}
	dir, changed := filepath.Dir(path), false
	for _, key := range []string{"resources", "bases", "components"} {
		list, _ := k[key].([]any)
		for i, e := range list {
			entry, ok := e.(string)
			if !ok {
				continue
			}
			local, err := f.local(dir, entry)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, key, err)
			}
			changed = changed || local != entry
			list[i] = local
		}
	}
	for _, key := range []string{"generators", "transformers", "validators"} {
		list, _ := k[key].([]any)
		for _, e := range list {
			if err := f.config(dir, e); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, key, err)
			}
		}
	}
	if err := f.paths(dir, k, ""); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !changed {
		return data, nil
	}
	return yaml.Marshal(k)
}

// config notes a file whose paths are looked at when it is read; an entry may
// also be such a text itself.
func (f *folder) config(dir string, entry any) error {
	text, ok := entry.(string)
	if !ok {
		return nil
	}
	var inline map[string]any
	if err := yaml.Unmarshal([]byte(text), &inline); err == nil {
		return f.paths(dir, inline, "")
	}
	if strings.Contains(text, "://") {
		return fmt.Errorf("%s: remote files: %w", redact(text), ErrRefused)
	}
	f.configs = append(f.configs, filepath.Join(dir, text))
	return nil
}

// check looks at the paths in a plugin's configuration.
func (f *folder) check(path string, data []byte) error {
	docs, err := parseAll(data)
	if err != nil {
		return nil // kustomize says what is wrong
	}
	for _, doc := range docs {
		if err := f.paths(filepath.Dir(path), doc, ""); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// Create is refused, as is all that writes.
func (f *folder) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir is refused.
func (f *folder) Mkdir(string) error { return errReadOnly }

// MkdirAll is refused.
func (f *folder) MkdirAll(string) error { return errReadOnly }

// RemoveAll is refused.
func (f *folder) RemoveAll(string) error { return errReadOnly }

// WriteFile is refused.
func (f *folder) WriteFile(string, []byte) error { return errReadOnly }

var _ filesys.FileSystem = (*folder)(nil)
