package lease

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	client "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// store is where the Lease of an owner is.
type store struct {
	cluster *cluster.Cluster
	owner   spec.Owner
}

func (s store) leases() client.LeaseInterface {
	return s.cluster.Kubernetes().CoordinationV1().Leases(s.owner.Namespace)
}

// get gives nil where there is no Lease.
func (s store) get(ctx context.Context) (*coordinationv1.Lease, error) {
	l, err := s.leases().Get(ctx, name(s.owner), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain("get", err)
	}
	return l, nil
}

// create also creates the namespace when it is not there. Its error may be
// apierrors.IsAlreadyExists.
func (s store) create(ctx context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	made, err := s.leases().Create(ctx, l, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) {
		if err := s.createNamespace(ctx); err != nil {
			return nil, err
		}
		made, err = s.leases().Create(ctx, l, metav1.CreateOptions{})
	}
	return made, s.explain("create", err)
}

func (s store) createNamespace(ctx context.Context) error {
	_, err := s.cluster.Kubernetes().CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: s.owner.Namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": "flotilla"},
	}}, metav1.CreateOptions{})
	if err == nil || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return fmt.Errorf("creating the namespace %s, where locks are kept: %w", s.owner.Namespace,
		s.cluster.Explain(err, cluster.Access{Verb: "create", Resource: "namespaces"}))
}

// update writes only over what l was read as. Its error may be
// apierrors.IsConflict or IsNotFound.
func (s store) update(ctx context.Context, l *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	l, err := s.leases().Update(ctx, l, metav1.UpdateOptions{})
	return l, s.explain("update", err)
}

// watch tells of changes since l; nil when that is not to be had: then one has
// to ask from time to time.
func (s store) watch(ctx context.Context, l *coordinationv1.Lease) watch.Interface {
	w, err := s.leases().Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector(metav1.ObjectNameField, l.Name).String(),
		ResourceVersion: l.ResourceVersion,
	})
	if err != nil {
		return nil
	}
	return w
}

// explain says what a user can do something about. A namespace that is being
// deleted refuses as if a right was missing.
func (s store) explain(verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fmt.Errorf("context %s: the namespace %s, where locks are kept, is being deleted: try again when it is gone", s.cluster.Context(), s.owner.Namespace)
	default:
		return s.cluster.Explain(err, cluster.Access{Verb: verb, Resource: "leases.coordination.k8s.io", Namespace: s.owner.Namespace})
	}
}

// held tells who has a Lease; nil: nobody, or there is none.
func (s store) held(ctx context.Context, l *coordinationv1.Lease) (*Held, error) {
	if holderOf(l) == "" {
		return nil, nil
	}
	now, err := s.cluster.Now(ctx)
	if err != nil {
		return nil, err
	}
	return &Held{
		Context: s.cluster.Context(), Holder: describe(l), identity: holderOf(l),
		Expires: lastWrite(l).Add(durationOf(l) + skew).Sub(now),
	}, nil
}

// taken is a Lease, which may be nil, as me has it under that identity.
func (s store) taken(l *coordinationv1.Lease, me Holder, identity string, lasts time.Duration) *coordinationv1.Lease {
	next := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: name(s.owner), Namespace: s.owner.Namespace}}
	transitions := int32(0)
	if l != nil {
		next = l.DeepCopy()
		if l.Spec.LeaseTransitions != nil {
			transitions = *l.Spec.LeaseTransitions + 1
		}
	}
	seconds, now := int32(lasts/time.Second), metav1.NewMicroTime(me.Since)
	next.Spec.HolderIdentity, next.Spec.LeaseDurationSeconds, next.Spec.LeaseTransitions = &identity, &seconds, &transitions
	next.Spec.AcquireTime, next.Spec.RenewTime = &now, &now
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	maps.Copy(next.Annotations, map[string]string{
		annotationOwner: s.owner.ID, annotationUser: me.User, annotationHost: me.Host, annotationPID: strconv.Itoa(me.PID),
		annotationRun: me.Run, annotationJob: me.Job, annotationCommand: me.Command,
		annotationSince: me.Since.UTC().Format(time.RFC3339),
	})
	return next
}

// free is a Lease as nobody has it.
func free(l *coordinationv1.Lease) *coordinationv1.Lease {
	next := l.DeepCopy()
	next.Spec.HolderIdentity = nil
	return next
}

// describe tells what the annotations say of a holder. Whoever took the Lease
// without them, by hand perhaps, has nothing but an identity.
func describe(l *coordinationv1.Lease) Holder {
	a := l.Annotations
	h := Holder{Run: a[annotationRun], User: a[annotationUser], Host: a[annotationHost], Job: a[annotationJob], Command: a[annotationCommand]}
	h.PID, _ = strconv.Atoi(a[annotationPID])
	h.Since, _ = time.Parse(time.RFC3339, a[annotationSince])
	if who := h.identity(); holderOf(l) != who && !strings.HasPrefix(holderOf(l), who+"/") {
		return Holder{Run: holderOf(l)}
	}
	return h
}

// lastWrite is when the server stored the object as it is.
func lastWrite(l *coordinationv1.Lease) time.Time {
	var last time.Time
	for _, f := range l.ManagedFields {
		if f.Time != nil && f.Time.After(last) {
			last = f.Time.Time
		}
	}
	if last.IsZero() && l.Spec.RenewTime != nil {
		return l.Spec.RenewTime.Time
	}
	return last
}

func holderOf(l *coordinationv1.Lease) string {
	if l == nil || l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}

func durationOf(l *coordinationv1.Lease) time.Duration {
	if l.Spec.LeaseDurationSeconds == nil {
		return Duration
	}
	return time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second
}
