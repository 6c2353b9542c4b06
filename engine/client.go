package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// client is Helm's client for one operation. It differs in this: updates run
// concurrently within one kind; waits look at what the server answered before
// they watch anything; it stops between groups of objects when the operation is
// cancelled; and it notes what went wrong for the error that the user sees.
type client struct {
	*kube.Client

	ctx      context.Context // kube.Interface takes none; lives as long as one operation
	requests context.Context // of what is asked also when ctx has ended
	to       *target
	options  spec.Options
	limit    int
	began    time.Time

	logs func(pod, container string) io.Writer // nil: nobody reads logs
	note func(text string)                     // of warnings; nil: nobody reads them

	ours     kube.ResourceList       // with adopting: what the release has
	adopting func(kube.ResourceList) // told of what is taken over; nil: nothing may be
	kept     kube.ResourceList       // never deleted
	unmarked func() error            // why nothing but hooks may be deleted yet; nil: all may be
	strays   kube.ResourceList       // deleted by an update unless it wants them
	yields   bool                    // leaves to others the fields that they have
	repairs  *repairs                // what of an update is wanted; nil: all
	stuck    bool                    // the last update failed: what it was to delete may be there

	mu         sync.Mutex
	built      kube.ResourceList // the last list built
	troubles   []state.Trouble
	secrets    []string // values of Secrets that were sent
	deleteErrs []error
	deleted    bool              // an object that is no hook was
	asked      kube.ResourceList // to be deleted
}

var (
	_ kube.Interface            = (*client)(nil)
	_ kube.InterfaceWaitOptions = (*client)(nil)
)

// IsReachable asks nothing: the first request tells.
func (c *client) IsReachable() error { return nil }

// Build never validates. For a server that can do it, Helm's validation leaves
// it to the server, and yet downloads and parses all of OpenAPI to learn that. A
// kind that is not known is looked for once more, because a controller may have
// brought it since discovery was read.
func (c *client) Build(reader io.Reader, _ bool) (kube.ResourceList, error) {
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	list, err := c.Client.Build(bytes.NewReader(text), false)
	if isNoMatch(err) {
		c.to.forget()
		list, err = c.Client.Build(bytes.NewReader(text), false)
	}
	if err == nil {
		c.mu.Lock()
		c.built = list
		c.mu.Unlock()
		c.keepSecret(list)
	}
	return list, err
}

// isNoMatch looks into aggregates, which errors.As does not.
func isNoMatch(err error) bool {
	if err == nil {
		return false
	}
	var kind *meta.NoKindMatchError
	var res *meta.NoResourceMatchError
	if errors.As(err, &kind) || errors.As(err, &res) {
		return true
	}
	var all utilerrors.Aggregate
	if errors.As(err, &all) {
		for _, one := range all.Errors() {
			if isNoMatch(one) {
				return true
			}
		}
	}
	return false
}

// Create creates in Helm's order, a bounded number at a time.
func (c *client) Create(resources kube.ResourceList, options ...kube.ClientCreateOption) (*kube.Result, error) {
	result := &kube.Result{}
	for start := 0; start < len(resources); start += c.limit {
		if c.ctx.Err() != nil {
			return result, context.Cause(c.ctx)
		}
		part := resources[start:min(start+c.limit, len(resources))]
		made, err := c.Client.Create(part, options...)
		if made != nil {
			result.Created = append(result.Created, made.Created...)
		}
		if err != nil {
			return result, err
		}
	}
	return result, c.recognise(resources)
}

// Update applies targets in Helm's order: objects of one kind at the same time,
// kinds one after the other, and what is no longer wanted goes last.
func (c *client) Update(originals, targets kube.ResourceList, options ...kube.ClientUpdateOption) (*kube.Result, error) {
	result, err := c.update(originals, targets, options)
	c.stuck = err != nil
	return result, err
}

func (c *client) update(originals, targets kube.ResourceList, options []kube.ClientUpdateOption) (*kube.Result, error) {
	originals, targets = c.repairs.narrow(originals), c.repairs.narrow(targets)
	c.adopt(originals)
	result, strays := &kube.Result{}, c.strays.Difference(targets)
	for len(targets) > 0 {
		if c.ctx.Err() != nil {
			return result, context.Cause(c.ctx)
		}
		n := kindRun(targets)
		if err := c.updateRun(originals, targets[:n], result, options); err != nil {
			return result, err
		}
		originals, targets = originals.Difference(targets[:n]), targets[n:]
	}
	if err := c.recognise(result.Created); err != nil {
		return result, err
	}
	originals = append(originals.Difference(c.kept), strays.Difference(originals)...)
	if len(originals) == 0 {
		return result, nil
	}
	gone, err := c.Client.Update(originals, nil, options...)
	if gone != nil {
		result.Deleted = gone.Deleted
	}
	return result, err
}

func kindRun(list kube.ResourceList) int {
	n := 1
	for n < len(list) && list[n].Mapping.GroupVersionKind.Kind == list[0].Mapping.GroupVersionKind.Kind {
		n++
	}
	return n
}

