package lease_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
	"github.com/flotilla-sh/flotilla/state/lease"
)

func TestMain(m *testing.M) { clustertest.MainWithoutLeaks(m) }

// short is the duration of leases here; it makes the margin half a second.
const short = 3 * time.Second

// line is the way of one run to a cluster, which can be cut.
type line struct {
	cut      atomic.Bool
	deaf     atomic.Int64 // so many writes are done, and their answers lost
	late     atomic.Int64 // nanoseconds that the next write takes to get there
	slow     atomic.Int64 // nanoseconds that the next answer to a write takes
	requests atomic.Int64
	next     http.RoundTripper
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	l.requests.Add(1)
	if l.cut.Load() {
		return nil, errors.New("the line is cut")
	}
	if r.Method != http.MethodGet {
		if err := hold(r.Context(), l.late.Swap(0)); err != nil {
			return nil, err
		}
	}
	answer, err := l.next.RoundTrip(r)
	if err == nil && r.Method != http.MethodGet {
		if err := hold(r.Context(), l.slow.Swap(0)); err != nil {
			_ = answer.Body.Close()
			return nil, err
		}
	}
	if err == nil && r.Method != http.MethodGet && l.deaf.Add(-1) >= 0 {
		_ = answer.Body.Close()
		return nil, syscall.ECONNRESET
	}
	return answer, err
}

