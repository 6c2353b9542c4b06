package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
)

type depsCmd struct {
	concurrency
	needsFlags
	rawArgs
	SkipRepos bool `help:"As --skip-refresh."`
}

// Run fetches every chart that the selected releases name, so that a later run
// finds them in the cache, lists what it got, and brings the lock files of the
// state files up to date. As in helmfile, no hooks fire, and a lock is made
// anew from what the state files declare.
func (c *depsCmd) Run(ctx context.Context, s *session) error {
	s.globals.SkipRefresh = s.globals.SkipRefresh || c.SkipRepos
	f, err := s.load(ctx, request{needs: c.needsFlags, limit: c.Concurrency, raw: helmText{args: c.Args}, unlocked: true})
	if err != nil {
		return err
	}
	charts, err := s.listCharts(ctx, s.tools(f), f)
	if err != nil {
		return err
	}
	resolved := make([]spec.Resolved, len(f.releases))
	for i, r := range f.releases {
		resolved[i] = spec.Resolved{Release: r, Version: charts[i].Version}
	}
	locks, err := f.spec.LockFiles(resolved, s.env.Version.Flotilla, s.env.Now())
	if err != nil {
		return err
	}
	for _, lock := range locks {
		if err := replaceFile(lock.Path, lock.Text); err != nil {
			return fmt.Errorf("writing the lock file: %w", err)
		}
		if err := view.Text(s.env.Streams.Out, "wrote "+lock.Path+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile writes a file whole or not at all. It may be read by everybody:
// it belongs into the repository of the state files.
func replaceFile(path string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone after the rename
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Chmod(0o644)
	}
	if closing := temp.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
