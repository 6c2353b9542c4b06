package lease

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// Options are the ways to take a lock. The zero value does not wait.
type Options struct {
	Timeout  time.Duration // how long to wait for another run, over all clusters
	Duration time.Duration // of the lease, in whole seconds; zero: Duration
	// Waiting is told whom the run waits for, and again when that is another one.
	Waiting func(Held)
	// Took is told whose lease had expired when the run took it over; nil: nobody is.
	Took func(Held)
	// Denied is told which cluster refuses this user the lock, which is then done
	// without there. Nil: that is an error, cluster.ErrForbidden.
	Denied func(error)
}

// asking is how often a Lease is asked for that cannot be watched.
const asking = 5 * time.Second

// maxTries bounds how often the Lease is written when it is not told whether that
// was done.
const maxTries = 3

// Acquire takes the lock of an owner in every one of the clusters, or in none.
// Two contexts may lead to one cluster, which is then locked once. The order is
// the same in every run, so two that wait for each other do not exist. Errors:
// *HeldError; what cluster.Cluster.Explain gives; the cause of ctx.
func Acquire(ctx context.Context, clusters []*cluster.Cluster, owner spec.Owner, me Holder, opts Options) (*Lock, error) {
	ctx = cluster.Urgent(ctx)
	if opts.Duration == 0 {
		opts.Duration = Duration
	}
	began := time.Now()
	clusters = slices.Clone(clusters)
	slices.SortFunc(clusters, func(a, b *cluster.Cluster) int {
		return cmp.Or(cmp.Compare(a.Server(), b.Server()), cmp.Compare(a.Context(), b.Context()))
	})
	lock := &Lock{lost: make(chan struct{})}
	identity := me.identity() + "/" + rand.Text()
	for _, c := range clusters {
		a := attempt{store: store{c, owner}, me: me, identity: identity, opts: opts, began: began}
		one, err := a.run(ctx)
		lock.waited = lock.waited || a.waited
		switch {
		case errors.Is(err, cluster.ErrForbidden) && opts.Denied != nil:
			opts.Denied(err)
		case err != nil:
			return nil, errors.Join(err, lock.Release(ctx))
		case one != nil:
			lock.keep(one)
		}
	}
	return lock, nil
}

// attempt is one run's way to a Lease.
type attempt struct {
	store store
	me    Holder
	// identity is that of me in this call of Acquire alone: a run that is resumed
	// has the name of the one before, and in a new container its host and process
	// may as well.
	identity string
	opts     Options
	began    time.Time
	told     string // identity of whom the run waits for
	waited   bool
	first    time.Time // when this run tried to take the Lease first; zero: never
	tries    int
}

// run gives nil when this call of Acquire has the Lease already, by another context.
func (a *attempt) run(ctx context.Context) (*held, error) {
	for {
		now, err := a.store.get(ctx)
		if err != nil {
			return nil, a.interrupted(ctx, err)
		}
		by, err := a.store.held(ctx, now)
		if err != nil {
			return nil, a.interrupted(ctx, err)
		}
		switch {
		case by != nil && by.identity == a.identity && a.first.IsZero():
			return nil, nil
		case by != nil && by.identity == a.identity: // the answer to taking it was lost
			return a.holding(now, a.first), nil
		case by != nil && by.Expires > 0:
			if err := a.wait(ctx, now, by); err != nil {
				return nil, err
			}
			continue
		}
		one, err := a.take(ctx, now)
		switch {
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), now != nil && apierrors.IsNotFound(err):
			continue // somebody was faster, or it was this run and the answer was lost
		case a.tries < maxTries && (cluster.Transient(err) || timedOut(ctx, err)):
			continue
		case err != nil:
			return nil, a.interrupted(ctx, err)
		}
		if by != nil && a.opts.Took != nil {
			a.opts.Took(*by)
		}
		return one, nil
	}
}

// take is bounded: a Lease that is had late is about to expire.
func (a *attempt) take(ctx context.Context, now *coordinationv1.Lease) (*held, error) {
	write := a.store.update
	if now == nil {
		write = a.store.create
	}
	ctx, cancel := context.WithTimeout(ctx, a.opts.Duration/3)
	defer cancel()
	a.tries++
	a.me.Since = time.Now()
	if a.first.IsZero() {
		a.first = a.me.Since
	}
	l, err := write(ctx, a.store.taken(now, a.me, a.identity, a.opts.Duration))
	if err != nil {
		return nil, err
	}
	return a.holding(l, a.me.Since), nil
}

// timedOut reports whether a bound ended what ctx would have let go on.
func timedOut(ctx context.Context, err error) bool {
	return ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded)
}

// holding is a Lease that this run has. It counts from before it was asked for.
func (a *attempt) holding(l *coordinationv1.Lease, sent time.Time) *held {
	h := &held{store: a.store, identity: a.identity, lasts: a.opts.Duration, lease: l, renewed: make(chan struct{})}
	h.goesOn(sent)
	return h
}

// wait returns when it is worth while to look again.
func (a *attempt) wait(ctx context.Context, now *coordinationv1.Lease, by *Held) error {
	left := a.opts.Timeout - time.Since(a.began)
	if left <= 0 {
		e := &HeldError{Held: *by, Owner: a.store.owner}
		if a.waited {
			e.Waited = time.Since(a.began)
		}
		return e
	}
	if a.told != by.identity && a.opts.Waiting != nil {
		a.opts.Waiting(*by)
	}
	a.told, a.waited = by.identity, true
	again := min(left, by.Expires)
	var changes <-chan struct{}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	if w := a.store.watch(ctx, now); w != nil {
		defer w.Stop()
		changed := make(chan struct{})
		changes = changed
		go func() { // ends with the watch
			<-w.ResultChan()
			close(changed)
		}()
	} else {
		again = min(again, asking)
	}
	timer := time.NewTimer(again)
	defer timer.Stop()
	select {
	case <-changes:
	case <-timer.C:
	case <-ctx.Done():
		if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
			return cause
		}
	}
	return nil
}

// interrupted says who cancelled instead of what was cut off by that.
func (a *attempt) interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