func hold(ctx context.Context, nanoseconds int64) error {
	select {
	case <-time.After(time.Duration(nanoseconds)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fixture is an owner of a cluster that nobody else works for.
type fixture struct {
	*testing.T
	server *clustertest.Cluster
	owner  spec.Owner
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	server := clustertest.Start(t)
	return fixture{t, server, spec.Owner{ID: "shop, environment " + t.Name(), Namespace: server.Namespace(t)}}
}

// connect gives a cluster of its own to a run.
func (f fixture) connect(kubeconfig string) (*cluster.Cluster, *line) {
	f.Helper()
	l := &line{}
	c, err := cluster.New(cluster.Options{Kubeconfig: kubeconfig, UserAgent: "flotilla/test", WrapTransport: func(next http.RoundTripper) http.RoundTripper {
		l.next = next
		return l
	}}).Get("")
	if err != nil {
		f.Fatal(err)
	}
	return c, l
}

func holder(run string) lease.Holder {
	return lease.Holder{Run: run, User: "ann", Host: "ci-7", PID: 42, Job: "https://ci.example.com/jobs/1", Command: "apply"}
}

// acquire takes the lock for a run with a line of its own, and gives it back
// when the test ends.
func (f fixture) acquire(run string, opts lease.Options) (*lease.Lock, *line, error) {
	f.Helper()
	c, l := f.connect(f.server.Kubeconfig)
	if opts.Duration == 0 {
		opts.Duration = short
	}
	lock, err := lease.Acquire(f.Context(), []*cluster.Cluster{c}, f.owner, holder(run), opts)
	if err == nil {
		f.Cleanup(func() { _ = lock.Release(context.Background()) })
	}
	return lock, l, err
}

func (f fixture) must(run string, opts lease.Options) (*lease.Lock, *line) {
	f.Helper()
	lock, l, err := f.acquire(run, opts)
	if err != nil {
		f.Fatal(err)
	}
	return lock, l
}

// lostWithin waits until the lock is lost.
func (f fixture) lostWithin(lock *lease.Lock, most time.Duration) error {
	f.Helper()
	select {
	case <-lock.Lost():
	case <-time.After(most):
		f.Fatalf("the lock is not lost after %s", most)
	}
	err := lock.Await(context.Background())
	if !errors.Is(err, lease.ErrLost) {
		f.Fatalf("a lost lock says %v", err)
	}
	return err
}

func TestASecondRunIsToldWhoHoldsTheLock(t *testing.T) {
	f := newFixture(t)
	first, _ := f.must("one", lease.Options{Duration: time.Minute})
	_, _, err := f.acquire("two", lease.Options{})
	if !errors.Is(err, lease.ErrHeld) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"ann@ci-7 (process 42, https://ci.example.com/jobs/1) for apply since 20", "--lock-timeout", "flotilla unlock", f.owner.ID} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	var held *lease.HeldError
	if errors.As(err, &held); held.Expires < 50*time.Second || held.Expires > 63*time.Second {
		t.Errorf("it expires in %s", held.Expires)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	third, line := f.must("three", lease.Options{})
	if err := third.Release(t.Context()); err != nil || third.Waited() {
		t.Errorf("release: %v, waited %v", err, third.Waited())
	}
	if n := line.requests.Load(); n > 4 {
		t.Errorf("taking a free lock and giving it back asks %d times, want at most 4: get, update, watch, update", n)
	}
}

func TestAHolderThatRenewsKeepsItsLock(t *testing.T) {
	f := newFixture(t)
	lock, _ := f.must("one", lease.Options{})
	if _, _, err := f.acquire("two", lease.Options{Timeout: 3 * short}); !errors.Is(err, lease.ErrHeld) {
		t.Fatalf("another one after %s: %v", 3*short, err)
	}
	if err := lock.Await(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestALockIsHeldAlsoWhenNobodyHeardOfIt: first the Lease is created, then taken
// again; both times the answer is lost.
func TestALockIsHeldAlsoWhenNobodyHeardOfIt(t *testing.T) {
	f := newFixture(t)
	for _, run := range []string{"one", "two"} {
		c, l := f.connect(f.server.Kubeconfig)
		l.deaf.Store(1)
		lock, err := lease.Acquire(t.Context(), []*cluster.Cluster{c}, f.owner, holder(run), lease.Options{Duration: short})
		if err != nil {
			t.Fatalf("run %s: %v", run, err)
		}
		time.Sleep(short) // of this, a lock that does not renew itself is lost
		if err := lock.Await(context.Background()); err != nil {
			t.Errorf("run %s: %v", run, err)
		}
		if _, _, err := f.acquire("another", lease.Options{}); !errors.Is(err, lease.ErrHeld) {
			t.Errorf("run %s does not exclude another one: %v", run, err)
		}
		if err := lock.Release(t.Context()); err != nil {
			t.Errorf("run %s: %v", run, err)
		}
	}
}

// TestALockThatWasHadLateIsRenewedInTime: its time runs from when it was asked for.
func TestALockThatWasHadLateIsRenewedInTime(t *testing.T) {
	const lasts = 6 * time.Second
	tests := []struct {
		name  string
		delay func(*line) *atomic.Int64
		takes time.Duration
	}{
		{"its request gets there late", func(l *line) *atomic.Int64 { return &l.late }, lasts * 7 / 12},
		{"its answer takes long", func(l *line) *atomic.Int64 { return &l.slow }, lasts * 7 / 12},
		{"its answer takes almost too long", func(l *line) *atomic.Int64 { return &l.slow }, lasts * 3 / 12},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			c, l := f.connect(f.server.Kubeconfig)
			tt.delay(l).Store(int64(tt.takes))
			lock, err := lease.Acquire(t.Context(), []*cluster.Cluster{c}, f.owner, holder("one"), lease.Options{Duration: lasts})
			if err != nil {
				t.Fatal(err)
			}
			for began := time.Now(); time.Since(began) < lasts; time.Sleep(20 * time.Millisecond) {
				if err := f.mayWriteWithin(lock, time.Millisecond); err != nil {
					t.Fatalf("%s after it was had: %v", time.Since(began), err)
				}
			}
			if err := lock.Release(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAWaiterGetsTheLockWhenItIsGivenBack(t *testing.T) {
	f := newFixture(t)
	lock, _ := f.must("one", lease.Options{Duration: time.Minute})
	var once sync.Once
	var told lease.Held
	began := time.Now()
	second, _ := f.must("two", lease.Options{Timeout: time.Minute, Waiting: func(h lease.Held) {
		once.Do(func() { told = h; go func() { _ = lock.Release(context.Background()) }() })
	}})
	if !second.Waited() || told.Holder.Run != "one" || time.Since(began) > 20*time.Second {
		t.Errorf("waited %v for %+v, %s", second.Waited(), told, time.Since(began))
	}
}

func TestWaitingEndsWithTheRun(t *testing.T) {
	f := newFixture(t)
	f.must("one", lease.Options{Duration: time.Minute})
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	c, _ := f.connect(f.server.Kubeconfig)
	_, err := lease.Acquire(ctx, []*cluster.Cluster{c}, f.owner, holder("two"), lease.Options{Timeout: time.Minute, Waiting: func(lease.Held) { cancel(stop) }})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

// mayWriteWithin tells whether a write that may wait that long goes out.
func (f fixture) mayWriteWithin(lock *lease.Lock, most time.Duration) error {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), most)
	defer cancel()
	return lock.Await(ctx)
}

func TestAnExpiredLockIsTakenOverAndItsHolderWritesNoMore(t *testing.T) {
	f := newFixture(t)
	first, line := f.must("one", lease.Options{})
	line.cut.Store(true) // the run is killed, or cannot be reached
	blocked := make(chan time.Time, 1)
	second, _, err := f.acquire("two", lease.Options{Timeout: time.Minute, Waiting: func(lease.Held) {
		go func() {
			for f.mayWriteWithin(first, time.Millisecond) == nil {
				time.Sleep(10 * time.Millisecond)
			}
			blocked <- time.Now()
		}()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if margin := time.Since(<-blocked); margin < time.Second {
		t.Errorf("the second run got the lock %s after the first one had stopped to write", margin)
	}
	line.cut.Store(false)
	// Which of both it sees first is a matter of half a second with so short a lease.
	if err := f.lostWithin(first, short); !strings.Contains(err.Error(), "it was taken by ann@ci-7") && !strings.Contains(err.Error(), "it could not be renewed in time") {
		t.Errorf("got %v", err)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Errorf("releasing what is lost: %v", err)
	}
	if err := errors.Join(second.Await(context.Background()), f.heldBy("two")); err != nil {
		t.Error(err)
	}
	if !errors.Is(first.Await(context.Background()), lease.ErrLost) {
		t.Error("what is lost has come back")
	}
}

// TestALockOutlastsAnOutageInWhichNobodyElseHadIt: writes wait for the server.
func TestALockOutlastsAnOutageInWhichNobodyElseHadIt(t *testing.T) {
	f := newFixture(t)
	lock, line := f.must("one", lease.Options{})
	line.cut.Store(true)
	time.Sleep(short) // the margin before, it is not surely this run's
	if err := f.mayWriteWithin(lock, 200*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a write in the outage: %v", err)
	}
	written := make(chan error, 1)
	go func() { written <- lock.Await(context.Background()) }()
	select {
	case err := <-written:
		t.Fatalf("a write did not wait: %v", err)
	case <-lock.Lost():
		t.Fatalf("lost: %v", lock.Await(context.Background()))
	case <-time.After(short / 3):
	}
	line.cut.Store(false)
	if err := <-written; err != nil {
		t.Fatalf("a write after the outage: %v", err)
	}
	time.Sleep(short) // it renews itself again
	if err := errors.Join(f.mayWriteWithin(lock, time.Millisecond), f.heldBy("one")); err != nil {
		t.Error(err)
	}
}

func TestALockIsLostWhenItsServerStaysAway(t *testing.T) {
	f := newFixture(t)
	lock, line := f.must("one", lease.Options{})
	line.cut.Store(true)
	began := time.Now()
	err := lock.Await(context.Background())
	for ; err == nil; err = lock.Await(context.Background()) {
		time.Sleep(10 * time.Millisecond)
	}
	if took := time.Since(began); took < 3*short/2 || took > 3*short {
		t.Errorf("it was lost after %s", took)
	}
	if !errors.Is(err, lease.ErrLost) || !strings.Contains(err.Error(), "could not be renewed in time") || !strings.Contains(err.Error(), "the line is cut") {
		t.Errorf("got %v", err)
	}
	select {
	case <-lock.Lost():
	default:
		t.Error("nobody is told")
	}
}

// TestASuspendedLockIsGivenBack: the next run need not wait for its end.
func TestASuspendedLockIsGivenBack(t *testing.T) {
	f := newFixture(t)
	lock, line := f.must("one", lease.Options{Duration: 6 * time.Second})
	line.cut.Store(true)
	time.Sleep(11 * time.Second / 2)
	if err := f.mayWriteWithin(lock, time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a write in the outage: %v", err)
	}
	line.cut.Store(false)
	if err := lock.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.must("two", lease.Options{})
}

// heldBy wants to see that run as the holder.
func (f fixture) heldBy(run string) error {
	c, _ := f.connect(f.server.Kubeconfig)
	held, _, err := lease.Look(f.Context(), c, f.owner)
	if err != nil {
		return err
	}
	if held == nil || held.Holder.Run != run {
		return fmt.Errorf("held is %+v, want run %s", held, run)
	}
	return nil
}

func TestAHolderGoesOnAfterAShortOutage(t *testing.T) {
	f := newFixture(t)
	const lasts = 6 * time.Second
	lock, line := f.must("one", lease.Options{Duration: lasts})
	line.cut.Store(true)
	select {
	case <-lock.Lost():
		t.Fatal("lost at once")
	case <-time.After(lasts / 2):
	}
	line.cut.Store(false)
	select {
	case <-lock.Lost():
		t.Fatalf("lost: %v", lock.Await(context.Background()))
	case <-time.After(lasts):
	}
}

func TestFiveRunsAtOnceHoldTheLockOneAfterAnother(t *testing.T) {
	for _, runs := range []int{2, 5} {
		f := newFixture(t)
		f.owner.ID += fmt.Sprint(runs)
		var inside, most atomic.Int32
		var group sync.WaitGroup
		for i := range runs {
			c, _ := f.connect(f.server.Kubeconfig)
			group.Go(func() {
				lock, err := lease.Acquire(t.Context(), []*cluster.Cluster{c}, f.owner, holder(fmt.Sprint(i)), lease.Options{Duration: short, Timeout: time.Minute})
				if err != nil {
					t.Error(err)
					return
				}
				n := inside.Add(1)
				for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
				}
				time.Sleep(300 * time.Millisecond) // the work
				if err := lock.Await(context.Background()); err != nil {
					t.Error(err)
				}
				inside.Add(-1)
				if err := lock.Release(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if most.Load() != 1 {
			t.Errorf("%d of %d runs held the lock at once", most.Load(), runs)
		}
	}
}

func TestABrokenLockIsLostAtOnce(t *testing.T) {
	f := newFixture(t)
	lock, _ := f.must("one", lease.Options{Duration: time.Minute})
	c, _ := f.connect(f.server.Kubeconfig)
	held, before, err := lease.Look(t.Context(), c, f.owner)
	if err != nil || held == nil || before != nil {
		t.Fatalf("held %v, broken before %v, %v", held, before, err)
	}
	by := lease.Break{By: "bob@desk (process 1)", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Reason: "the job hangs"}
	if err := by.Take(t.Context(), c, f.owner, *held); err != nil {
		t.Fatal(err)
	}
	if err := f.lostWithin(lock, 15*time.Second); !strings.Contains(err.Error(), "broken by bob@desk (process 1) at 2026-01-02T03:04:05Z: the job hangs") {
		t.Errorf("got %v", err)
	}
	if err := by.Take(t.Context(), c, f.owner, *held); !errors.Is(err, lease.ErrFree) {
		t.Errorf("breaking it again: %v", err)
	}
	f.must("two", lease.Options{})
	if err := by.Take(t.Context(), c, f.owner, *held); !errors.Is(err, lease.ErrHeld) {
		t.Errorf("breaking the lock of somebody who came since: %v", err)
	}
	if _, last, err := lease.Look(t.Context(), c, f.owner); err != nil || last == nil || *last != by {
		t.Errorf("the record says %v, %v", last, err)
	}
}

func TestALockWhoseLeaseIsDeletedIsLost(t *testing.T) {
	f := newFixture(t)
	lock, _ := f.must("one", lease.Options{Duration: time.Minute})
	err := f.server.Client().CoordinationV1().Leases(f.owner.Namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.lostWithin(lock, 15*time.Second); !strings.Contains(err.Error(), "its Lease was deleted") {
		t.Errorf("got %v", err)
	}
}

func TestTwoContextsOfOneClusterAreLockedOnce(t *testing.T) {
	f := newFixture(t)
	one, _ := f.connect(f.server.Kubeconfig)
	two, _ := f.connect(f.server.Kubeconfig)
	lock, err := lease.Acquire(t.Context(), []*cluster.Cluster{one, two}, f.owner, holder("one"), lease.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.acquire("two", lease.Options{}); !errors.Is(err, lease.ErrHeld) {
		t.Errorf("another run: %v", err)
	}
	if err := errors.Join(lock.Await(context.Background()), lock.Release(t.Context())); err != nil {
		t.Error(err)
	}
	f.must("two", lease.Options{})
}

// TestARunOfTheSameNameIsAnotherHolder: one that is resumed in a new container may
// have the host and the process number of the one that was killed.
func TestARunOfTheSameNameIsAnotherHolder(t *testing.T) {
	f := newFixture(t)
	first, line := f.must("one", lease.Options{})
	if _, _, err := f.acquire("one", lease.Options{}); !errors.Is(err, lease.ErrHeld) || !strings.Contains(err.Error(), "locked by ann@ci-7 (process 42, ") {
		t.Errorf("while it is held: %v", err)
	}
	line.cut.Store(true)
	var waited, took lease.Held
	second, _, err := f.acquire("one", lease.Options{Timeout: time.Minute,
		Waiting: func(h lease.Held) { waited = h }, Took: func(h lease.Held) { took = h }})
	if err != nil {
		t.Fatal(err)
	}
	if waited.Holder.Run != "one" || took.Holder.Run != "one" || !second.Waited() || !second.Held() {
		t.Errorf("waited for %+v, took it from %+v", waited, took)
	}
	time.Sleep(short) // it renews itself
	line.cut.Store(false)
	// Which of both it sees first is a matter of half a second with so short a lease.
	if err := f.lostWithin(first, short); !strings.Contains(err.Error(), "it was taken by ann@ci-7") && !strings.Contains(err.Error(), "it could not be renewed in time") {
		t.Errorf("got %v", err)
	}
	if err := errors.Join(first.Release(t.Context()), f.mayWriteWithin(second, time.Millisecond), f.heldBy("one")); err != nil {
		t.Error(err)
	}
}

func TestTheNamespaceOfLocksIsCreated(t *testing.T) {
	f := newFixture(t)
	f.owner.Namespace += "-locks"
	namespaces := f.server.Client().CoreV1().Namespaces()
	t.Cleanup(func() { _ = namespaces.Delete(context.Background(), f.owner.Namespace, metav1.DeleteOptions{}) })
	f.must("one", lease.Options{})
	if _, err := namespaces.Get(t.Context(), f.owner.Namespace, metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

func TestRightsThatAreMissing(t *testing.T) {
	leases := func(verbs ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: verbs}
	}
	tests := []struct {
		name  string
		rules []rbacv1.PolicyRule
		want  string // empty: they suffice
	}{
		{"none", nil, "not allowed to get leases.coordination.k8s.io in namespace "},
		{"to look only", []rbacv1.PolicyRule{leases("get")}, "not allowed to create leases.coordination.k8s.io in namespace "},
		{"to watch is no must", []rbacv1.PolicyRule{leases("get", "create", "update")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			c, _ := f.connect(f.server.ServiceAccountKubeconfig(t, f.owner.Namespace, tt.rules...))
			take := func(opts lease.Options) (*lease.Lock, error) {
				return lease.Acquire(t.Context(), []*cluster.Cluster{c}, f.owner, holder("one"), opts)
			}
			var denied error
			lock, err := take(lease.Options{Denied: func(err error) { denied = err }})
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(lock.Await(context.Background()), lock.Release(t.Context())); err != nil {
				t.Error(err)
			}
			if (denied != nil) != (tt.want != "") || denied != nil && !strings.Contains(denied.Error(), tt.want) {
				t.Errorf("denied: %v, want %q", denied, tt.want)
			}
			lock, err = take(lease.Options{})
			if err == nil {
				defer func() { _ = lock.Release(context.Background()) }()
			}
			if errors.Is(err, cluster.ErrForbidden) != (tt.want != "") || err != nil && !apierrors.IsForbidden(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}
