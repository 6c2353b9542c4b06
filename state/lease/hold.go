package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/flotilla-sh/flotilla/state/cluster"
)

// Lock is held from Acquire until Release, or until it is lost. It renews itself.
// While that does not succeed in time it is suspended: nobody may write, and the
// next renewal that does succeed tells that nobody else had the lock meanwhile.
// The zero value is no lock: it excludes nobody and is never lost. Safe for
// concurrent use.
type Lock struct {
	waited bool
	leases []*held

	mu   sync.Mutex
	lost chan struct{}
	err  error
}

// held is one Lease of a Lock. Its own goroutine has it while keep runs.
type held struct {
	store    store
	identity string
	lasts    time.Duration
	lease    *coordinationv1.Lease // as it was written last
	stop     context.CancelFunc
	done     chan struct{}
	watchers sync.WaitGroup

	mu      sync.Mutex
	sent    time.Time     // when its last successful renewal was
	renewed chan struct{} // closed by the next one
}

// Waited reports whether another run had the lock: what was known of the
// cluster before may not be so any more.
func (l *Lock) Waited() bool { return l.waited }

// Held reports whether there is a lock at all: there is none where it was denied.
func (l *Lock) Held() bool { return len(l.leases) > 0 }

// Lost is closed when the lock is lost, and for good. It is not while the lock is
// suspended.
func (l *Lock) Lost() <-chan struct{} { return l.lost }

// Await is to be asked before every write: it gives ErrLost when the run has the
// lock no more. While the lock is suspended it waits, for about as long again as a
// lease lasts at most, or until ctx ends, whose cause it then gives. It asks no server.
func (l *Lock) Await(ctx context.Context) error {
	for {
		h, renewed, err := l.suspended()
		if h == nil || err != nil {
			return err
		}
		select {
		case <-renewed:
		case <-l.lost:
		case <-h.done: // given back, or being so: nobody renews it any more
			l.lose(h, notRenewed)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Why a lock is lost that nobody took.
const (
	notRenewed = "it could not be renewed in time, or this process stood still"
	stoodStill = "this process stood still while it was to be renewed"
)

// suspended gives a Lease that this run does not surely have, if there is one, and
// what its next renewal closes; or why the lock is lost.
func (l *Lock) suspended() (*held, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, nil, l.err
	}
	for _, h := range l.leases {
		if over, renewed := h.over(); over {
			return h, renewed, nil
		}
	}
	return nil, nil, nil
}

// over asks the monotonic clock, and the one that goes on while a machine sleeps.
func (h *held) over() (bool, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now, until := time.Now(), h.until()
	return now.After(until) || now.Round(0).After(until.Round(0)), h.renewed
}

// ends is until without the mutex.
func (h *held) ends() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.until()
}

// renewal is how long one renewal may take.
func (h *held) renewal() time.Duration { return h.lasts / 6 }

// stoodStill reports whether the Lease, which ends then, ran out because this
// process, and not a server, did nothing for long when it was to be renewed, beside
// what takes its time. Who does not know what happened meanwhile does not go on,
// whether anybody else had the lock or not. It asks the clock that goes on while a
// machine sleeps.
func (h *held) stoodStill(due, ends time.Time, takes time.Duration) bool {
	now := time.Now().Round(0)
	return now.After(ends.Round(0)) && now.Sub(due.Round(0)) > takes+h.lasts/3
}

// hopeless reports whether a renewal has been tried for long enough: as long after
// the lease was over as a lease lasts, which outlasts the restart of an API server.
// While a machine sleeps nothing is tried, and the monotonic clock stands still.
func (h *held) hopeless() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().After(h.until().Add(h.lasts))
}

// goesOn counts from when a successful renewal was sent.
func (h *held) goesOn(sent time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = sent
	close(h.renewed)
	h.renewed = make(chan struct{})
}

// until is how long this run may count on the Lease: a margin shorter than anybody
// else waits. It is asked with the mutex held.
func (h *held) until() time.Time { return h.sent.Add(h.lasts - h.lasts/6) }

// next is how long it is until the Lease is to be renewed; negative: it was.
func (h *held) next() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Until(h.sent.Add(h.lasts / 3))
}

func (l *Lock) lose(h *held, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = fmt.Errorf("context %s: %w: %s", h.store.cluster.Context(), ErrLost, why)
		close(l.lost)
	}
}

