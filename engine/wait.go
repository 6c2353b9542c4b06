package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/dynamic"

	"github.com/flotilla-sh/flotilla/state"
)

// ErrNotReady: objects did not become what was waited for.
var ErrNotReady = errors.New("not ready")

// waiter waits as Helm's watcher strategy does: until all objects are current
// or failed by kstatus. It watches single objects instead of whole namespaces.
type waiter struct {
	client    *client
	hooksOnly bool // Helm's hookOnly strategy
	legacy    bool // Helm's legacy strategy, but for hooks and deletions
}

var _ kube.Waiter = (*waiter)(nil)

// Wait implements kube.Waiter.
func (w *waiter) Wait(resources kube.ResourceList, timeout time.Duration) error {
	if w.hooksOnly {
		return nil
	}
	return w.wait(resources, timeout, judgeReady)
}

// WaitWithJobs implements kube.Waiter.
func (w *waiter) WaitWithJobs(resources kube.ResourceList, timeout time.Duration) error {
	if w.hooksOnly {
		return nil
	}
	return w.wait(resources, timeout, judgeReadyAndJobs)
}

// WatchUntilReady implements kube.Waiter for hooks.
func (w *waiter) WatchUntilReady(resources kube.ResourceList, timeout time.Duration) error {
	return w.client.await(resources, timeout, judgeHook)
}

// WaitForDelete implements kube.Waiter. Hooks are awaited always: applying one
// that is still terminating would lose it, and wait for it in vain.
func (w *waiter) WaitForDelete(resources kube.ResourceList, timeout time.Duration) error {
	if w.hooksOnly {
		resources = resources.Filter(isHook)
	}
	return w.client.await(resources, timeout, judgeGone)
}

// verdict is the latest word on one object.
type verdict struct {
	status  status.Status
	message string
}

func (v verdict) settled() bool {
	return v.status == status.CurrentStatus || v.status == status.FailedStatus
}

// judge looks at an object as the server has it; nil: it does not exist.
type judge func(object *unstructured.Unstructured) verdict

// wait is one wait for several objects.
type wait struct {
	mu       sync.Mutex
	verdicts []verdict
	err      error // why watching is not possible
	done     context.CancelFunc
}

// await watches what is not settled by the server's last answer. A failed
// object may recover while others are still on their way, as in Helm.
func (c *client) await(list kube.ResourceList, timeout time.Duration, judged judge) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	ctx, cancel := context.WithTimeout(c.ctx, timeoutOf(timeout))
	defer cancel()
	w := &wait{verdicts: make([]verdict, len(list)), done: cancel}
	var open []int
	for i, info := range list {
		if w.verdicts[i] = firstLook(info, judged); w.verdicts[i].status != status.CurrentStatus {
			open = append(open, i)
		}
	}
	var watchers sync.WaitGroup
	if !w.allSettled() {
		for _, i := range open {
			watchers.Go(func() {
				note := func(o *unstructured.Unstructured) bool { return w.note(i, judged(o)) }
				w.watch(ctx, c.objectsOf(list[i]), list[i].Name, note)
			})
		}
	}
	watchers.Wait()
	switch {
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	case w.err != nil:
		return w.err
	default:
		return c.unsettled(list, w.verdicts, timeoutOf(timeout))
	}
}

// firstLook judges the object that the last request answered with. What was
// only built, and never sent, says nothing.
func firstLook(info *resource.Info, judged judge) verdict {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(info.Object)
	if err != nil {
		return verdict{status: status.UnknownStatus, message: err.Error()}
	}
	u := &unstructured.Unstructured{Object: object}
	if u.GetUID() == "" {
		return verdict{status: status.InProgressStatus, message: "not seen yet"}
	}
	return judged(u)
}

func (w *wait) allSettled() bool {
	for _, v := range w.verdicts {
		if !v.settled() {
			return false
		}
	}
	return true
}

// note reports whether the object needs no more watching.
func (w *wait) note(i int, v verdict) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verdicts[i] = v
	if w.allSettled() {
		w.done()
	}
	return v.status == status.CurrentStatus
}

func (w *wait) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.done()
}

func (c *client) objectsOf(info *resource.Info) dynamic.ResourceInterface {
	all := c.to.Dynamic().Resource(info.Mapping.Resource)
	if info.Mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return all.Namespace(info.Namespace)
	}
	return all
}

