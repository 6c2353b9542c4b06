package journal

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
)

// TestDurationsAreThoseOfTheNewestRunThatWentWell: what failed says nothing, and
// neither do other owners' runs.
func TestDurationsAreThoseOfTheNewestRunThatWentWell(t *testing.T) {
	f := newFixture(t)
	store := f.store(f.server.Kubeconfig)
	release := func(name string) spec.ReleaseID { return spec.ReleaseID{Namespace: "shop", Name: name} }
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ran := func(id, owner string, took map[string]time.Duration, failed string) {
		t.Helper()
		run := Run{ID: id, Owner: owner, Mode: "apply", Started: at}
		for name := range took {
			run.Steps = append(run.Steps, Step{Release: release(name), Action: "upgrade"})
		}
		log, err := Start(t.Context(), run, []Target{{Store: store}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for name, d := range took {
			log.Note(release(name), func(s *Step) {
				s.State, s.Started, s.Finished = StateDone, at, at.Add(d)
				if name == failed {
					s.State = StateFailed
				}
			})
		}
		if err := log.Finish(t.Context(), func(r *Run) { r.Outcome = OutcomeDone }); err != nil {
			t.Fatal(err)
		}
	}
	ran("20260301-120000000-aaaa", "me", map[string]time.Duration{"a": time.Second, "b": 2 * time.Second}, "")
	ran("20260301-130000000-aaaa", "me", map[string]time.Duration{"a": 9 * time.Second, "b": 3 * time.Second}, "b")
	ran("20260301-140000000-aaaa", "you", map[string]time.Duration{"c": time.Second}, "")
	task := func(name string) Task { return Task{Release: release(name).String(), Action: "upgrade"} }
	got, err := store.Durations(t.Context(), "me", []Task{task("a"), task("b"), task("c")})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[Task]time.Duration{task("a"): 9 * time.Second, task("b"): 2 * time.Second}, got); d != "" {
		t.Errorf("durations (-want +got):\n%s", d)
	}
}
