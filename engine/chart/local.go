package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/ignore"
)

// local reads a folder or an archive of this machine. Folders are read once per
// Store and path.
func (s *Store) local(ctx context.Context, src source) (content, error) {
	info, err := os.Stat(src.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return content{}, fail(ErrNotFound, "there is no chart at %s", src.path)
	case err != nil:
		return content{}, fmt.Errorf("reading chart: %w", err)
	case !info.IsDir():
		return s.localArchive(src)
	case src.verify:
		return content{}, fail(ErrProvenance, "chart %s is a folder, and only packaged charts can be verified: package and sign it, or set verify: false", src.path)
	}
	if bare, err := isBare(src.path); err != nil || bare {
		return content{src: src, dir: src.path, bare: true}, err
	}
	files, err := s.folders.do(ctx, src.path, func(ctx context.Context) ([]*archive.BufferedFile, error) {
		return readFolder(ctx, src.path)
	})
	if err != nil {
		return content{}, err
	}
	return content{src: src, files: files, dir: src.path}, nil
}

// isBare reports whether a folder is no chart but holds manifests, at any
// depth, as helmfile looks for them.
func isBare(path string) (bool, error) {
	if _, err := os.Stat(filepath.Join(path, "Chart.yaml")); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	bare := false
	err := fs.WalkDir(os.DirFS(path), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !e.IsDir() && (IsManifest(name) || IsTemplate(name) || e.Name() == "Kustomization") {
			bare = true
			return fs.SkipAll
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("reading chart: %w", err)
	}
	return bare, nil
}

// IsManifest reports whether a file of a folder without Chart.yaml becomes a
// template of the chart that is made of it.
func IsManifest(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// IsTemplate reports whether a file of such a folder is rendered to one without
// its extension first.
func IsTemplate(name string) bool { return strings.HasSuffix(name, ".gotmpl") }

func (s *Store) localArchive(src source) (content, error) {
	f, err := os.Open(src.path)
	if err != nil {
		return content{}, fmt.Errorf("reading chart: %w", err)
	}
	defer f.Close()
	data, err := readBounded(f, archiveLimit, src.path)
	if err != nil {
		return content{}, err
	}
	if src.verify {
		signature, err := os.ReadFile(src.path + ".prov")
		if err != nil {
			return content{}, failFor(ErrProvenance, err, "chart %s must be verified, and its provenance file cannot be read", src.path)
		}
		if err := verify(src, data, signature, filepath.Base(src.path)); err != nil {
			return content{}, err
		}
	}
	return unpackContent(src, data)
}

func unpackContent(src source, data []byte) (content, error) {
	files, err := unpackFiles(data)
	if err != nil {
		return content{}, failFor(ErrInvalid, err, "%s is not a packaged chart", src)
	}
	return content{src: src, files: files}, nil
}

// folder reads a chart folder as Helm's loader does (.helmignore, byte order
// marks, irregular files refused), except that a symbolic link must stay inside
// the chart: what a link outside points to differs from machine to machine.
type folder struct {
	root   *os.Root
	path   string
	rules  *ignore.Rules
	budget int64                  // bytes that may still be read
	only   func(name string) bool // nil: every file
	files  []*archive.BufferedFile
}

func readFolder(ctx context.Context, path string) ([]*archive.BufferedFile, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("reading chart: %w", err)
	}
	defer root.Close()
	if _, err := root.Stat("Chart.yaml"); errors.Is(err, fs.ErrNotExist) {
		return nil, fail(ErrNotFound, "%s is not a chart: it has no Chart.yaml", path)
	}
	f := &folder{root: root, path: path, rules: ignore.Empty(), budget: archive.MaxDecompressedChartSize}
	if list, err := root.ReadFile(ignore.HelmIgnore); err == nil {
		if f.rules, err = ignore.Parse(bytes.NewReader(list)); err != nil {
			return nil, failFor(ErrInvalid, err, "reading %s", filepath.Join(path, ignore.HelmIgnore))
		}
	}
	f.rules.AddDefaults()
	if err := f.walk(ctx, ".", nil); err != nil {
		return nil, err
	}
	return f.files, nil
}

// Manifests reads the manifests and templates of Folder, by path. Entries of
// Folder whose names begin with a dot are left out, as Helm leaves them out of
// templates/. It is empty for what is a chart.
func (c *Chart) Manifests(ctx context.Context) (map[string][]byte, error) {
	if c.Folder == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(c.Folder)
	if err != nil {
		return nil, fmt.Errorf("reading chart: %w", err)
	}
	defer root.Close()
	f := &folder{root: root, path: c.Folder, rules: ignore.Empty(), budget: archive.MaxDecompressedChartSize}
	f.only = func(name string) bool { return name[0] != '.' && (IsManifest(name) || IsTemplate(name)) }
	if err := f.walk(ctx, ".", nil); err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(f.files))
	for _, file := range f.files {
		out[file.Name] = file.Data
	}
	return out, nil
}

