package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// ErrOccupied: a namespace is not deleted, because something is in it.
var ErrOccupied = errors.New("it is not empty")

// createNamespace makes the release's namespace if it is missing; one that is
// being deleted is awaited first. Helm applies it at each install, which takes a
// right on namespaces that users of one namespace seldom have. ctx ends only the
// wait: of a request that is cut off nobody could say what it has done.
func (o *operation) createNamespace(ctx context.Context) error {
	name, requests := o.release.ID.Namespace, o.client.requests
	namespaces := o.to.Kubernetes().CoreV1().Namespaces()
	found, getErr := namespaces.Get(requests, name, metav1.GetOptions{})
	switch {
	case getErr == nil && found.DeletionTimestamp == nil:
		o.claim(found)
		return nil
	case getErr == nil:
		if err := o.to.awaitNoNamespace(ctx, name, timeoutOf(o.release.Options.Timeout)); err != nil {
			return err
		}
	case !apierrors.IsNotFound(getErr) && !apierrors.IsForbidden(getErr):
		return o.to.Explain(getErr, cluster.Access{Verb: "get", Resource: "namespaces"})
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}}
	if run := o.engine.opts.Run; run != "" {
		namespace.Annotations = map[string]string{state.RunAnnotation: run}
	}
	made, err := namespaces.Create(requests, namespace, metav1.CreateOptions{FieldManager: "helm"})
	switch {
	case err == nil:
		o.left.Namespace = string(made.UID)
		return nil
	case apierrors.IsForbidden(err) && apierrors.IsForbidden(getErr):
		// It cannot be seen and may well be there: applying will tell.
		return nil
	case apierrors.IsForbidden(err):
		return fmt.Errorf("namespace %s does not exist: create it, or: %w", name, o.to.Explain(err, cluster.Access{Verb: "create", Resource: "namespaces"}))
	}
	// The answer may have been lost, and the namespace be made all the same.
	there, getErr := namespaces.Get(requests, name, metav1.GetOptions{})
	if getErr == nil && o.claim(there) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return o.to.Explain(err, cluster.Access{Verb: "create", Resource: "namespaces"})
}

// claim takes a namespace for one that this run created, where it says so: an
// attempt before did, whose answer was lost, or another release of the run. Undoing
// either of them drops it when nothing is left in it.
func (o *operation) claim(found *corev1.Namespace) bool {
	run := o.engine.opts.Run
	ours := run != "" && found.Annotations[state.RunAnnotation] == run && found.DeletionTimestamp == nil
	if ours {
		o.left.Namespace = string(found.UID)
	}
	return ours
}

// dropTime bounds the wait for a namespace to go, which takes some seconds where
// nothing is in it.
const dropTime = time.Minute

// DropNamespace deletes the namespace of r that, as left says, an Install
// created, and waits until it is gone. ErrOccupied tells what is in it beside
// what Kubernetes itself puts there; then it stays. One that is gone, or that is
// another one by now, is no error.
func (e *Engine) DropNamespace(ctx context.Context, r spec.Release, left state.Trace) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	to, err := e.target(r.ID)
	if err != nil {
		return err
	}
	name := r.ID.Namespace
	namespaces := to.Kubernetes().CoreV1().Namespaces()
	found, err := namespaces.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && string(found.UID) != left.Namespace {
		return nil
	}
	if err != nil {
		return to.Explain(err, cluster.Access{Verb: "get", Resource: "namespaces"})
	}
	occupants, err := to.Occupants(ctx, name)
	if err != nil {
		return fmt.Errorf("whether it is empty cannot be told: %w", err)
	}
	if len(occupants) > 0 {
		return fmt.Errorf("%w: %s", ErrOccupied, few(occupants))
	}
	err = namespaces.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &found.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return to.Explain(err, cluster.Access{Verb: "delete", Resource: "namespaces"})
	}
	return to.awaitNoNamespace(ctx, name, dropTime)
}

// few names some objects and counts the others.
func few(ids []state.ObjectID) string {
	const told = 3
	var names []string
	for _, id := range ids[:min(len(ids), told)] {
		names = append(names, id.Kind+"/"+id.Name)
	}
	text := strings.Join(names, ", ")
	if more := len(ids) - told; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// awaitNoNamespace waits until a namespace that is being deleted is gone.
func (t *target) awaitNoNamespace(ctx context.Context, name string, timeout time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	gone, holds := false, ""
	w := &wait{done: cancel}
	w.watch(limited, t.Dynamic().Resource(corev1.SchemeGroupVersion.WithResource("namespaces")), name, func(o *unstructured.Unstructured) bool {
		gone = o == nil || o.GetDeletionTimestamp() == nil // a new one is no matter
		if !gone {
			holds = holding(o)
		}
		return gone
	})
	switch {
	case gone:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case w.err != nil:
		return w.err
	default:
		return fmt.Errorf("%w: %s: it is still there after %s%s", ErrTerminating, name, timeout, holds)
	}
}

// holding says what the namespace controller notes of what it waits for.
func holding(namespace *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(namespace.Object, "status", "conditions")
	var messages []string
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if message, _ := condition["message"].(string); condition["status"] == "True" && message != "" {
			messages = append(messages, message)
		}
	}
	if len(messages) == 0 {
		return ""
	}
	slices.Sort(messages)
	return ": " + strings.Join(messages, "; ")
}
