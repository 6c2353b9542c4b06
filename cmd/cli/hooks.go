package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
)

// lifecycle fires the hooks of state files and releases.
type lifecycle struct {
	abort   <-chan struct{}
	files   []spec.File
	runners []*hooks.Runner
}

func (s *session) lifecycle(loaded *spec.Spec) *lifecycle { return s.lifecycleOf(loaded, s.command) }

// lifecycleOf is for hooks that take command for the one that runs.
func (s *session) lifecycleOf(loaded *spec.Spec, command string) *lifecycle {
	l := &lifecycle{files: loaded.Files, abort: s.env.Abort}
	for _, f := range loaded.Files {
		l.runners = append(l.runners, hooks.New(hooks.Options{
			File:      f,
			Namespace: s.globals.Namespace,
			Command:   command,
			NoExec:    s.noHooks(),
			Render: func(ctx context.Context, text string, data any) (string, error) {
				return loaded.RenderText(ctx, f, text, data)
			},
			Output: s.hookLine,
		}))
	}
	return l
}

// noHooks reports whether a hook that is due is an error.
func (s *session) noHooks() bool {
	return s.globals.NoExec || truth(s.env.Lookup, "HELMFILE_DISABLE_HOOKS")
}

func (s *session) hookLine(line hooks.Line) { s.view.Hook(line.Event, line.Hook, line.Text) }

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
func (t *tools) around(ctx context.Context, f *fleet, work func(*fleet) error) error {
	if err := t.hooks.global(ctx, spec.EventPrepare, nil); err != nil {
		return interrupted(ctx, err)
	}
	for _, r := range f.releases {
		if !r.Installed {
			continue
		}
		if err := t.hooks.Fire(ctx, spec.EventPrepare, r, nil); err != nil {
			return interrupted(ctx, err)
		}
	}
	f, lost := t.withCharts(ctx, f)
	err := errors.Join(work(f), lost)
	return errors.Join(err, t.hooks.cleanup(ctx, err))
}

// tidy fires the cleanup hooks of releases that a command has looked at but not
// changed; as in helmfile, one that fails is only told.
func (t *tools) tidy(ctx context.Context, releases []spec.Release) {
	late, end := executor.Late(ctx, t.hooks.abort)
	defer end()
	for _, r := range releases {
		if !r.Installed {
			continue
		}
		if err := t.hooks.Fire(late(), spec.EventCleanup, r, nil); err != nil {
			t.session.view.Warn(err.Error())
		}
	}
}

// around fires the hooks of the files alone, for commands that helmfile lets
// prepare no releases.
func (l *lifecycle) around(ctx context.Context, work func() error) error {
	if err := l.global(ctx, spec.EventPrepare, nil); err != nil {
		return interrupted(ctx, err)
	}
	err := work()
	return errors.Join(err, l.cleanup(ctx, err))
}

// withCharts leaves out releases whose chart cannot be had, where
// --allow-failed-releases says so.
func (t *tools) withCharts(ctx context.Context, f *fleet) (*fleet, error) {
	if !t.session.globals.AllowFailedReleases {
		return f, nil
	}
	errs := make([]error, len(f.releases))
	each(len(f.releases), f.at(fetches), func(i int) {
		if r := f.releases[i]; r.Installed {
			if _, err := t.charts.Get(ctx, r.Chart); err != nil {
				errs[i] = fmt.Errorf("left out %s: %w", r.ID, err)
			}
		}
	})
	kept := *f
	kept.releases = nil
	for i, r := range f.releases {
		if errs[i] == nil {
			kept.releases = append(kept.releases, r)
		}
	}
	return &kept, interrupted(ctx, errors.Join(errs...))
}

// cleanup fires the files' cleanup hooks, also after an interrupt.
func (l *lifecycle) cleanup(ctx context.Context, cause error) error {
	if errors.Is(cause, errTold) {
		cause = nil
	}
	late, end := executor.Late(ctx, l.abort)
	defer end()
	return l.global(late(), spec.EventCleanup, cause)
}