// walk adds what is below dir. above holds the folders on the way, to notice a
// link that leads back.
func (f *folder) walk(ctx context.Context, dir string, above []fs.FileInfo) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	here, err := f.root.Stat(dir)
	if err != nil {
		return f.broken(dir, err)
	}
	for _, parent := range above {
		if os.SameFile(parent, here) {
			return fail(ErrInvalid, "reading %s: the symbolic link leads back to a folder above it", filepath.Join(f.path, dir))
		}
	}
	entries, err := fs.ReadDir(f.root.FS(), dir)
	if err != nil {
		return f.broken(dir, err)
	}
	for _, e := range entries {
		if err := f.entry(ctx, path.Join(dir, e.Name()), append(above, here)); err != nil {
			return err
		}
	}
	return nil
}

func (f *folder) entry(ctx context.Context, name string, above []fs.FileInfo) error {
	info, err := f.root.Stat(name)
	if err != nil {
		return f.unreadable(name, err)
	}
	switch {
	case f.rules.Ignore(name, info):
		return nil
	case info.IsDir():
		return f.walk(ctx, name, above)
	case f.only != nil && !f.only(name):
		return nil
	case !info.Mode().IsRegular():
		return fail(ErrInvalid, "reading %s: it is not a regular file, ignore it in .helmignore", filepath.Join(f.path, name))
	default:
		return f.add(name)
	}
}

// unreadable tells what is wrong with a name that does not lead to anything in
// the chart, unless it is ignored: rules look at what a link leads to.
func (f *folder) unreadable(name string, cause error) error {
	full := filepath.Join(f.path, name)
	own, err := f.root.Lstat(name)
	if err != nil || own.Mode()&fs.ModeSymlink == 0 {
		return f.broken(name, cause)
	}
	if target, err := os.Stat(full); err == nil {
		own = target
	}
	if f.rules.Ignore(name, own) {
		return nil
	}
	return failFor(ErrInvalid, cause, "reading %s: the symbolic link does not lead to a file of the chart, copy the file or ignore it in .helmignore", full)
}

func (f *folder) add(name string) error {
	open, err := f.root.Open(name)
	if err != nil {
		return f.broken(name, err)
	}
	defer open.Close()
	info, err := open.Stat()
	if err != nil {
		return f.broken(name, err)
	}
	data, err := io.ReadAll(io.LimitReader(open, f.budget+1))
	if err != nil {
		return f.broken(name, err)
	}
	if f.budget -= int64(len(data)); f.budget < 0 {
		return fail(ErrInvalid, "chart %s is larger than %d bytes: ignore in .helmignore what is not part of it", f.path, archive.MaxDecompressedChartSize)
	}
	data = bytes.TrimPrefix(data, []byte{0xEF, 0xBB, 0xBF})
	f.files = append(f.files, &archive.BufferedFile{Name: name, ModTime: info.ModTime(), Data: data})
	return nil
}

func (f *folder) broken(name string, err error) error {
	return fmt.Errorf("reading chart %s: %s: %w", f.path, name, err)
}

// readBounded reads all of r, which is at most limit bytes long.
func readBounded(r io.Reader, limit int64, what string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fail(ErrInvalid, "%s is larger than %d bytes", what, limit)
	}
	return data, nil
}
