package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	authv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

var (
	// ErrOwned: an object is there already and belongs to somebody else.
	ErrOwned = errors.New("object belongs to another owner")
	// ErrImmutable: a field was changed that cannot be changed in place.
	ErrImmutable = errors.New("immutable field")
	// ErrConflict: another field manager owns a field that the chart sets.
	ErrConflict = errors.New("field conflict")
	// ErrTerminating: the namespace of an object is being deleted.
	ErrTerminating = errors.New("the namespace is being deleted")
	// ErrDenied: admission of the cluster does not accept an object, although
	// the user's roles allow the request.
	ErrDenied = errors.New("denied by admission")
)

// Owned is an object that another release, or nobody known to Helm, owns.
type Owned struct {
	Object state.ObjectID
	Owner  string // namespace/name of a release; empty: not made by Helm
}

// Error says what to do about it.
func (o *Owned) Error() string {
	if o.Owner == "" {
		return fmt.Sprintf("%s exists and was not made by Helm: delete it, rename the chart's object, or set takeOwnership: true", o.Object)
	}
	return fmt.Sprintf("%s belongs to release %s: remove it from one of the two charts, or set takeOwnership: true to move it", o.Object, o.Owner)
}

// Is makes an Owned match ErrOwned.
func (o *Owned) Is(target error) bool { return target == ErrOwned }

// explain says what to do where the API server's answer has a type to go by.
func (o *operation) explain(err error) error {
	var status apierrors.APIStatus
	switch {
	case o.client.ctx.Err() != nil && !errors.Is(err, context.Cause(o.client.ctx)):
		// Requests of the operation itself end as they like.
		return fmt.Errorf("%w: %w", context.Cause(o.client.ctx), err)
	case errors.As(err, &status):
		return o.explainStatus(err, status.Status())
	case o.records.begun == nil && o.records.want != nil:
		// Helm's check of owners has no error type of its own, so look again.
		return errors.Join(append(o.owned(), o.to.Explain(err, cluster.Access{}))...)
	default:
		return o.to.Explain(err, cluster.Access{})
	}
}

func (o *operation) explainStatus(err error, status metav1.Status) error {
	switch {
	case hasCause(status, corev1.NamespaceTerminatingCause):
		return fmt.Errorf("%w: %s: wait until it is gone: %w", ErrTerminating, o.release.ID.Namespace, err)
	case apierrors.IsForbidden(err):
		return o.explainForbidden(err, status)
	case isImmutable(status):
		return fmt.Errorf("%w: %s: the object has to be deleted before this can be applied, or the change taken back: %w", ErrImmutable, causes(status, err), err)
	case apierrors.IsConflict(err) && hasCause(status, metav1.CauseTypeFieldManagerConflict):
		return fmt.Errorf("%w: %s: take the chart's field out, or set forceConflicts: true (or --sync-args=--force-conflicts) to win: %w", ErrConflict, causes(status, err), err)
	default:
		return o.to.Explain(err, cluster.Access{})
	}
}

// isImmutable goes by the API's own constant for that message: the cause has no
// type that is finer than "invalid value". StatefulSets, StorageClasses and some
// more say it with a forbidden field instead.
func isImmutable(status metav1.Status) bool {
	if status.Reason != metav1.StatusReasonInvalid || status.Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Details.Causes, func(c metav1.StatusCause) bool {
		return strings.Contains(c.Message, apivalidation.FieldImmutableErrorMsg) || // also "... when `immutable` is set"
			c.Type == metav1.CauseTypeForbidden && (c.Field == "spec" || strings.Contains(c.Message, "updates to "))
	})
}

func hasCause(status metav1.Status, kind metav1.CauseType) bool {
	return status.Details != nil && slices.ContainsFunc(status.Details.Causes, func(c metav1.StatusCause) bool { return c.Type == kind })
}

// causes names object and fields, without values: those may be secret.
func causes(status metav1.Status, err error) string {
	var fields []string
	for _, c := range status.Details.Causes {
		fields = append(fields, c.Field)
	}
	object := status.Details.Kind + "/" + status.Details.Name
	var of *objectError
	if errors.As(err, &of) {
		object = of.object.String()
	}
	return fmt.Sprintf("%s field %s", object, strings.Join(fields, ", "))
}

// explainForbidden tells roles that are missing from admission that refuses:
// both answer 403, so the server is asked what the user may do.
func (o *operation) explainForbidden(err error, status metav1.Status) error {
	if status.Details == nil {
		return o.to.Explain(err, cluster.Access{})
	}
	ctx, cancel := context.WithTimeout(o.client.requests, 5*time.Second)
	defer cancel()
	attributes := authv1.ResourceAttributes{
		Group: status.Details.Group, Resource: status.Details.Kind, Name: status.Details.Name,
		Namespace: o.namespaceOf(status.Details),
	}
	denied, askErr := o.denied(ctx, attributes)
	if askErr == nil && len(denied) == 0 {
		return fmt.Errorf("%w of context %s: %w", ErrDenied, o.to.Context(), err)
	}
	access := cluster.Access{Verb: strings.Join(denied, ","), Namespace: attributes.Namespace}
	return o.to.Explain(err, access)
}

// denied lists the verbs that an operation may need and the user lacks.
func (o *operation) denied(ctx context.Context, on authv1.ResourceAttributes) ([]string, error) {
	var denied []string
	for _, verb := range []string{"get", "list", "create", "patch", "update", "delete"} {
		on.Verb = verb
		review := &authv1.SelfSubjectAccessReview{Spec: authv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &on}}
		answer, err := o.to.Kubernetes().AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return nil, err
		}
		if !answer.Status.Allowed {
			denied = append(denied, verb)
		}
	}
	return denied, nil
}

// namespaceOf finds where the object of an answer lives: the answer itself does
// not say.
func (o *operation) namespaceOf(details *metav1.StatusDetails) string {
	for _, info := range o.client.built {
		if info.Mapping.Resource.Resource == details.Kind && info.Mapping.Resource.Group == details.Group && info.Name == details.Name {
			return info.Namespace
		}
	}
	return o.release.ID.Namespace
}

// owned finds the objects of the operation that are there and not ours.
func (o *operation) owned() []error {
	if o.release.Options.TakeOwnership {
		return nil
	}
	var found []error
	for _, info := range o.client.built {
		existing, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
		if err != nil {
			continue // not there, or not to be seen: the first error says why
		}
		object, err := meta.Accessor(existing)
		if err != nil {
			continue
		}
		notes, labels := object.GetAnnotations(), object.GetLabels()
		name, namespace := notes[nameAnnotation], notes[namespaceAnnotation]
		switch {
		case labels[managedByLabel] != "Helm" || name == "":
			found = append(found, &Owned{Object: objectID(info)})
		case name != o.release.ID.Name || namespace != o.release.ID.Namespace:
			found = append(found, &Owned{Object: objectID(info), Owner: namespace + "/" + name})
		}
	}
	return found
}

// Helm's marks on the objects of a release: helm.sh/helm/v4/pkg/action/validate.go.
const (
	nameAnnotation      = "meta.helm.sh/release-name"
	namespaceAnnotation = "meta.helm.sh/release-namespace"
	managedByLabel      = "app.kubernetes.io/managed-by"
)
