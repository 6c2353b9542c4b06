package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/lock"
	"github.com/flotilla-sh/flotilla/spec/source"
)

type pinCmd struct {
	concurrency
	Check bool `help:"Write nothing, and exit with 1 when the lock file is not up to date."`
}

// Run finds what every release of the environment gets from the network, and
// writes it into the lock file. Everything is asked for anew: no cache of remote
// sources counts.
func (c *pinCmd) Run(ctx context.Context, s *session) error {
	if len(s.globals.Selector) > 0 {
		return fmt.Errorf("%w: lock pins the whole environment: leave the selector out", errUsage)
	}
	dir, err := os.MkdirTemp("", "flotilla-lock-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	found := &pinning{dir: dir}
	f, err := s.load(ctx, request{limit: c.Concurrency, policy: spec.NeedsIgnore, pinning: found})
	if err != nil {
		return err
	}
	path, before := f.spec.Pinned()
	if path == "" {
		return fmt.Errorf("%w: these state files are remote themselves: there is no folder for a lock file", errUsage)
	}
	if err := found.look(ctx, s.tools(f), f); err != nil {
		return err
	}
	return c.settle(s, f.spec.Environment, path, before, found.env)
}

// settle shows what changes, and writes it.
func (c *pinCmd) settle(s *session, environment, path string, before lock.File, now lock.Environment) error {
	changes := now.Changes(before.Environments[environment])
	var text strings.Builder
	for _, change := range changes {
		text.WriteString(change.String() + "\n")
	}
	if err := view.Text(s.env.Streams.Out, text.String()); err != nil {
		return err
	}
	after := before.With(environment, now)
	_, known := before.Environments[environment]
	switch {
	case len(changes) == 0 && known:
		return s.tell(fmt.Sprintf("%s is up to date for environment %s: charts pinned: %d, remote sources: %d.",
			path, environment, len(after.Environments[environment].Charts), len(after.Environments[environment].Sources)))
	case c.Check:
		return fmt.Errorf("%s is not up to date for environment %s: write it with flotilla -e %s lock", path, environment, environment)
	}
	data, err := after.Encode()
	if err != nil {
		return err
	}
	if err := replaceFile(path, data); err != nil {
		return fmt.Errorf("writing the lock file: %w", err)
	}
	return s.tell("Wrote " + path + ".")
}

// pinning collects what a run gets from the network.
type pinning struct {
	dir string // where remote sources go for the time of the run

	mu  sync.Mutex
	env lock.Environment
}

// source takes what a remote source holds.
func (p *pinning) source(name string, is source.Pin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env.Sources = append(p.env.Sources, lock.Source{URL: name, Commit: is.Commit, Digest: is.Digest})
}

func (p *pinning) chart(pin lock.Chart) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env.Charts = append(p.env.Charts, pin)
}

// look gets the charts of all releases, and the remote files that they name.
func (p *pinning) look(ctx context.Context, t *tools, f *fleet) error {
	fetcher := source.New(f.spec.Sources(source.Options{CacheDir: p.dir, LookupEnv: t.session.env.Lookup}))
	errs := make([]error, len(f.releases))
	each(len(f.releases), f.at(fetches), func(i int) {
		r := f.releases[i]
		if !r.Installed {
			return
		}
		err := p.charts(ctx, t.charts, r)
		for _, path := range remotePaths(r) {
			_, fetching := fetcher.Path(ctx, path)
			err = errors.Join(err, fetching)
		}
		if err != nil {
			errs[i] = fmt.Errorf("pinning what %s needs: %w", r.ID, err)
		}
	})
	return interrupted(ctx, errors.Join(errs...))
}

// charts pins the chart of a release and those that it adds.
func (p *pinning) charts(ctx context.Context, store *chart.Store, r spec.Release) error {
	refs := []spec.Chart{r.Chart}
	for _, d := range r.Customize.Dependencies {
		ref := r.Chart
		ref.Ref, ref.Version, ref.Asked, ref.Digest, ref.Repository = d.Chart, d.Version, d.Asked, d.Digest, d.Repository
		ref.Verify, ref.SkipDeps = false, false
		refs = append(refs, ref)
	}
	var errs []error
	for _, ref := range refs {
		got, err := store.Get(ctx, ref)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if pin, ok := spec.PinOf(ref, got.Version, got.Digest); ok {
			p.chart(pin)
		}
	}
	return errors.Join(errs...)
}

// remotePaths are the remote files that a release names beside its chart.
func remotePaths(r spec.Release) []string {
	var paths []string
	for _, list := range [][]spec.ValuesSource{r.Values, r.Customize.JSONPatches, r.Customize.StrategicMergePatches, r.Customize.Transformers} {
		for _, v := range list {
			if source.IsRemote(v.Path) {
				paths = append(paths, v.Path)
			}
		}
	}
	return paths
}
