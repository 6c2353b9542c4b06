package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

// timedHooks take the time that they have, and log when they began and how they
// ended. What is not in takes is due nowhere.
type timedHooks struct {
	began time.Time
	takes map[spec.HookEvent]time.Duration
	log   *[]string
}

func (h timedHooks) Fire(ctx context.Context, e spec.HookEvent, r spec.Release, _ error) error {
	takes, due := h.takes[e]
	if !due {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("not started: %w", context.Cause(ctx))
	}
	begun, how := time.Since(h.began), "done"
	var err error
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		how, err = "cut off", fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	*h.log = append(*h.log, fmt.Sprintf("%s %s %s to %s %s", e, r.ID.Name, begun, time.Since(h.began), how))
	return err
}

func TestHooksThatComeLate(t *testing.T) {
	const hangs = 24 * time.Hour
	post, cleanup := spec.EventPostSync, spec.EventCleanup
	tests := []struct {
		name, graph string
		takes       map[spec.HookEvent]time.Duration
		interrupt   time.Duration // zero: never
		timeout     time.Duration
		outcomes    string
		log         string
	}{
		{"an interrupt ends one that has begun", "~a", map[spec.HookEvent]time.Duration{post: hangs}, 5 * time.Second, 0,
			"a undone", "postsync a 1s to 5s cut off"},
		{"so does the end of the run's time", "~a", map[spec.HookEvent]time.Duration{post: hangs}, 0, 5 * time.Second,
			"a undone", "postsync a 1s to 5s cut off"},
		{"and in a destroy", "-a", map[spec.HookEvent]time.Duration{spec.EventPostUninstall: hangs}, 5 * time.Second, 0,
			"a undone", "postuninstall a 1s to 5s cut off"},
		{"of a step that is cut off it runs", "~a", map[spec.HookEvent]time.Duration{post: 2 * time.Second}, 500 * time.Millisecond, 0,
			"a undone", "postsync a 500ms to 2.5s done"},
		{"of a step that is cut off it has a minute", "~a", map[spec.HookEvent]time.Duration{post: hangs}, 500 * time.Millisecond, 0,
			"a undone", "postsync a 500ms to 1m0.5s cut off"},
		{"when the run's time is over an interrupt ends it all the same", "~a", map[spec.HookEvent]time.Duration{post: hangs}, 10 * time.Second, 500 * time.Millisecond,
			"a undone", "postsync a 500ms to 10s cut off"},
		{"an interrupt ends a cleanup, and those after it run", "~a\n~b: a", map[spec.HookEvent]time.Duration{cleanup: 4 * time.Second}, 5 * time.Second, 0,
			"a done, b done", "cleanup a 2s to 5s cut off, cleanup b 5s to 9s done"},
		{"cleanups after an interrupt have a minute together", "~a\n~b: a", map[spec.HookEvent]time.Duration{cleanup: 40 * time.Second}, 1500 * time.Millisecond, 0,
			"a undone, b undone", "cleanup a 3.5s to 43.5s done, cleanup b 43.5s to 1m3.5s cut off"},
		{"nobody hurries them in a run that nothing ends", "~a", map[spec.HookEvent]time.Duration{post: time.Hour, cleanup: time.Hour}, 0, 0,
			"a done", "postsync a 1s to 1h0m1s done, cleanup a 1h0m1s to 2h0m1s done"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.interrupt > 0 {
					time.AfterFunc(tt.interrupt, cancel)
				}
				var log []string
				w := workers(f)
				w.Hooks = timedHooks{time.Now(), tt.takes, &log}
				p := build(t, f, tt.graph)
				if strings.HasPrefix(tt.graph, "-") {
					p.Mode = plan.ModeDestroy
				}
				r := Run(ctx, p, w, Options{Timeout: tt.timeout})
				if got := outcomes(r); got != tt.outcomes {
					t.Errorf("outcomes %q, want %q", got, tt.outcomes)
				}
				if got := strings.Join(log, ", "); got != tt.log {
					t.Errorf("hooks %q, want %q", got, tt.log)
				}
			})
		})
	}
}

func TestWithoutTheFenceNoHookStarts(t *testing.T) {
	all := map[spec.HookEvent]time.Duration{}
	for _, e := range []spec.HookEvent{spec.EventPreApply, spec.EventPreSync, spec.EventPostSync, spec.EventPreUninstall, spec.EventPostUninstall, spec.EventCleanup} {
		all[e] = time.Second
	}
	tests := []struct {
		name, graph string
		mode        plan.Mode
		after       time.Duration
		told        bool // of the loss, at once
		log         string
	}{
		{"not the first", "~a", "apply", 0, false, ""},
		{"not those after a step that was cut off", "~a", "apply", 2500 * time.Millisecond, true, "preapply a 0s to 1s done, presync a 1s to 2s done"},
		{"nor after one that ended", "~a", "apply", 2500 * time.Millisecond, false, "preapply a 0s to 1s done, presync a 1s to 2s done"},
		{"nor after an uninstall", "-a", "destroy", 1500 * time.Millisecond, true, "preuninstall a 0s to 1s done"},
		{"and one that runs late is ended", "~a", "apply", 3500 * time.Millisecond, true,
			"preapply a 0s to 1s done, presync a 1s to 2s done, postsync a 3s to 3.5s cut off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				fell := &fence{falls: time.Now().Add(tt.after), lost: make(chan struct{})}
				if tt.told {
					time.AfterFunc(tt.after, func() { close(fell.lost) })
				}
				var log []string
				w := workers(f)
				w.Hooks = timedHooks{time.Now(), all, &log}
				p := build(t, f, tt.graph)
				p.Mode = tt.mode
				r := Run(t.Context(), p, w, Options{Fence: fell})
				if got := strings.Join(log, ", "); got != tt.log {
					t.Errorf("hooks %q, want %q", got, tt.log)
				}
				if !r.Failed() || !errors.Is(r.Fenced, errNotOurs) || !slices.ContainsFunc(r.HookErrs, func(err error) bool { return errors.Is(err, errNotOurs) }) && r.Results[0].Err == nil {
					t.Errorf("nobody is told of it: %+v", r)
				}
			})
		})
	}
}

func TestAHookThatRunsLateEndsWithTheFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		fell := &fence{falls: time.Now().Add(3 * time.Second), lost: make(chan struct{})}
		time.AfterFunc(3*time.Second, func() { close(fell.lost) })
		var log []string
		w := workers(f)
		w.Hooks = timedHooks{time.Now(), map[spec.HookEvent]time.Duration{spec.EventPostSync: time.Hour}, &log}
		Run(ctx, build(t, f, "~a"), w, Options{Fence: fell})
		if got, want := strings.Join(log, ", "), "postsync a 500ms to 3s cut off"; got != want {
			t.Errorf("hooks %q, want %q", got, want)
		}
	})
}