// updateRun tells of all objects that fail, not only of the first.
func (c *client) updateRun(originals, targets kube.ResourceList, result *kube.Result, options []kube.ClientUpdateOption) error {
	type outcome struct {
		result *kube.Result
		err    error
	}
	outcomes := make([]outcome, len(targets))
	slots := make(chan struct{}, c.limit)
	var group sync.WaitGroup
	for i, object := range targets {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			var before kube.ResourceList
			if original := originals.Get(object); original != nil {
				before = kube.ResourceList{original}
			}
			outcomes[i].result, outcomes[i].err = c.updateOne(before, kube.ResourceList{object}, options)
		})
	}
	group.Wait()
	var failed []error
	for _, o := range outcomes {
		if o.result != nil {
			result.Created = append(result.Created, o.result.Created...)
			result.Updated = append(result.Updated, o.result.Updated...)
		}
		failed = append(failed, o.err)
	}
	return errors.Join(failed...)
}

// updateOne also waits for an object that is still terminating, as after an
// uninstall: it takes the update, and is gone some time later all the same.
func (c *client) updateOne(before, target kube.ResourceList, options []kube.ClientUpdateOption) (*kube.Result, error) {
	wanted := target[0].Object.DeepCopyObject() // an update puts the answer in its place
	result, err := c.applying(before, target, wanted, options)
	if err != nil {
		return result, ofObject(target[0], err)
	}
	object, err := meta.Accessor(target[0].Object)
	if err != nil || object.GetDeletionTimestamp() == nil {
		return result, err
	}
	if err := c.await(target, c.options.Timeout, judgeGone); err != nil {
		return result, fmt.Errorf("waiting for an object that is being deleted: %w", err)
	}
	result, err = c.applying(before, target, wanted, options)
	return result, ofObject(target[0], err)
}

// recognise waits until new custom resource definitions are served, and makes
// the releases after this one see them.
func (c *client) recognise(created kube.ResourceList) error {
	crds := created.Filter(func(info *resource.Info) bool {
		return info.Mapping.GroupVersionKind.Kind == "CustomResourceDefinition"
	})
	if len(crds) == 0 {
		return nil
	}
	defer c.to.forget()
	return c.await(crds, time.Minute, judgeReady)
}

// Delete keeps the errors, of which Helm's uninstall tells nothing. It deletes no
// object of an uninstall that no record tells of: nothing would put it back.
func (c *client) Delete(resources kube.ResourceList, policy metav1.DeletionPropagation) (*kube.Result, []error) {
	if c.unmarked != nil && slices.ContainsFunc(resources, func(info *resource.Info) bool { return !isHook(info) }) {
		if err := c.unmarked(); err != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.deleteErrs = append(c.deleteErrs, err)
			return &kube.Result{}, []error{err}
		}
	}
	result, errs := c.Client.Delete(resources.Difference(c.kept), policy)
	c.mu.Lock()
	c.asked = append(c.asked, resources...)
	c.deleteErrs = append(c.deleteErrs, errs...)
	if result != nil && slices.ContainsFunc(result.Deleted, func(info *resource.Info) bool { return !isHook(info) }) {
		c.deleted = true
	}
	c.mu.Unlock()
	return result, errs
}

// GetPodList implements kube.Interface on the shared client.
func (c *client) GetPodList(namespace string, options metav1.ListOptions) (*corev1.PodList, error) {
	return c.to.Kubernetes().CoreV1().Pods(namespace).List(c.ctx, options)
}

// OutputContainerLogsForPodList implements kube.Interface on the shared client.
func (c *client) OutputContainerLogsForPodList(pods *corev1.PodList, namespace string, writer func(namespace, pod, container string) io.Writer) error {
	for _, pod := range pods.Items {
		for _, container := range pod.Spec.Containers {
			options := &corev1.PodLogOptions{Container: container.Name}
			if err := c.copyLogs(pod.Name, options, writer(namespace, pod.Name, container.Name), namespace); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *client) copyLogs(pod string, options *corev1.PodLogOptions, to io.Writer, namespace string) error {
	logs, err := c.to.Kubernetes().CoreV1().Pods(namespace).GetLogs(pod, options).Stream(c.ctx)
	if err != nil {
		return fmt.Errorf("reading logs of pod %s, container %s: %w", pod, options.Container, err)
	}
	defer logs.Close()
	if _, err := io.Copy(to, logs); err != nil {
		return fmt.Errorf("copying logs of pod %s, container %s: %w", pod, options.Container, err)
	}
	return nil
}

// GetWaiter implements kube.Interface.
func (c *client) GetWaiter(strategy kube.WaitStrategy) (kube.Waiter, error) {
	switch strategy {
	case kube.HookOnlyStrategy, kube.StatusWatcherStrategy, kube.LegacyStrategy:
		return &waiter{client: c, hooksOnly: strategy == kube.HookOnlyStrategy, legacy: strategy == kube.LegacyStrategy}, nil
	default:
		return nil, fmt.Errorf("wait strategy %q is not supported", strategy)
	}
}

// GetWaiterWithOptions implements kube.InterfaceWaitOptions. Helm's options
// bring a context, which this client already has.
func (c *client) GetWaiterWithOptions(strategy kube.WaitStrategy, _ ...kube.WaitOption) (kube.Waiter, error) {
	return c.GetWaiter(strategy)
}

// isHook reports whether the object is a chart hook.
func isHook(info *resource.Info) bool {
	object, err := meta.Accessor(info.Object)
	return err == nil && object.GetAnnotations()[release.HookAnnotation] != ""
}
