package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

func TestMain(m *testing.M) { clustertest.MainWithoutLeaks(m) }

// fixture is a namespace of a real cluster whose records tests write.
type fixture struct {
	*testing.T
	server    *clustertest.Cluster
	namespace string
	requests  *atomic.Int64
	fail      *atomic.Value // func(*http.Request) error
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	server := clustertest.Start(t)
	return fixture{t, server, server.Namespace(t), &atomic.Int64{}, &atomic.Value{}}
}

// RoundTripper that counts, and fails where a test wants it.
type roundTripper struct {
	fixture
	next http.RoundTripper
}

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	r.requests.Add(1)
	if fail, ok := r.fail.Load().(func(*http.Request) error); ok {
		if err := fail(req); err != nil {
			return nil, err
		}
	}
	return r.next.RoundTrip(req)
}

func (f fixture) store(kubeconfig string) *Store {
	f.Helper()
	c, err := cluster.New(cluster.Options{Kubeconfig: kubeconfig, WrapTransport: func(next http.RoundTripper) http.RoundTripper {
		return roundTripper{f, next}
	}}).Get("")
	if err != nil {
		f.Fatal(err)
	}
	return NewStore(c, f.namespace)
}

func (f fixture) admin() *Store { return f.store(f.server.Kubeconfig) }

