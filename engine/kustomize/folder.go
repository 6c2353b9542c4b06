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
	inflate Charts            // nil: charts are refused
	made    map[string][]byte // what charts rendered, as files beside their kustomization

	// namespaces are those that kustomizations give to the ones among their
	// resources, for charts that say none.
	namespaces map[string]string

	overlay string // the folder of the kustomization that is not on disk
	top     []byte
	fetched []string // folders whose files must not lead out of them
	closed  bool     // nothing outside of them is read at all
	configs []string // files and folders of generators, transformers and validators

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
		inflate: f.Charts, made: map[string][]byte{}, namespaces: map[string]string{dir: f.Overlay.Namespace},
		overlay: filepath.Join(filepath.VolumeName(dir)+string(filepath.Separator), ".overlay-of-the-release"),
	}
	if f.Fetched {
		out.fetched, out.closed = append(out.fetched, repositoryOf(dir)), true
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
	case f.made[filepath.Clean(path)] != nil:
		return filesys.ConfirmedDir(filepath.Dir(filepath.Clean(path))), filepath.Base(path), nil
	default:
		return f.FileSystem.CleanedAbs(path)
	}
}

// Exists reports what is on disk, is the overlay or was made of a chart.
func (f *folder) Exists(path string) bool {
	return filepath.Clean(path) == f.overlay || f.isTop(path) || f.made[filepath.Clean(path)] != nil || f.FileSystem.Exists(path)
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
	if text := f.made[filepath.Clean(path)]; text != nil {
		return text, nil
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
		err = f.texts(filepath.Dir(path), data)
	}
	if err != nil {
		return nil, f.refuse(err)
	}
	return data, nil
}

// Open is refused: a build reads whole files.
func (f *folder) Open(path string) (filesys.File, error) {
	return nil, fmt.Errorf("%s: opening files: %w", path, ErrRefused)
}

func (f *folder) read(path string) ([]byte, error) {
	if err := f.within(path); err != nil {
		return nil, err
	}
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
	return f.refuse(fmt.Errorf("reading %s: %w", what, ErrRefused))
}

// within holds the real path of a file against what was fetched, whatever way
// kustomize came to it.
func (f *folder) within(path string) error {
	if !f.closed {
		return nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(f.fetched, func(root string) bool { return below(real, root) }) {
		return f.refuse(fmt.Errorf("%s: paths out of what was fetched: %w", path, ErrRefused))
	}
	return nil
}

// refuse remembers the first refusal.
func (f *folder) refuse(err error) error {
	if f.refusal == nil {
		f.refusal = err
	}
	return err
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
