package cli

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// tools are the adapters of one run, wired for its state files.
type tools struct {
	session  *session
	charts   *chart.Store
	clusters *cluster.Clusters
	engine   *engine.Engine
	hooks    *lifecycle
}

func (s *session) tools(f *fleet) *tools {
	fetcher := source.New(f.spec.Sources(source.Options{CacheDir: s.cacheDir("sources"), LookupEnv: s.env.Lookup}))
	charts := chart.NewStore(chart.Options{
		CacheDir:     s.cacheDir("charts"),
		Fetch:        fetchFunc(fetcher.Path),
		Repositories: repositories(f.spec),
		Freshness:    s.freshness(),
		SkipDeps:     s.globals.SkipDeps,
		WrapTransport: func(next http.RoundTripper) http.RoundTripper {
			return retrying{next: next, retries: s.globals.RepoRetries, first: time.Second}
		},
	})
	return &tools{
		session:  s,
		charts:   charts,
		clusters: s.clusters(),
		engine:   s.engine(charts),
		hooks:    s.lifecycle(f.spec),
	}
}

func (s *session) engine(charts *chart.Store) *engine.Engine {
	driver, _ := s.env.Lookup("HELM_DRIVER")
	return engine.New(engine.Options{
		Charts:   charts,
		Clusters: s.clusters().Get,
		Driver:   driver,
		Run:      s.runID(),
		NoExec:   s.globals.NoExec,
		Log:      s.log(),
		Stop:     s.stop.now,
		Warn:     func(id spec.ReleaseID, text string) { s.view.Warn(id.String() + ": " + text) },
		HookLogs: func(id spec.ReleaseID, pod, container string) io.Writer {
			return &hookLog{session: s, name: id.String() + " " + pod + "/" + container}
		},
	})
}

// workers execute plans that were made of the state files.
func (t *tools) workers() executor.Workers {
	return executor.Workers{Releases: t.engine, Undo: t.engine, Hooks: t.hooks, Verify: t.session.gatekeeper(t.engine), Resume: t.engine, Look: t.engine}
}

func (s *session) freshness() chart.Freshness {
	if s.globals.SkipRefresh {
		return chart.Cached
	}
	return chart.Fresh
}

// log is for developers: Helm's own messages, with --debug.
func (s *session) log() *slog.Logger {
	if !s.globals.debug() {
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
