package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

type cacheCmd struct {
	Info    cacheInfoCmd    `cmd:"" help:"Print where the cache is and what it holds."`
	Cleanup cacheCleanupCmd `cmd:"" help:"Delete everything in the cache."`
}

// rooms are the parts of the cache; nothing else in its folder is ours.
func rooms() []string { return []string{"charts", "sources"} }

type cacheInfoCmd struct{}

// Run lists the parts of the cache with their sizes.
func (c *cacheInfoCmd) Run(s *session) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Cache directory: %s\n", s.cacheDir(""))
	for _, room := range rooms() {
		files, bytes, err := size(s.cacheDir(room))
		if err != nil {
			return fmt.Errorf("reading the cache: %w", err)
		}
		if files > 0 {
			fmt.Fprintf(&b, "- %s: %d files, %.1f MB\n", room, files, float64(bytes)/1e6)
		}
	}
	return view.Text(s.env.Streams.Out, b.String())
}

func size(dir string) (files int, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another run is at work
		}
		if err != nil {
			return err
		}
		files, bytes = files+1, bytes+info.Size()
		return nil
	})
	return files, bytes, err
}

type cacheCleanupCmd struct{}

// Run deletes the parts of the cache, and leaves the folder itself.
func (c *cacheCleanupCmd) Run(s *session) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Cache directory: %s\n", s.cacheDir(""))
	for _, room := range rooms() {
		dir := s.cacheDir(room)
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("cleaning the cache: %w", err)
		}
		fmt.Fprintf(&b, "- %s\n", room)
	}
	return view.Text(s.env.Streams.Out, b.String())
}
