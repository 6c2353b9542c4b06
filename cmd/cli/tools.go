package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/tmpl"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// tools are the adapters of one run, wired for its state files.
type tools struct {
	charts   *chart.Store
	clusters *cluster.Clusters
	engine   *engine.Engine
	hooks    *lifecycle
}

func (s *session) tools(f *fleet) *tools {
	driver, _ := s.env.Lookup("HELM_DRIVER")
	clusters := s.clusters()
	fetcher := source.New(source.Options{CacheDir: s.cacheDir("sources"), LookupEnv: s.env.Lookup})
	charts := chart.NewStore(chart.Options{
		CacheDir:     s.cacheDir("charts"),
		Fetch:        fetchFunc(fetcher.Path),
		Repositories: repositories(f.spec),
		Freshness:    s.freshness(),
		SkipDeps:     s.globals.SkipDeps,
	})
	return &tools{
		charts:   charts,
		clusters: clusters,
		engine: engine.New(engine.Options{
			Charts:   charts,
			Clusters: clusters.Get,
			Driver:   driver,
			Log:      s.log(),
			HookLogs: func(id spec.ReleaseID, pod, container string) io.Writer {
				return &hookLog{session: s, name: id.String() + " " + pod + "/" + container}
			},
		}),
		hooks: s.lifecycle(f.spec),
	}
}

func (s *session) freshness() chart.Freshness {
	if s.globals.SkipRefresh {
		return chart.Cached
	}
	return chart.Fresh
}

// log is for developers: Helm's own messages, with --debug.
func (s *session) log() *slog.Logger {
	if !s.globals.Debug {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(s.env.Streams.Err, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type fetchFunc func(ctx context.Context, url string) (string, error)

// Fetch makes the function a chart.Fetcher.
func (f fetchFunc) Fetch(ctx context.Context, url string) (string, error) { return f(ctx, url) }

func repositories(s *spec.Spec) []spec.Repository {
	var all []spec.Repository
	for _, f := range s.Files {
		all = append(all, f.Repositories...)
	}
	return all
}

// hookLog passes the log of a chart's hook on, as it comes.
type hookLog struct {
	session *session
	name    string
}

// Write prints what it gets line by line; Helm writes whole logs at once.
func (h *hookLog) Write(p []byte) (int, error) {
	for line := range lines(p) {
		h.session.view.Hook("log", h.name, line)
	}
	return len(p), nil
}

// lifecycle fires the hooks of state files and releases.
type lifecycle struct {
	abort   <-chan struct{}
	files   []spec.File
	runners []*hooks.Runner
}

func (s *session) lifecycle(loaded *spec.Spec) *lifecycle {
	l := &lifecycle{files: loaded.Files, abort: s.env.Abort}
	for _, f := range loaded.Files {
		renderer := tmpl.New(tmpl.Options{NoExec: s.globals.NoExec, LookupEnv: s.env.Lookup})
		l.runners = append(l.runners, hooks.New(hooks.Options{
			File:      f,
			Namespace: s.globals.Namespace,
			Command:   s.command,
			NoExec:    s.globals.NoExec || truth(s.env.Lookup, "HELMFILE_DISABLE_HOOKS"),
			Render: func(text string, data any) (string, error) {
				return renderer.String(context.Background(), tmpl.Template{File: f.Path, Dir: f.Dir, Text: []byte(text)}, data)
			},
			Output: func(line hooks.Line) { s.view.Hook(line.Event, line.Hook, line.Text) },
		}))
	}
	return l
}

// Fire runs the hooks that a release has for an event.
func (l *lifecycle) Fire(ctx context.Context, event spec.HookEvent, r spec.Release, cause error) error {
	if len(r.Hooks) == 0 {
		return nil
	}
	return l.runners[r.File].Fire(ctx, event, &r, r.Hooks, cause)
}

// global runs the hooks of every state file for an event.
func (l *lifecycle) global(ctx context.Context, event spec.HookEvent, cause error) error {
	for i, f := range l.files {
		if err := l.runners[i].Fire(ctx, event, nil, f.Hooks, cause); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return nil
}

// around fires the prepare hooks of the files and of the releases that are to
// be installed, which may create the charts and values that come next, then
// does the work, then fires the files' cleanup hooks, which hear of a failure.
// As in helmfile, a failing prepare hook ends it all at once.
func (l *lifecycle) around(ctx context.Context, releases []spec.Release, work func() error) error {
	if err := l.global(ctx, spec.EventPrepare, nil); err != nil {
		return interrupted(ctx, err)
	}
	for _, r := range releases {
		if !r.Installed {
			continue
		}
		if err := l.Fire(ctx, spec.EventPrepare, r, nil); err != nil {
			return interrupted(ctx, err)
		}
	}
	err := work()
	cause := err
	if errors.Is(err, errTold) {
		cause = nil
	}
	late, cancel := executor.UntilAbort(ctx, l.abort)
	defer cancel()
	return errors.Join(err, l.global(late, spec.EventCleanup, cause))
}
