package journal

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
)

func TestWhatIsStoredIsNotWrittenAgain(t *testing.T) {
	f := newFixture(t)
	var updates atomic.Int64
	f.fail.Store(func(r *http.Request) error {
		if r.Method == http.MethodPut {
			updates.Add(1)
		}
		return nil
	})
	log, err := Start(t.Context(), a("team", "x", "y"), []Target{{here, f.admin()}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want int64, of string) {
		t.Helper()
		if got := updates.Load(); got != want {
			t.Errorf("%d updates of the record %s, want %d", got, of, want)
		}
	}
	expect(0, "before any step")
	if err := log.Commit(t.Context(), id("x"), running); err != nil {
		t.Fatal(err)
	}
	expect(1, "when a step begins")
	log.Note(id("x"), done)
	log.Amend(func(r *Run) { r.Commit = &Commit{ID: "c0ffee"} })
	if err := log.Commit(t.Context(), id("y"), running); err != nil {
		t.Fatal(err)
	}
	expect(2, "when one has ended and the next one begins")
	log.Note(id("y"), done)
	if err := log.Finish(t.Context(), func(r *Run) { r.Outcome = OutcomeDone }); err != nil {
		t.Fatal(err)
	}
	expect(3, "when the run ends")
	if r := f.list("team"); len(r) != 1 || r[0].Outcome != OutcomeDone || r[0].Steps[0].State != StateDone || r[0].Commit == nil {
		t.Errorf("the records are %+v, want one of a run that is done", r)
	}
}

func TestWhoDoesNotWaitForTheEndHasItWrittenAllTheSame(t *testing.T) {
	f := newFixture(t)
	for range 8 { // what is picked of two that are ready is chance
		run := a("impatient", "x")
		log, err := Start(t.Context(), run, []Target{{here, f.admin()}}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		log.Note(id("x"), done)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := log.Finish(ctx, func(r *Run) { r.Outcome = OutcomeDone }); err != nil {
			t.Fatal(err)
		}
		if r := f.list("impatient")[0]; r.ID != run.ID || r.Outcome != OutcomeDone || r.Steps[0].State != StateDone {
			t.Fatalf("the record says that run %s is %s and its step is %s, want run %s and both done", r.ID, r.Outcome, r.Steps[0].State, run.ID)
		}
	}
}
