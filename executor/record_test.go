package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errNoRecord = errors.New("the record cannot be written")

// notes is a record in memory, beside the log of what is done to the cluster.
type notes struct {
	mu     sync.Mutex
	fleet  *fleet
	refuse map[string]bool // "undo a", "do b"
	cost   time.Duration
	how    Verdict
}

func (n *notes) Begin(ctx context.Context, e Event) error {
	select {
	case <-time.After(n.cost):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	verb := "do"
	if e.Undo {
		verb = "undo"
	}
	if n.refuse[verb+" "+e.Step.Release.ID.Name] {
		return errNoRecord
	}
	n.note("begin " + verb + " " + e.Step.Release.ID.Name)
	return nil
}

func (n *notes) End(e Event) {
	n.note(fmt.Sprintf("end %s %s", e.Step.Release.ID.Name, e.Outcome))
}

func (n *notes) Undoing(_ context.Context, how Verdict) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.how = how
	n.note("enter undoing")
	return nil
}

func (n *notes) Committing(context.Context) error {
	n.note("enter committing")
	return nil
}

func (n *notes) note(line string) {
	n.fleet.mu.Lock()
	defer n.fleet.mu.Unlock()
	n.fleet.log = append(n.fleet.log, line)
}

func TestEveryStepIsRecordedBeforeItWritesAndAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		f.fail["upgrade b"] = true
		r := Run(t.Context(), build(t, f, "+a\n~b: a\n+c: b\n=d"), workers(f), Options{Record: &notes{fleet: f, cost: time.Second}})
		want := []string{
			"begin do a", "install a", "end a done", "begin do b", "upgrade b", "end b failed",
			"enter undoing", "begin undo b", "rollback b", "end b done", "begin undo a", "uninstall a", "forget a", "end a done",
		}
		if d := cmp.Diff(want, f.log); d != "" {
			t.Errorf("what was done (-want +got):\n%s", d)
		}
		for _, x := range r.Results[:2] {
			if x.Elapsed != time.Second {
				t.Errorf("%s took %s, want a second: waiting for the record does not count", x.Step.Release.ID.Name, x.Elapsed)
			}
		}
	})
}

func TestAStepThatCannotBeRecordedDoesNotStartAndTheRunIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		record := &notes{fleet: f, refuse: map[string]bool{"do b": true, "undo a": true}}
		r := Run(t.Context(), build(t, f, "+a\n~b: a\n+c: b"), workers(f), Options{Record: record})
		if got, want := outcomes(r), "a undone, b failed, c skipped"; got != want {
			t.Errorf("outcomes %q, want %q", got, want)
		}
		if slices.Contains(f.log, "upgrade b") || !slices.Contains(f.log, "uninstall a") {
			t.Errorf("b was touched, or a was not undone without a record: %q", f.log)
		}
		if !errors.Is(r.Results[1].Err, errNoRecord) || !r.Results[1].Untouched() || !r.FullyUndone() {
			t.Errorf("b ended with %v; untouched %t, run undone %t", r.Results[1].Err, r.Results[1].Untouched(), r.FullyUndone())
		}
	})
}

func TestAnInterruptWhileTheRecordIsWrittenStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := Run(ctx, build(t, f, "+a\n+b: a"), workers(f), Options{Record: &notes{fleet: f, cost: time.Minute}})
		if got, want := outcomes(r), "a cancelled, b skipped"; got != want {
			t.Errorf("outcomes %q, want %q", got, want)
		}
		if done := strings.Join(f.log, ", "); done != "end a cancelled" || !r.Interrupted {
			t.Errorf("the log is %q, interrupted %t", done, r.Interrupted)
		}
	})
}
