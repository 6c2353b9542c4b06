package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Restore puts back what the newest revision of r, which is deployed, has of the
// objects that drifted, as a new revision with the same content: no chart is
// needed. have is what the caller decided on: state.ErrStale tells that it moved.
// Objects that are not named are not touched, and chart hooks do not run, for
// nothing is released. A field that another manager has is taken only where the
// object names it as drifted and forceConflicts is set; else it is a conflict. What
// others have of the other fields stays theirs.
func (e *Engine) Restore(ctx context.Context, r spec.Release, have state.Release, drifted state.Drifted) (state.Trace, error) {
	o, err := e.begin(ctx, r)
	if err != nil {
		return state.Trace{}, fmt.Errorf("putting back %s: %w", r.ID, err)
	}
	err = o.run("putting back", func() error { return o.restore(have, drifted) })
	return o.trace(), err
}

func (o *operation) restore(have state.Release, drifted state.Drifted) error {
	if err := o.expect(have); err != nil {
		return err
	}
	last := have.Last()
	if last == nil || last.Status != state.StatusDeployed {
		return fmt.Errorf("%w: nothing is deployed", ErrNoRevision)
	}
	options := o.release.Options
	back := action.NewRollback(o.config)
	back.Version = last.Number
	back.Description = fmt.Sprintf("Drift put back, as revision %d", last.Number)
	back.ServerSideApply = serverSide(options)
	back.ForceReplace = options.ForceReplace
	back.DisableHooks = true
	back.WaitStrategy, back.WaitForJobs = strategy(options), waitForJobs(options)
	back.Timeout, back.MaxHistory = timeoutOf(options.Timeout), options.HistoryMax
	o.client.repairs = &repairs{drifted: drifted, take: options.ForceConflicts}
	o.left.Began = true
	return back.Run(o.release.ID.Name)
}

// repairs narrow an update to what drifted. Nil: an update is what Helm makes of
// it.
type repairs struct {
	drifted state.Drifted
	take    bool // drifted fields from other managers
}

func (r *repairs) narrow(list kube.ResourceList) kube.ResourceList {
	if r == nil {
		return list
	}
	return list.Filter(func(info *resource.Info) bool {
		_, drifted := r.drifted[objectID(info)]
		return drifted
	})
}

// applying applies an object in the way that the operation asks for.
func (c *client) applying(before, target kube.ResourceList, wanted runtime.Object, options []kube.ClientUpdateOption) (*kube.Result, error) {
	if c.repairs != nil {
		return c.repairing(before, target, wanted, options)
	}
	return c.yielding(before, target, wanted, options)
}

// repairing applies an object, and where others have fields of it leaves them
// those that did not drift.
func (c *client) repairing(before, target kube.ResourceList, wanted runtime.Object, options []kube.ClientUpdateOption) (*kube.Result, error) {
	target[0].Object = wanted.DeepCopyObject()
	result, err := c.Client.Update(before, target, options...)
	if err == nil {
		return result, nil
	}
	drifted, others := c.repairs.split(objectID(target[0]), err)
	if len(drifted) > 0 && !c.repairs.take || len(drifted)+len(others) == 0 {
		return result, err
	}
	rest, ok := withoutFields(wanted, others)
	if !ok {
		return result, err
	}
	target[0].Object = rest
	return c.Client.Update(before, target, append(slices.Clip(options), kube.ClientUpdateOptionServerSideApply(true, len(drifted) > 0))...)
}

// split sorts the fields of a conflict; an error that is none has no fields.
func (r *repairs) split(object state.ObjectID, err error) (drifted, others []string) {
	var answer apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &answer) || !hasCause(answer.Status(), metav1.CauseTypeFieldManagerConflict) {
		return nil, nil
	}
	for _, cause := range answer.Status().Details.Causes {
		switch {
		case cause.Type != metav1.CauseTypeFieldManagerConflict:
		case slices.ContainsFunc(r.drifted[object], func(field string) bool { return strings.HasPrefix(cause.Field, field) }):
			drifted = append(drifted, cause.Field)
		default:
			others = append(others, cause.Field)
		}
	}
	return drifted, others
}
