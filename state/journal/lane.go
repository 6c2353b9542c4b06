package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/state/cluster"
)

// lane writes the record into one cluster. A single goroutine owns it and its
// entry; what Log.mu guards is said below.
type lane struct {
	log      *Log
	context  string
	entry    entry
	sequence int

	now  chan struct{} // somebody waits
	soon chan struct{} // nobody does

	// Guarded by Log.mu.
	written int           // version that is stored; -1: none
	failed  error         // nothing is written any more
	wrote   chan struct{} // closed when written or failed changes
}

func newLane(l *Log, t Target, name string) *lane {
	return &lane{
		log: l, context: t.Context, entry: entry{store: t.Store, name: name},
		now: make(chan struct{}, 1), soon: make(chan struct{}, 1), written: -1, wrote: make(chan struct{}),
	}
}

// work writes until the log ends or the cluster takes no records. It outlives
// the interrupt of a run, whose undo is recorded, too.
func (l *lane) work(ctx context.Context) {
	ctx = cluster.Urgent(context.WithoutCancel(ctx))
	if err := l.settle(l.flush(ctx)); err != nil {
		return
	}
	l.log.tasks.Go(func() { l.prune(ctx) })
	for {
		overdue := false
		select {
		case <-l.now:
		case <-l.soon:
			select {
			case <-l.now:
			case <-time.After(linger):
			case <-l.log.stop:
			}
		case <-time.After(beat):
			overdue = true
		case <-l.log.stop: // whoever stops may not have waited
			if l.behind() {
				_ = l.settle(l.flush(ctx))
			}
			return
		}
		if !overdue && !l.behind() {
			continue // what the signal was about went along with an earlier one
		}
		if err := l.settle(l.flush(ctx)); err != nil {
			return
		}
	}
}

// behind reports whether the stored record is not the current one.
func (l *lane) behind() bool {
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	return l.written < l.log.version
}

// settle tells whoever waits what became of a write.
func (l *lane) settle(version int, err error) error {
	l.log.mu.Lock()
	if errors.Is(err, ErrTaken) {
		l.log.lose()
	}
	l.written, l.failed = max(l.written, version), err
	close(l.wrote)
	l.wrote = make(chan struct{})
	l.log.mu.Unlock()
	if err != nil {
		l.log.opts.Lost(l.context, err)
	}
	return err
}

// wait returns when a version is stored, or never will be.
func (l *lane) wait(ctx context.Context, version int) error {
	for {
		l.log.mu.Lock()
		written, failed, wrote := l.written, l.failed, l.wrote
		l.log.mu.Unlock()
		switch {
		case written >= version:
			return nil
		case failed != nil && (l.log.opts.Required || errors.Is(failed, ErrTaken)):
			return failed
		case failed != nil:
			return nil
		}
		select {
		case <-wrote:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// flush stores the record as it is, trying again while that may help.
func (l *lane) flush(ctx context.Context) (int, error) {
	r, version := l.log.snapshot(l.context)
	began := time.Now()
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, 4*time.Second) {
		l.sequence++
		r.Sequence = l.sequence
		err := l.write(ctx, &r)
		if err == nil {
			return version, nil
		}
		if !passing(err) || time.Since(began) > patience {
			return -1, err
		}
		select {
		case <-time.After(delay):
		case <-l.log.stop:
			return -1, err
		}
	}
}

// errMoved: the stored record is not the one that was written last, but nobody
// else's, either.
var errMoved = errors.New("the record was touched")

// passing reports whether a write may succeed later.
func passing(err error) bool {
	return errors.Is(err, errMoved) || errors.Is(err, cluster.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) ||
		apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err)
}

func (l *lane) write(ctx context.Context, r *Run) error {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	err := l.entry.write(ctx, r)
	switch {
	case apierrors.IsNotFound(err) && l.entry.version == "":
		if err := l.entry.store.createNamespace(ctx); err != nil {
			return err
		}
		return l.entry.write(ctx, r)
	case apierrors.IsNotFound(err), apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return l.entry.adopt(ctx, r)
	default:
		return err
	}
}

// adopt finds out what is stored in place of what was written last: a write of
// ours whose answer was lost, what somebody put a label on, or nothing.
func (e *entry) adopt(ctx context.Context, r *Run) error {
	stored, err := e.store.secrets().Get(ctx, e.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		e.version = ""
		return errMoved
	case err != nil:
		return e.store.explain(err, "get")
	case stored.Labels[labelRun] != r.ID || sequence(stored) > r.Sequence:
		return fmt.Errorf("%w: Secret %s in namespace %s", ErrTaken, e.name, e.store.namespace)
	default:
		e.version = stored.ResourceVersion
		return errMoved
	}
}

// createNamespace makes the namespace of the records, which has no need to be
// there before the first run.
func (s *Store) createNamespace(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: s.namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "flotilla"},
	}}
	_, err := s.cluster.Kubernetes().CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return s.cluster.Explain(err, cluster.Access{Verb: "create", Resource: "namespaces"})
	}
	return nil
}

// prune deletes old records while the run goes on.
func (l *lane) prune(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	err := l.entry.store.Prune(ctx, l.log.run.Owner, l.log.opts.Keep)
	if err == nil {
		return
	}
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	l.log.unclean = errors.Join(l.log.unclean, fmt.Errorf("deleting old records of runs: %w", err))
}

// discard takes a record back: its run does not take place.
func (l *lane) discard(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attempt)
	defer cancel()
	if l.entry.version != "" {
		_ = l.entry.store.secrets().Delete(ctx, l.entry.name, metav1.DeleteOptions{}) // a record in which all is pending tells the same
	}
}
