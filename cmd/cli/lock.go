package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/journal"
	"github.com/flotilla-sh/flotilla/state/lease"
)

// lockFlags say how runs of one owner keep out of each other's way.
type lockFlags struct {
	Lock        string        `enum:"auto,required,off" default:"auto" env:"FLOTILLA_LOCK" help:"Keep other runs of these state files from writing at the same time: auto (where this user may not lock, warn and go on), required (or else write nothing), off."`
	LockTimeout time.Duration `placeholder:"DURATION" env:"FLOTILLA_LOCK_TIMEOUT" help:"Wait that long for a run that holds the lock, such as 10m; default: not at all."`
}

const (
	lockRequired = "required"
	lockOff      = "off"
)

// planned makes a plan. Where that meets a release at which another operation may
// still be at work, a run that may wait does: it takes the lock, and then plans
// anew, under the lock that it gives (nil: it was not needed).
func (s *session) planned(ctx context.Context, f *fleet, q changeRequest, anew func() (*plan.Plan, error)) (*plan.Plan, *lease.Lock, error) {
	p, busy := anew()
	if !errors.Is(busy, plan.ErrBusy) || q.run.LockTimeout == 0 {
		return p, nil, busy
	}
	lock, err := s.lockIn(ctx, contextsIn(f.releases), q)
	switch {
	case err != nil:
		return nil, nil, interrupted(ctx, err)
	case !lock.Held():
		return nil, nil, busy
	case lock.Waited():
		err = s.tell("Another run has ended: planning anew.")
	}
	if err == nil {
		p, err = anew()
	}
	return p, lock, err
}

// executeAlone executes a plan while no other run of the same owner writes. When
// it had to wait for one the plan may not fit any more: what is not reviewed is
// planned anew then. A run that has the lock already keeps it until it ends.
func (s *session) executeAlone(ctx context.Context, w executor.Workers, p *plan.Plan, q changeRequest) error {
	w, err := s.gated(w, p, q)
	if err != nil {
		return err
	}
	q.expected = s.expecting(ctx, p, q)
	if q.lock != nil {
		return s.execute(ctx, w, p, q)
	}
	lock, now, err := s.locked(ctx, p, q)
	if err != nil {
		return err
	}
	defer s.release(ctx, lock)
	if now != p {
		if w, err = s.gated(w, now, q); err != nil || !now.Changed() {
			return err
		}
	}
	q.lock = lock
	return s.execute(ctx, w, now, q)
}

// locked takes the lock of every cluster that a plan writes to. A plan that is made
// anew because the lock was waited for may write to others: it takes the lock of
// all of them, and looks again.
func (s *session) locked(ctx context.Context, p *plan.Plan, q changeRequest) (*lease.Lock, *plan.Plan, error) {
	for moved := false; ; moved = true {
		lock, err := s.lock(ctx, p, q)
		if err != nil {
			return nil, nil, interrupted(ctx, err)
		}
		if !lock.Waited() && !moved {
			return lock, p, nil
		}
		now, err := s.still(ctx, p, q)
		if err != nil {
			s.release(ctx, lock)
			return nil, nil, err
		}
		if covers(contextsOf(p), contextsOf(now)) {
			return lock, now, nil
		}
		s.release(ctx, lock)
		s.fence.reins.Store(nil)
		p = now
	}
}

// covers reports whether all of the names are among others.
func covers(all, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(all, name) })
}

// still looks whether the cluster is as the plan found it: what it writes to of a
// plan that is reviewed, and everything of one that may be made anew.
func (s *session) still(ctx context.Context, p *plan.Plan, q changeRequest) (*plan.Plan, error) {
	ids, check := writing(p), p.Still
	if q.again != nil {
		check, ids = p.Unmoved, nil
		for _, step := range p.Steps {
			ids = append(ids, step.Release.ID)
		}
	}
	have, err := s.clusters().Read(ctx, ids)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	err = check(have)
	switch {
	case err == nil:
		return p, nil
	case !errors.Is(err, state.ErrStale):
		return nil, err
	case q.again == nil:
		return nil, errors.Join(errors.New("the plan is stale: another run changed releases while this one waited for the lock: nothing was written; plan anew"), err)
	}
	if err := s.tell("Another run changed releases meanwhile: planning anew."); err != nil {
		return nil, err
	}
	return q.again()
}

// lock takes the lock of a plan's owner in every cluster that it writes to.
func (s *session) lock(ctx context.Context, p *plan.Plan, q changeRequest) (*lease.Lock, error) {
	return s.lockIn(ctx, contextsOf(p), q)
}

