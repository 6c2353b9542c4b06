package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/spec"
)

type depsCmd struct {
	concurrency
	needsFlags
	rawArgs
	SkipRepos bool `help:"As --skip-refresh."`
}

// Run updates the dependencies of every chart folder that the selected releases
// name, fetches all other charts, so that a later run finds them in the cache,
// lists what it got, and brings the lock files of the state files up to date.
// As in helmfile, no hooks fire, --skip-deps does not count for chart folders,
// and a lock is made anew from what the state files declare.
func (c *depsCmd) Run(ctx context.Context, s *session) error {
	s.globals.SkipRefresh = s.globals.SkipRefresh || c.SkipRepos
	f, err := s.load(ctx, request{needs: c.needsFlags, limit: c.Concurrency, raw: helmText{args: c.Args}, unlocked: true})
	if err != nil {
		return err
	}
	t := s.tools(f)
	if err := s.updateFolders(ctx, t, f); err != nil {
		return err
	}
	charts, err := s.listCharts(ctx, t, f)
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

// updateFolders does for the charts that are folders what helm dependency
// update does. Folders are written in the order of their releases, for one may
// be packed as a dependency of the next.
func (s *session) updateFolders(ctx context.Context, t *tools, f *fleet) error {
	updates := make([]*chart.Update, len(f.releases))
	errs := make([]error, len(f.releases))
	each(len(f.releases), f.at(fetches), func(i int) {
		r := f.releases[i]
		if !r.Installed {
			return
		}
		if updates[i], errs[i] = t.charts.Update(ctx, r.Chart); errs[i] != nil {
			errs[i] = fmt.Errorf("updating the dependencies of %s: %w", r.ID, errs[i])
		}
	})
	if err := errors.Join(errs...); err != nil {
		return interrupted(ctx, err)
	}
	seen := map[*chart.Update]bool{nil: true}
	for i, u := range updates {
		if seen[u] {
			continue
		}
		seen[u] = true
		written, err := u.Write(ctx, s.env.Now())
		if err != nil {
			errs[i] = fmt.Errorf("updating the dependencies of %s: %w", f.releases[i].ID, err)
		}
		text := linesOf("wrote ", written.Files) + linesOf("removed ", written.Removed)
		if err := view.Text(s.env.Streams.Out, text); err != nil {
			return err
		}
	}
	return interrupted(ctx, errors.Join(errs...))
}

func linesOf(verb string, paths []string) string {
	var text strings.Builder
	for _, p := range paths {
		text.WriteString(verb + p + "\n")
	}
	return text.String()
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
