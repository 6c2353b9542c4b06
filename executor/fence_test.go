package executor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

var errNotOurs = errors.New("the lock is lost")

// fence falls at a time, and is noticed when it is asked, or at once.
type fence struct {
	falls time.Time
	lost  chan struct{}
}

func (f *fence) Check(context.Context) error {
	if time.Now().Before(f.falls) {
		return nil
	}
	return errNotOurs
}

func (f *fence) Lost() <-chan struct{} { return f.lost }

func TestAFenceThatFalls(t *testing.T) {
	tests := []struct {
		name, graph string
		after       time.Duration
		told        bool // of the loss, at once
		fail        string
		outcomes    string
		verdict     string
		log         string
	}{
		{"before the first step: nothing is written", "~a\n~b: a", 0, false, "", "a skipped, b skipped", "undone", ""},
		{"between two steps: the second does not start, and nothing is undone", "~a\n~b: a", 500 * time.Millisecond, false, "",
			"a undo failed, b skipped", "left", "upgrade a"},
		{"while a step runs that nobody tells: what it wrote is not undone", "~a", 500 * time.Millisecond, false, "upgrade a", "a undo failed", "left", "upgrade a"},
		{"while steps run: they are cut off", "~a\n~b\n~c: b", 500 * time.Millisecond, true, "", "a undo failed, b undo failed, c skipped", "left", "upgrade a, upgrade b"},
		{"while undoing: the rest stays as it is", "~a\n~b: a\n~c: b", 3500 * time.Millisecond, false, "upgrade c",
			"a undo failed, b undo failed, c undone", "left", "upgrade a, upgrade b, upgrade c, rollback c"},
		{"after the last step: the run is done", "~a", 500 * time.Millisecond, false, "", "a done", "ok", "upgrade a"},
		{"before an uninstall is committed: its history stays", "-a", 500 * time.Millisecond, false, "", "a done", "ok", "uninstall a"},
		{"never", "~a\n~b: a", time.Hour, false, "upgrade b", "a undone, b undone", "undone", "upgrade a, upgrade b, rollback b, rollback a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet()
				f.fail[tt.fail] = true
				fell := &fence{falls: time.Now().Add(tt.after), lost: make(chan struct{})}
				if tt.told {
					time.AfterFunc(tt.after, func() { close(fell.lost) })
				}
				r := Run(t.Context(), build(t, f, tt.graph), workers(f), Options{Fence: fell, Concurrency: 2})
				if got := outcomes(r); got != tt.outcomes || verdict(r) != tt.verdict {
					t.Errorf("outcomes %q, verdict %s, want %q and %s", got, verdict(r), tt.outcomes, tt.verdict)
				}
				if tt.told {
					slices.Sort(f.log) // two steps start together, in any order
				}
				if got := strings.Join(f.log, ", "); got != tt.log {
					t.Errorf("log %q, want %q", got, tt.log)
				}
				if fallen := tt.after < time.Hour; errors.Is(r.Fenced, errNotOurs) != fallen || r.Interrupted {
					t.Errorf("fenced %v, interrupted %v", r.Fenced, r.Interrupted)
				}
				for _, x := range r.Results {
					if x.Outcome == OutcomeUndoFailed && !strings.Contains(x.Undo.Error(), errNotOurs.Error()) {
						t.Errorf("%s: %v does not say why", x.Step.Release.ID, x.Undo)
					}
				}
			})
		})
	}
}

// slowHooks take longer than the fence holds.
type slowHooks struct{}

func (slowHooks) Fire(_ context.Context, e spec.HookEvent, _ spec.Release, _ error) error {
	if e == spec.EventPreSync {
		time.Sleep(time.Minute)
	}
	return nil
}

func TestAFenceIsAskedRightBeforeTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		fell := &fence{falls: time.Now().Add(30 * time.Second)}
		r := Run(t.Context(), build(t, f, "+a"), Workers{Releases: f, Undo: f, Hooks: slowHooks{}}, Options{Fence: fell})
		if len(f.log) > 0 || !errors.Is(r.Results[0].Err, errNotOurs) || !r.Results[0].Untouched() {
			t.Errorf("log %q, results %+v", f.log, r.Results)
		}
	})
}
