package hooks

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
)

// Frozen is a lifecycle hook for one event, rendered before the event came: all
// that is needed to start it without the state file.
type Frozen struct {
	Event spec.HookEvent
	Name  string
	Pos   spec.Pos
	Dir   string   // absolute; the program runs there
	Argv  []string // when nothing failed before
	// Failed is what is started when something failed before, with errorMark
	// where the text of the error goes; nil for events before which nothing can
	// have failed.
	Failed   []string
	ShowLogs bool
}

// errorMark stands for the text of an error that is not known yet. Digits stay
// as they are when a template quotes, indents or changes the case of a text.
const errorMark = "7301958264407713926850"

// Freeze renders the hooks of a release for events that are still to come, in
// the order of events and hooks. Templates that branch on .Event.Error are
// rendered both ways; of the error they can print the text, quoted or not, but
// not look into it. Errors are *Error, all joined.
func (r *Runner) Freeze(ctx context.Context, events []spec.HookEvent, rel *spec.Release, hooks []spec.Hook) ([]Frozen, error) {
	var frozen []Frozen
	var errs []error
	for _, event := range events {
		for _, hook := range hooks {
			if !slices.Contains(hook.Events, event) {
				continue
			}
			f := Frozen{Event: event, Name: nameOf(hook), Pos: hook.Pos, Dir: r.opts.File.Dir, ShowLogs: hook.ShowLogs}
			var err error
			if f.Argv, err = r.render(ctx, hook, r.data(event, rel, nil)); err == nil && hearsOfFailures(event) {
				f.Failed, err = r.render(ctx, hook, r.data(event, rel, errors.New(errorMark)))
			}
			if err != nil {
				errs = append(errs, &Error{Event: event, Hook: f.Name, Pos: hook.Pos, Err: err})
				continue
			}
			frozen = append(frozen, f)
		}
	}
	return frozen, errors.Join(errs...)
}

// FireFrozen is Fire for hooks that Freeze made: nothing is rendered.
func (r *Runner) FireFrozen(ctx context.Context, event spec.HookEvent, hooks []Frozen, cause error) error {
	for _, hook := range hooks {
		if hook.Event != event {
			continue
		}
		failed := &Error{Event: event, Hook: hook.Name, Pos: hook.Pos}
		err := r.startable(ctx)
		if err == nil {
			err = r.start(ctx, process{argv: hook.argv(cause), dir: hook.Dir, show: hook.ShowLogs}, failed)
		}
		if err != nil {
			failed.Err = err
			return failed
		}
	}
	return nil
}

func hearsOfFailures(event spec.HookEvent) bool {
	return event == spec.EventPostSync || event == spec.EventPostUninstall || event == spec.EventCleanup
}

func (f Frozen) argv(cause error) []string {
	if cause == nil || f.Failed == nil {
		return slices.Clone(f.Argv)
	}
	argv := slices.Clone(f.Failed)
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], errorMark, cause.Error())
	}
	return argv
}
