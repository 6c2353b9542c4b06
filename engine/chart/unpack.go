package chart

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// ErrOccupied: a chart was to be unpacked over something that is there.
var ErrOccupied = errors.New("there is something already")

// WriteTo unpacks the chart, dependencies included, into the folder NAME below
// dir, as helm pull --untar does, and gives that folder. Missing folders are
// made. Nothing outside of it is written whatever the chart contains, and no
// file that exists is touched: a folder NAME that is there is ErrOccupied.
func (c *Chart) WriteTo(dir string) (string, error) {
	if c.Folder != "" {
		return "", c.noChart()
	}
	if !filepath.IsLocal(c.Name) || filepath.Base(c.Name) != c.Name {
		return "", fail(ErrInvalid, "chart %q of %s cannot be unpacked: its name is no folder name", c.Name, c.Origin)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("unpacking chart %s: %w", c.Name, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", fmt.Errorf("unpacking chart %s: %w", c.Name, err)
	}
	defer root.Close()
	at := filepath.Join(dir, c.Name)
	if err := root.Mkdir(c.Name, 0o755); errors.Is(err, fs.ErrExist) {
		return "", failFor(ErrOccupied, err, "unpacking chart %s", c.Name)
	} else if err != nil {
		return "", fmt.Errorf("unpacking chart %s: %w", c.Name, err)
	}
	folder, err := root.OpenRoot(c.Name)
	if err != nil {
		return "", fmt.Errorf("unpacking chart %s: %w", c.Name, err)
	}
	defer folder.Close()
	for _, f := range c.files {
		if err := writeFile(folder, f.Name, f.Data); err != nil {
			return "", fmt.Errorf("unpacking %s of chart %s: %w", f.Name, c.Name, err)
		}
	}
	return at, nil
}

func writeFile(folder *os.Root, name string, data []byte) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return fail(ErrInvalid, "the path leads out of the chart")
	}
	if err := folder.MkdirAll(filepath.FromSlash(path.Dir(name)), 0o755); err != nil {
		return err
	}
	open, err := folder.OpenFile(filepath.FromSlash(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = open.Write(data)
	return errors.Join(err, open.Close())
}