func (s *session) lockIn(ctx context.Context, contexts []string, q changeRequest) (*lease.Lock, error) {
	required := q.run.Lock == lockRequired
	switch {
	case q.run.Lock == lockOff:
		return &lease.Lock{}, nil
	case q.owner.ID == "" && required:
		return nil, errors.New("the plan was saved by a version of flotilla that did not lock: --lock=required cannot be had; plan anew")
	case q.owner.ID == "":
		return &lease.Lock{}, nil
	}
	var clusters []*cluster.Cluster
	for _, name := range contexts {
		c, err := s.clusters().Get(name)
		if err != nil {
			return nil, err
		}
		clusters = append(clusters, c)
	}
	opts := lease.Options{Timeout: q.run.LockTimeout, Waiting: s.waiting, Took: s.took}
	if !required {
		opts.Denied = func(err error) {
			s.view.Warn("other runs are not kept from writing at the same time: " + err.Error() +
				" (--lock=off: this is fine; --lock=required: do not go on without the lock)")
		}
	}
	lock, err := lease.Acquire(ctx, clusters, q.owner, s.holder(), opts)
	if err != nil {
		return nil, fmt.Errorf("nothing was written: %w", err)
	}
	s.fence.reins.Store(&reins{lock: lock})
	return lock, nil
}

func (s *session) waiting(h lease.Held) {
	// That nobody reads it is no reason to stop.
	_ = s.tell(fmt.Sprintf("Waiting for the lock in context %s: %s has it.", h.Context, h.Holder))
}

// took warns of a run that did not give the lock back. Whoever goes on with that
// run knows.
func (s *session) took(h lease.Held) {
	if h.Holder.Run == s.run {
		return
	}
	if words := strings.Fields(h.Holder.Command); len(words) > 0 && words[0] == fixCommand {
		s.view.Warn(fmt.Sprintf("context %s: %s had the lock and did not give it back: run %s was cut off; flotilla history show %s tells what to do about it",
			h.Context, h.Holder, h.Holder.Run, h.Holder.Run+s.where()))
		return
	}
	s.view.Warn(fmt.Sprintf("context %s: %s had the lock and did not give it back: run %s was cut off; flotilla resume %s finishes it, and with --undo puts it back",
		h.Context, h.Holder, h.Holder.Run, h.Holder.Run+s.where()))
}

func (s *session) release(ctx context.Context, lock *lease.Lock) {
	if err := lock.Release(ctx); err != nil {
		s.view.Warn(err.Error())
	}
}

// holder is how this run names itself to others.
func (s *session) holder() lease.Holder {
	by := who()
	h := lease.Holder{
		Run: s.runID(), User: by.User, Host: by.Host, PID: os.Getpid(),
		Command: strings.Fields(s.command)[0],
	}
	if s.globals.Environment != "default" && s.given["environment"] {
		h.Command += " -e " + s.globals.Environment
	}
	if job := journal.JobOf(s.env.Lookup); job != nil {
		h.Job = job.URL
	}
	return h
}

// reins hold a run back that may not write any more: one that has lost its lock,
// or that never had one and with which somebody else goes on. It is an
// executor.Fence.
type reins struct {
	lock  *lease.Lock
	taken <-chan struct{} // of the record; nil: there is none
}

// Check implements executor.Fence.
func (r *reins) Check(ctx context.Context) error {
	if r.lock.Held() {
		return r.lock.Await(ctx)
	}
	select {
	case <-r.taken:
		return journal.ErrTaken
	default:
		return nil
	}
}

// Lost implements executor.Fence.
func (r *reins) Lost() <-chan struct{} {
	if r.lock.Held() {
		return r.lock.Lost()
	}
	return r.taken
}

// fence keeps every request of a run that may not write any more from changing
// anything, wherever in an operation it stands. Before there is a run all may pass.
type fence struct{ reins atomic.Pointer[reins] }

func (f *fence) wrap(next http.RoundTripper) http.RoundTripper { return fenced{f, next} }

// fenced is the way to one cluster.
type fenced struct {
	fence *fence
	next  http.RoundTripper
}

// RoundTrip passes a request on that may pass.
func (f fenced) RoundTrip(r *http.Request) (*http.Response, error) {
	if reins := f.fence.reins.Load(); reins != nil && writes(r) {
		if err := reins.Check(r.Context()); err != nil {
			if r.Body != nil {
				_ = r.Body.Close() // as a RoundTripper has to
			}
			return nil, err
		}
	}
	return f.next.RoundTrip(r)
}

// writes reports whether a request may change something beside the lock itself
// and the record of the run, which is nobody else's.
func writes(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	default:
		// A server may be behind a path.
		return !strings.Contains(r.URL.Path, "/apis/coordination.k8s.io/") && !strings.Contains(r.URL.Path, "/secrets/"+journal.NamePrefix)
	}
}

// WrappedRoundTripper gives what is below, as client-go asks for it.
func (f fenced) WrappedRoundTripper() http.RoundTripper { return f.next }

// everywhere tells whom the state files' releases belong to, and which contexts
// they are in.
func (s *session) everywhere(ctx context.Context) (spec.Owner, []string, error) {
	loaded, _, err := s.read(ctx, request{})
	if err != nil {
		return spec.Owner{}, nil, interrupted(ctx, err)
	}
	owner, err := loaded.Owner()
	if err != nil {
		return owner, nil, err
	}
	bound, err := loaded.Bind(s.clusters().Resolve)
	if err != nil {
		return owner, nil, err
	}
	var contexts []string
	for _, r := range bound.Releases {
		contexts = append(contexts, r.ID.Context)
	}
	return owner, sortedOnce(contexts), nil
}
