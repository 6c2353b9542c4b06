package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// update writes archives, then removes what is outdated, and the lock last: it
// is what says that the rest is there.
func (w *writer) update(files map[string][]byte, unpacked map[string]bool, lock archived) error {
	if lock.data != nil {
		if info, err := w.root.Lstat(lock.name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fail(ErrInvalid, "%s is a symbolic link", filepath.Join(w.dir, lock.name)) // Helm's rule
		}
	}
	if err := w.root.Mkdir("charts", 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	before, err := fs.ReadDir(w.root.FS(), "charts")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.write(filepath.Join("charts", name), files[name]); err != nil {
			return err
		}
	}
	for _, e := range before {
		if _, now := files[e.Name()]; now || e.IsDir() || !w.outdated(e.Name(), unpacked) {
			continue
		}
		name := filepath.Join("charts", e.Name())
		if err := w.root.Remove(name); err != nil {
			return err
		}
		w.Removed = append(w.Removed, filepath.Join(w.dir, name))
	}
	if lock.data == nil {
		return nil
	}
	return w.write(lock.name, lock.data)
}

// outdated reports whether a file of charts/ is a packed chart that nobody
// declares any longer. What is no chart is left alone, as Helm does.
func (w *writer) outdated(name string, unpacked map[string]bool) bool {
	open, err := w.root.Open(filepath.Join("charts", name))
	if err != nil {
		return false
	}
	defer open.Close()
	info, err := open.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	data, err := readBounded(open, archiveLimit, name)
	if err != nil {
		return false
	}
	files, err := unpackFiles(data)
	if err != nil {
		return false
	}
	c, err := loader.LoadFiles(files)
	return err == nil && !unpacked[c.Name()]
}

// write puts a file in place by renaming, unless it holds those bytes already.
func (w *writer) write(name string, data []byte) error {
	if same(w.root, name, data) {
		return nil
	}
	// Helm's loader skips names that begin with a dot in charts/, should this
	// process be killed here.
	temp := filepath.Join(filepath.Dir(name), fmt.Sprintf(".part-%d-%s", os.Getpid(), filepath.Base(name)))
	open, err := w.root.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = open.Write(data)
	if err = errors.Join(err, open.Close()); err == nil {
		err = w.root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, w.root.Remove(temp))
	}
	w.Files = append(w.Files, filepath.Join(w.dir, name))
	return nil
}

func same(root *os.Root, name string, data []byte) bool {
	open, err := root.Open(name)
	if err != nil {
		return false
	}
	defer open.Close()
	have, err := io.ReadAll(io.LimitReader(open, int64(len(data))+1))
	return err == nil && bytes.Equal(have, data)
}