// watch shows an object to seen at each change, until seen has enough or ctx
// ends. Interrupted watches are taken up again.
func (w *wait) watch(ctx context.Context, objects dynamic.ResourceInterface, name string, seen func(*unstructured.Unstructured) bool) {
	selector := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	for {
		enough, err := watchOnce(ctx, objects, selector, seen)
		switch {
		case enough || ctx.Err() != nil:
			return
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err), apierrors.IsMethodNotSupported(err):
			w.fail(fmt.Errorf("watching %s: %w", name, err))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func watchOnce(ctx context.Context, objects dynamic.ResourceInterface, selector string, seen func(*unstructured.Unstructured) bool) (enough bool, err error) {
	list, err := objects.List(ctx, metav1.ListOptions{FieldSelector: selector})
	if apierrors.IsNotFound(err) { // the kind is gone, and its objects with it
		return seen(nil), nil
	}
	if err != nil {
		return false, err
	}
	var now *unstructured.Unstructured
	if len(list.Items) > 0 {
		now = &list.Items[0]
	}
	if seen(now) {
		return true, nil
	}
	changes, err := objects.Watch(ctx, metav1.ListOptions{FieldSelector: selector, ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return false, err
	}
	defer changes.Stop()
	for change := range changes.ResultChan() {
		object, ok := change.Object.(*unstructured.Unstructured)
		switch change.Type {
		case watch.Added, watch.Modified:
		case watch.Deleted:
			object = nil
		case watch.Bookmark:
			continue
		case watch.Error:
			return false, apierrors.FromObject(change.Object)
		default:
			return false, fmt.Errorf("watch event of type %q is not known", change.Type)
		}
		if !ok && object != nil {
			return false, fmt.Errorf("watch event holds a %T", change.Object)
		}
		if seen(object) {
			return true, nil
		}
	}
	return false, nil
}

// unsettled makes the error for what is not as it was waited for, and collects
// what the cluster knows of it, now, before hooks are deleted.
func (c *client) unsettled(list kube.ResourceList, verdicts []verdict, timeout time.Duration) error {
	var lines []string
	var faults []state.Trouble
	var failed bool
	redact := sync.OnceValue(c.redact)
	for i, v := range verdicts {
		if v.status == status.CurrentStatus {
			continue
		}
		failed = failed || v.status == status.FailedStatus
		id := objectID(list[i])
		lines = append(lines, fmt.Sprintf("%s: %s", id, redact()(v.message)))
		faults = append(faults, state.Trouble{Object: id, Message: v.message})
	}
	if len(lines) == 0 {
		return nil
	}
	c.investigate(faults)
	switch {
	case failed:
		return fmt.Errorf("%w: %s", ErrNotReady, strings.Join(lines, "; "))
	default:
		return fmt.Errorf("%w after %s: %s", ErrNotReady, timeout, strings.Join(lines, "; "))
	}
}

func objectID(info *resource.Info) state.ObjectID {
	gvk := info.Mapping.GroupVersionKind
	return state.ObjectID{Group: gvk.Group, Kind: gvk.Kind, Namespace: info.Namespace, Name: info.Name}
}

func judgeGone(object *unstructured.Unstructured) verdict {
	if object == nil {
		return verdict{status: status.CurrentStatus}
	}
	message := "still exists"
	if finalizers := object.GetFinalizers(); len(finalizers) > 0 {
		message += ", held by finalizers " + strings.Join(finalizers, ", ")
	}
	return verdict{status: status.InProgressStatus, message: message}
}

// judgeReady is kstatus, which is what helm --wait goes by. Paused Deployments
// are not waited for, as in Helm.
func judgeReady(object *unstructured.Unstructured) verdict {
	if object == nil {
		return verdict{status: status.InProgressStatus, message: "does not exist"}
	}
	if paused, _, _ := unstructured.NestedBool(object.Object, "spec", "paused"); paused && object.GetKind() == "Deployment" {
		return verdict{status: status.CurrentStatus}
	}
	result, err := status.Compute(object)
	if err != nil {
		return verdict{status: status.UnknownStatus, message: err.Error()}
	}
	return verdict{status: result.Status, message: result.Message}
}

// judgeReadyAndJobs waits for Jobs to complete; for kstatus they are current
// once they have started.
func judgeReadyAndJobs(object *unstructured.Unstructured) verdict {
	if object != nil && object.GroupVersionKind().Group == "batch" && object.GetKind() == "Job" {
		return judgeJob(object)
	}
	return judgeReady(object)
}

// judgeHook waits for Jobs and Pods to run to their end; of other kinds a hook
// is done when it exists.
func judgeHook(object *unstructured.Unstructured) verdict {
	switch {
	case object == nil:
		return verdict{status: status.InProgressStatus, message: "does not exist"}
	case object.GetKind() == "Job" && object.GroupVersionKind().Group == "batch":
		return judgeJob(object)
	case object.GetKind() == "Pod" && object.GroupVersionKind().Group == "":
		return judgePod(object)
	default:
		return verdict{status: status.CurrentStatus}
	}
}

func judgeJob(job *unstructured.Unstructured) verdict {
	conditions, err := status.GetObjectWithConditions(job.Object)
	if err != nil {
		return verdict{status: status.UnknownStatus, message: err.Error()}
	}
	for _, c := range conditions.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case "Complete":
			return verdict{status: status.CurrentStatus, message: "job completed"}
		case "Failed":
			return verdict{status: status.FailedStatus, message: strings.TrimSuffix("job failed: "+c.Reason+": "+c.Message, ": ")}
		}
	}
	return verdict{status: status.InProgressStatus, message: "job has not completed"}
}

func judgePod(pod *unstructured.Unstructured) verdict {
	phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	switch corev1.PodPhase(phase) {
	case corev1.PodSucceeded:
		return verdict{status: status.CurrentStatus, message: "pod succeeded"}
	case corev1.PodFailed:
		return verdict{status: status.FailedStatus, message: "pod failed"}
	default:
		return verdict{status: status.InProgressStatus, message: "pod has not completed"}
	}
}