func (f fixture) secrets() []corev1.Secret {
	f.Helper()
	list, err := f.server.Client().CoreV1().Secrets(f.namespace).List(f.Context(), metav1.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return list.Items
}

func (f fixture) list(owner string) []*Run {
	f.Helper()
	runs, err := f.admin().List(f.Context(), owner)
	if err != nil {
		f.Fatal(err)
	}
	return runs
}

const here = "here"

func id(name string) spec.ReleaseID {
	return spec.ReleaseID{Context: here, Namespace: "ns", Name: name}
}

func a(owner string, names ...string) Run {
	r := Run{ID: NewID(time.Now()), Owner: owner, Command: "apply", Started: time.Now().UTC().Round(0)}
	for _, n := range names {
		r.Steps = append(r.Steps, Step{Release: id(n), Action: "install", Intended: 1})
	}
	return r
}

func running(s *Step) { s.State = StateRunning }

func done(s *Step) {
	s.State, s.Left = StateDone, &state.Trace{Revision: 1, Status: state.StatusDeployed}
}

func TestARecordTellsAtEveryMomentHowFarTheRunIs(t *testing.T) {
	f := newFixture(t)
	log, err := Start(t.Context(), a("team, environment prod", "x", "y"), []Target{{here, f.admin()}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	states := func() string {
		t.Helper()
		r := f.list("team, environment prod")
		if len(r) != 1 || r[0].Context != here {
			t.Fatalf("the records are %+v, want one of context here", r)
		}
		return fmt.Sprint(r[0].Outcome, " ", r[0].Steps[0].State, " ", r[0].Steps[1].State)
	}
	want := func(text string) {
		t.Helper()
		if got := states(); got != text {
			t.Errorf("the record says %q, want %q", got, text)
		}
	}
	want("running pending pending")
	if err := log.Commit(t.Context(), id("x"), running); err != nil {
		t.Fatal(err)
	}
	want("running running pending")
	log.Note(id("x"), done)
	if err := log.Commit(t.Context(), id("y"), running); err != nil {
		t.Fatal(err)
	}
	want("running done running") // the end of x came with the start of y
	log.Note(id("y"), done)
	if err := log.Finish(t.Context(), func(r *Run) { r.Outcome, r.Finished = OutcomeDone, time.Now() }); err != nil {
		t.Error(err)
	}
	want("done done done")
	if left := f.list("team, environment prod")[0].Steps[0].Left; left == nil || left.Revision != 1 {
		t.Errorf("the trace of x is %+v", left)
	}
	if other := f.list("another"); len(other) != 0 {
		t.Errorf("another owner has the runs %v", other)
	}
	if all := f.list(""); len(all) != 1 {
		t.Errorf("all owners have %d runs, want 1", len(all))
	}
}

func TestStepsThatReportTogetherAreWrittenTogether(t *testing.T) {
	f := newFixture(t)
	var names []string
	for i := range 64 {
		names = append(names, fmt.Sprint("r", i))
	}
	log, err := Start(t.Context(), a("o", names...), []Target{{here, f.admin()}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, n := range names {
		group.Go(func() {
			if err := log.Commit(t.Context(), id(n), running); err != nil {
				t.Error(err)
			}
			log.Note(id(n), done)
		})
	}
	group.Wait()
	if err := log.Finish(t.Context(), func(r *Run) { r.Outcome = OutcomeDone }); err != nil {
		t.Error(err)
	}
	if n := f.requests.Load(); n > 64 {
		t.Errorf("64 steps at once cost %d requests, want fewer than one each", n)
	}
	if r := f.list("o")[0]; r.Count(StateDone) != 64 {
		t.Errorf("%d steps are done in the record, want 64", r.Count(StateDone))
	}
}

func TestOldRecordsGo(t *testing.T) {
	f := newFixture(t)
	one := func(owner string) string {
		r := a(owner, "x")
		log, err := Start(t.Context(), r, []Target{{here, f.admin()}}, Options{})
		if err == nil {
			err = log.Finish(t.Context(), func(r *Run) { r.Outcome, r.Finished = OutcomeDone, time.Now() })
		}
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	one("another")
	var ids []string
	for i := range keepRecords + 3 {
		r := a("o", "x")
		r.ID = fmt.Sprintf("20260101-0000%02d-aaaaaa", i)
		e := entry{store: f.admin(), name: "flotilla-run-" + r.ID}
		if err := e.write(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	ids = append(ids, one("o"))
	var got []string
	for _, r := range f.list("o") {
		got = append(got, r.ID)
	}
	want := ids[len(ids)-keepRecords:]
	slices.Reverse(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("kept (-want +got):\n%s", d)
	}
	if len(f.list("another")) != 1 {
		t.Error("the record of another owner went, too")
	}
}

func TestALargeRecordIsInPartsOfWhichNoneStays(t *testing.T) {
	f := newFixture(t)
	store := f.admin()
	store.limit = 4 << 10
	r := a("o", "x")
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		r.Steps = append(r.Steps, Step{Release: id(fmt.Sprint("r", i)), Error: fmt.Sprint(random.Uint64(), random.Uint64())})
	}
	log, err := Start(t.Context(), r, []Target{{here, store}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := log.Commit(t.Context(), id("r399"), running); err != nil {
			t.Fatal(err)
		}
	}
	read := f.list("o")
	if len(read) != 1 || len(read[0].Steps) != 401 || read[0].Steps[400].State != StateRunning {
		t.Fatalf("%d records were read, of which the first has %d steps", len(read), len(read[0].Steps))
	}
	if err := log.Finish(t.Context(), func(r *Run) { r.Steps, r.Outcome, r.Finished = r.Steps[:1], OutcomeDone, time.Now() }); err != nil {
		t.Error(err)
	}
	if all := f.secrets(); len(all) != 1 || len(f.list("o")[0].Steps) != 1 {
		t.Errorf("a record that is small again is in %d Secrets", len(all))
	}
}

func TestALargeRecordOfWhichAPartIsMissingIsDamaged(t *testing.T) {
	f := newFixture(t)
	store := f.admin()
	store.limit = 100
	r := a("o", "x")
	r.Sequence = 1
	e := entry{store: store, name: "flotilla-run-" + r.ID}
	if err := e.write(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if err := f.server.Client().CoreV1().Secrets(f.namespace).Delete(t.Context(), partName(e.name, 1, 1), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	runs, err := store.List(t.Context(), "o")
	if len(runs) != 0 || !errors.Is(err, ErrDamaged) {
		t.Errorf("got %d records and %v, want none and %v", len(runs), err, ErrDamaged)
	}
}

func TestPartsOfRunsThatAreNoMoreGo(t *testing.T) {
	f := newFixture(t)
	store := f.admin()
	store.limit = 100
	r := a("o", "x")
	e := entry{store: store, name: "flotilla-run-" + r.ID}
	for range 2 { // as if the process was killed before it deleted the first parts
		r.Sequence, e.parts = r.Sequence+1, nil
		r.Outcome = OutcomeDone
		if err := e.write(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	before := len(f.secrets())
	if err := store.Prune(t.Context(), "o", 20); err != nil {
		t.Fatal(err)
	}
	if after := len(f.secrets()); after >= before || len(f.list("o")) != 1 {
		t.Errorf("%d Secrets are left of %d, and %d records", after, before, len(f.list("o")))
	}
	if err := store.Prune(t.Context(), "o", 0); err != nil {
		t.Fatal(err)
	}
	if left := f.secrets(); len(left) != 0 {
		t.Errorf("%d Secrets are left of a run that is no more", len(left))
	}
}

func TestARecordThatIsNotWhatWasWrittenIsNamedBesideTheOthers(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"good", "bad"} {
		r := a("o", "x")
		r.ID = name
		e := entry{store: f.admin(), name: "flotilla-run-" + r.ID}
		if err := e.write(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	secrets := f.server.Client().CoreV1().Secrets(f.namespace)
	bad, err := secrets.Get(t.Context(), "flotilla-run-bad", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	bad.Data[keyRecord] = bad.Data[keyRecord][:30]
	if _, err := secrets.Update(t.Context(), bad, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	runs, err := f.admin().List(t.Context(), "o")
	if len(runs) != 1 || runs[0].ID != "good" || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "flotilla-run-bad") {
		t.Errorf("read %d runs, and %v", len(runs), err)
	}
}

func TestARecordThatCannotBeWorkedWithIsDamaged(t *testing.T) {
	steps := []Step{{Release: spec.ReleaseID{Name: "a"}}, {Release: spec.ReleaseID{Name: "b"}, Needs: []int{0}}}
	tests := []struct {
		name string
		run  Run
		want string // empty: it is fine
	}{
		{"what was written", Run{ID: "x", Steps: steps, Edges: []Edge{{From: 0, To: 7}}}, ""},
		{"the record of another run", Run{ID: "y"}, `it is labelled as that of run x, and says "y"`},
		{"a need on a step that there is not", Run{ID: "x", Steps: []Step{{Release: spec.ReleaseID{Name: "a"}, Needs: []int{1}}}}, "a needs step 2 of 1"},
		{"an edge from no step", Run{ID: "x", Steps: steps, Edges: []Edge{{From: -1}}}, "a step comes after step 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.run.check("x")
			if tt.want == "" && err == nil {
				return
			}
			if !errors.Is(err, ErrDamaged) || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestOfTwoWritersOnlyOneGoesOn(t *testing.T) {
	f := newFixture(t)
	var lost atomic.Int64
	opts := Options{Lost: func(string, error) { lost.Add(1) }}
	r := a("o", "x", "y")
	log, err := Start(t.Context(), r, []Target{{here, f.admin()}}, opts)
	if err != nil {
		t.Fatal(err)
	}
	secrets := f.server.Client().CoreV1().Secrets(f.namespace)
	stored, err := secrets.Get(t.Context(), "flotilla-run-"+r.ID, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored.Labels["team"] = "blue" // who only labels it does not count
	if stored, err = secrets.Update(t.Context(), stored, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := log.Commit(t.Context(), id("x"), running); err != nil {
		t.Fatalf("a label kept the record from being written: %v", err)
	}
	if err := secrets.Delete(t.Context(), stored.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := log.Commit(t.Context(), id("x"), running); err != nil || len(f.list("o")) != 1 {
		t.Fatalf("a record that was deleted did not come back: %v", err)
	}
	r.Sequence = 1000
	other := entry{store: f.admin(), name: stored.Name}
	if stored, err = secrets.Get(t.Context(), stored.Name, metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	other.version = stored.ResourceVersion
	if err := other.write(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if err := log.Commit(t.Context(), id("y"), running); !errors.Is(err, ErrTaken) {
		t.Errorf("the writer that was there first got %v, want ErrTaken", err)
	}
	select {
	case <-log.Taken():
	default:
		t.Error("the log does not tell that its record is taken")
	}
	if err := log.Finish(t.Context(), func(*Run) {}); err != nil || lost.Load() != 1 {
		t.Errorf("finishing gave %v; Lost was told %d times, want 1", err, lost.Load())
	}
	if s := f.list("o")[0].Steps[1].State; s == StateRunning {
		t.Error("the record of the other writer was overwritten")
	}
}

func TestWhoMayNotWriteIsToldOnceAndGoesOnUnlessARecordIsRequired(t *testing.T) {
	f := newFixture(t)
	limited := f.server.ServiceAccountKubeconfig(t, f.namespace, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list"}})
	c, err := cluster.New(cluster.Options{Kubeconfig: limited}).Get("")
	if err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{f.namespace, "j-not-there"} {
		var told []error
		target := []Target{{here, NewStore(c, namespace)}}
		log, err := Start(t.Context(), a("o", "x"), target, Options{Lost: func(_ string, err error) { told = append(told, err) }})
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Commit(t.Context(), id("x"), running); err != nil {
			t.Errorf("a step does not start: %v", err)
		}
		if err := log.Finish(t.Context(), func(*Run) {}); err != nil {
			t.Error(err)
		}
		if len(told) != 1 || !errors.Is(told[0], cluster.ErrForbidden) || !strings.Contains(told[0].Error(), "create secrets in namespace "+namespace) {
			t.Errorf("told %v", told)
		}
		if _, err = Start(t.Context(), a("o", "x"), target, Options{Required: true}); !errors.Is(err, cluster.ErrForbidden) {
			t.Errorf("a run that requires a record starts with %v", err)
		}
	}
	if left := f.secrets(); len(left) != 0 {
		t.Errorf("%d Secrets are there", len(left))
	}
}

func TestARunThatRequiresRecordsLeavesNoneWhereOneClusterRefuses(t *testing.T) {
	f := newFixture(t)
	limited := f.server.ServiceAccountKubeconfig(t, f.namespace)
	_, err := Start(t.Context(), a("o", "x"), []Target{{here, f.admin()}, {"there", f.store(limited)}}, Options{Required: true})
	if !errors.Is(err, cluster.ErrForbidden) {
		t.Errorf("got %v, want ErrForbidden", err)
	}
	if left := f.secrets(); len(left) != 0 {
		t.Errorf("%d records are there of a run that did not take place", len(left))
	}
}

func TestConnectionsThatBreakAreTriedAgain(t *testing.T) {
	f := newFixture(t)
	log, err := Start(t.Context(), a("o", "x"), []Target{{here, f.admin()}}, Options{Required: true})
	if err != nil {
		t.Fatal(err)
	}
	var broken atomic.Int64
	f.fail.Store(func(r *http.Request) error {
		if r.Method == http.MethodPut && broken.Add(1) <= 2 {
			return errors.New("connection reset by peer")
		}
		return nil
	})
	if err := log.Commit(t.Context(), id("x"), running); err != nil {
		t.Error(err)
	}
	if broken.Load() != 3 || f.list("o")[0].Steps[0].State != StateRunning {
		t.Errorf("%d attempts left the step %s", broken.Load(), f.list("o")[0].Steps[0].State)
	}
	if err := log.Finish(t.Context(), func(*Run) {}); err != nil {
		t.Error(err)
	}
}

func TestAWriteWhoseAnswerIsLostIsTakenForOurs(t *testing.T) {
	f := newFixture(t)
	store := f.admin()
	r := a("o", "x")
	log, err := Start(t.Context(), r, []Target{{here, store}}, Options{Required: true})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	f.fail.Store(func(req *http.Request) error {
		lost := error(nil)
		if req.Method == http.MethodPut {
			once.Do(func() {
				secrets := f.server.Client().CoreV1().Secrets(f.namespace)
				stored, err := secrets.Get(context.Background(), "flotilla-run-"+r.ID, metav1.GetOptions{})
				if err != nil {
					t.Error(err)
				}
				stored.Annotations[sequenceOf] = "2" // as the write has, that arrived
				if _, err := secrets.Update(context.Background(), stored, metav1.UpdateOptions{}); err != nil {
					t.Error(err)
				}
				lost = errors.New("unexpected EOF")
			})
		}
		return lost
	})
	if err := log.Commit(t.Context(), id("x"), running); err != nil {
		t.Error(err)
	}
	if err := log.Finish(t.Context(), func(*Run) {}); err != nil {
		t.Error(err)
	}
}

func TestAnInterruptEndsTheWaitForTheRecord(t *testing.T) {
	f := newFixture(t)
	log, err := Start(t.Context(), a("o", "x"), []Target{{here, f.admin()}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.fail.Store(func(*http.Request) error { return errors.New("connection reset by peer") })
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("interrupted"))
	defer cancel()
	if err := log.Commit(ctx, id("x"), running); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("waiting ended with %v", err)
	}
	_ = log.Finish(ctx, func(*Run) {})
}

func TestOutlook(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name string
		run  Run
		want Outcome
	}{
		{"it gave a sign of life just now", Run{Outcome: OutcomeRunning, Updated: now.Add(-beat)}, OutcomeRunning},
		{"it gave none for long", Run{Outcome: OutcomeRunning, Updated: now.Add(-time.Minute)}, OutcomeCutOff},
		{"it has ended long ago", Run{Outcome: OutcomeUndone, Updated: now.Add(-time.Hour), Finished: now.Add(-time.Hour)}, OutcomeUndone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.run.Outlook(now); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