// Release gives the lock back, a suspended one as well: nobody else may have it.
// It outlives ctx a little: what interrupted the run must not keep others waiting.
// What is lost is left alone.
func (l *Lock) Release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(cluster.Urgent(context.WithoutCancel(ctx)), 10*time.Second)
	defer cancel()
	var errs []error
	for _, h := range l.leases {
		h.stop()
		<-h.done
	}
	if _, _, err := l.suspended(); err != nil {
		return nil
	}
	for _, h := range l.leases {
		if err := h.giveBack(ctx); err != nil {
			errs = append(errs, fmt.Errorf("giving the lock back, which expires in %s: %w", h.lasts, err))
		}
	}
	return errors.Join(errs...)
}

func (h *held) giveBack(ctx context.Context) error {
	for {
		_, err := h.store.update(ctx, free(h.lease))
		if !apierrors.IsConflict(err) {
			return ignoreNotFound(err)
		}
		now, err := h.store.get(ctx)
		if err != nil || holderOf(now) != h.identity {
			return err
		}
		h.lease = now
	}
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// keep renews the Lease until Release, and looks out for who takes it away.
func (l *Lock) keep(h *held) {
	ctx, cancel := context.WithCancel(cluster.Urgent(context.Background()))
	h.stop, h.done = cancel, make(chan struct{})
	l.leases = append(l.leases, h)
	go func() {
		defer close(h.done)
		l.renewing(ctx, h)
		cancel()
		h.watchers.Wait()
	}()
}

func (l *Lock) renewing(ctx context.Context, h *held) {
	due := time.Now().Add(max(h.next(), 0))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	changes := h.watch(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-changes:
			if !ok {
				changes = nil // until the next renewal
				continue
			}
			if why := h.takenAway(e); why != "" {
				l.lose(h, why)
				return
			}
		case <-timer.C:
			until := h.ends()
			if h.stoodStill(due, until, 0) {
				l.lose(h, stoodStill)
				return
			}
			again, why := h.renew(ctx)
			if why == "" && h.stoodStill(due, until, h.renewal()) {
				why = stoodStill
			}
			if why != "" && ctx.Err() == nil {
				l.lose(h, why)
				return
			}
			due = time.Now().Add(max(again, 0))
			timer.Reset(again)
			if changes == nil {
				changes = h.watch(ctx)
			}
		}
	}
}

// watch tells of changes, in a goroutine of its own: a server that does not
// answer must not keep the holder from noticing that. The channel is closed when
// there is no more to be had.
func (h *held) watch(ctx context.Context) <-chan watch.Event {
	changes, from := make(chan watch.Event), h.lease
	h.watchers.Go(func() {
		defer close(changes)
		w := h.store.watch(ctx, from)
		if w == nil {
			return
		}
		defer w.Stop()
		for e := range w.ResultChan() {
			select {
			case changes <- e:
			case <-ctx.Done():
				return
			}
		}
	})
	return changes
}

// takenAway says by whom, if an event tells that; empty: by nobody.
func (h *held) takenAway(e watch.Event) string {
	now, ok := e.Object.(*coordinationv1.Lease)
	switch {
	case e.Type == watch.Deleted:
		return h.by(nil)
	case ok && holderOf(now) != h.identity:
		return h.by(now)
	default:
		return ""
	}
}

// by says who has the Lease now.
func (h *held) by(now *coordinationv1.Lease) string {
	switch {
	case now == nil:
		return "its Lease was deleted"
	case now.Annotations[annotationBrokenHolder] == h.identity:
		return breakOf(now).String()
	case holderOf(now) == "":
		return "somebody took the holder out of its Lease"
	default:
		return "it was taken by " + describe(now).String()
	}
}

// renew says when to do it again, or why the lock is lost. A request that is cut
// off may have been carried out: then the next one meets a conflict with itself.
// What it writes over is the Lease as this run wrote it: that succeeds, however
// late, only if nobody else had it since.
func (h *held) renew(ctx context.Context) (again time.Duration, lost string) {
	every := h.lasts / 3
	ctx, cancel := context.WithTimeout(ctx, h.renewal())
	defer cancel()
	for {
		sent := time.Now()
		next, now := h.lease.DeepCopy(), metav1.NewMicroTime(sent)
		next.Spec.RenewTime = &now
		stored, err := h.store.update(ctx, next)
		switch {
		case err == nil:
			h.lease = stored
			h.goesOn(sent)
			return h.next(), ""
		case apierrors.IsNotFound(err):
			return 0, h.by(nil)
		case apierrors.IsConflict(err):
			seen, err := h.store.get(ctx)
			if err == nil && holderOf(seen) != h.identity {
				return 0, h.by(seen)
			}
			if err == nil {
				h.lease = seen
				continue
			}
		}
		if h.hopeless() {
			return 0, fmt.Sprintf("it could not be renewed in time: %v", err)
		}
		return every / 10, ""
	}
}
