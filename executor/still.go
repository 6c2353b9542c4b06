package executor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Looker looks at what an undo leaves in the cluster.
type Looker interface {
	// Running reports whether a Job or Pod of a release is there, has not ended and is
	// not being deleted. An object without namespace is in the release's.
	Running(ctx context.Context, r spec.ReleaseID, object state.ObjectID) (bool, error)
}

const (
	// lookTime bounds the look at hooks, which only says more of what is told anyway.
	lookTime = 10 * time.Second
	// lookers is how many hooks are looked at at once.
	lookers = 16
)

// StillRunning is lost, where hooks that are still at work are told as that: an
// undo does not end them. What cannot be looked at stays as it is told.
func StillRunning(ctx context.Context, lost []plan.Lost, look Looker) []plan.Lost {
	if look == nil || !slices.ContainsFunc(lost, func(l plan.Lost) bool { return l.Hook }) {
		return lost
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	lost = slices.Clone(lost)
	var group errgroup.Group
	group.SetLimit(lookers)
	for i := range lost {
		l := &lost[i]
		if !l.Hook {
			continue
		}
		group.Go(func() error {
			if runs, err := look.Running(ctx, l.Release, l.Object); err == nil && runs {
				l.Why = "a hook that is still running, and nothing ends it; to end it: " + deletion(l.Release, l.Object)
			}
			return nil
		})
	}
	_ = group.Wait() // no look has an error that says more
	return lost
}

// deletion is a command that deletes an object.
func deletion(r spec.ReleaseID, object state.ObjectID) string {
	where := " --namespace " + cmp.Or(object.Namespace, r.Namespace)
	if r.Context != "" {
		where += " --context " + r.Context
	}
	return fmt.Sprintf("kubectl delete %s %s%s", strings.ToLower(object.Kind), object.Name, where)
}
