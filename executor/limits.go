package executor

import (
	"context"
	"errors"

	"github.com/flotilla-sh/flotilla/spec"
)

// ErrTimeout: the run took longer than Options.Timeout.
var ErrTimeout = errors.New("the time of the run is over")

// timed gives the context of a run's steps. What is put back has its own time.
func (o Options) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.Timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, o.Timeout, ErrTimeout)
}

// Limits bound the steps that run at once; zero: no bound.
type Limits struct {
	Cluster   int // of one cluster
	Namespace int // of one namespace of a cluster
}

// slots count the steps that run.
type slots struct {
	all    int
	limits Limits

	running    int
	clusters   map[string]int
	namespaces map[spec.ReleaseID]int // by context and namespace
}

func newSlots(o Options) *slots {
	return &slots{all: o.Concurrency, limits: o.Limits, clusters: map[string]int{}, namespaces: map[spec.ReleaseID]int{}}
}

func namespaceOf(id spec.ReleaseID) spec.ReleaseID {
	return spec.ReleaseID{Context: id.Context, Namespace: id.Namespace}
}

// free reports whether a step of a release may start.
func (s *slots) free(id spec.ReleaseID) bool {
	return s.running < s.all &&
		(s.limits.Cluster <= 0 || s.clusters[id.Context] < s.limits.Cluster) &&
		(s.limits.Namespace <= 0 || s.namespaces[namespaceOf(id)] < s.limits.Namespace)
}

func (s *slots) take(id spec.ReleaseID) { s.add(id, 1) }

func (s *slots) give(id spec.ReleaseID) { s.add(id, -1) }

func (s *slots) add(id spec.ReleaseID, n int) {
	s.running += n
	s.clusters[id.Context] += n
	s.namespaces[namespaceOf(id)] += n
}
