package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
)

var (
	// ErrKubeconfig: there is no usable kubeconfig.
	ErrKubeconfig = errors.New("kubeconfig cannot be used")
	// ErrContext: the kubeconfig does not have the context, or none is chosen.
	ErrContext = errors.New("context is not in the kubeconfig")
	// ErrUnreachable: no answer came from the API server.
	ErrUnreachable = errors.New("cluster cannot be reached")
	// ErrUnauthorized: the API server does not accept the credentials.
	ErrUnauthorized = errors.New("credentials were refused")
	// ErrForbidden: the user may not do it; a *Forbidden says what.
	ErrForbidden = errors.New("not allowed")
	// ErrDriver: release records are kept where flotilla does not read.
	ErrDriver = errors.New("storage driver is not supported")
)

// Access is what was asked of an API server. Namespace is empty for what is
// cluster-scoped, and for all namespaces.
type Access struct {
	Verb      string
	Resource  string
	Namespace string
}

// Forbidden is a request that the API server refused to this user.
type Forbidden struct {
	Access
	Context string
	Err     error // the server's answer
}

// Error says what was refused and how to look at it. It does not say that a
// role is missing: quotas and admission refuse with the same answer.
func (f *Forbidden) Error() string {
	where, scope := "in all namespaces", "--all-namespaces"
	if f.Namespace != "" {
		where, scope = "in namespace "+f.Namespace, "-n "+f.Namespace
	}
	if strings.HasPrefix(f.Resource, "/") {
		where, scope = "of the cluster", ""
	}
	check := strings.Join(strings.Fields("kubectl auth can-i "+f.Verb+" "+f.Resource+" "+scope), " ")
	return fmt.Sprintf("context %s: not allowed to %s %s %s: %v; see whether a role is missing: %s --context %s",
		f.Context, f.Verb, f.Resource, where, f.Err, check, f.Context)
}

// Is makes a Forbidden match ErrForbidden.
func (f *Forbidden) Is(target error) bool { return target == ErrForbidden }

// Unwrap gives the server's answer.
func (f *Forbidden) Unwrap() error { return f.Err }

// Explain names the cause of a failed request where a user can do something
// about it: ErrUnreachable, ErrUnauthorized or a *Forbidden. Another answer of
// the server gets the context's name; what is no answer of a server is given
// back as it is. Nil stays nil.
func (c *Cluster) Explain(err error, on Access) error {
	var sent *url.Error
	var dialled net.Error
	var answered apierrors.APIStatus
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnreachable), errors.Is(err, ErrUnauthorized), errors.Is(err, ErrForbidden),
		errors.Is(err, context.Canceled):
		return err
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("context %s: %w by %s: log in again, or check the user of this context in the kubeconfig: %w",
			c.context, ErrUnauthorized, c.Server(), err)
	case apierrors.IsForbidden(err):
		return &Forbidden{Access: complete(on, err), Context: c.context, Err: err}
	case errors.As(err, &sent):
		// The cause without the URL: its query is long and says nothing.
		return fmt.Errorf("context %s: %w at %s: %w", c.context, ErrUnreachable, c.Server(), sent.Err)
	case errors.As(err, &dialled):
		return fmt.Errorf("context %s: %w at %s: %w", c.context, ErrUnreachable, c.Server(), err)
	case errors.As(err, &answered):
		return fmt.Errorf("context %s: %w", c.context, err)
	default:
		return err
	}
}

// complete fills in what the caller did not know from the server's answer.
func complete(on Access, err error) Access {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		details := status.Status().Details
		if on.Resource == "" {
			on.Resource = details.Kind
			if details.Group != "" {
				on.Resource += "." + details.Group
			}
		}
	}
	if on.Verb == "" {
		on.Verb = "use"
	}
	return on
}

// Transient reports whether a failure may pass by itself: no answer came, the
// server could not do it just now, or somebody else wrote the same object at the
// same time. A conflict of field managers stays.
func Transient(err error) bool {
	var sent *url.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case apierrors.IsConflict(err):
		return !apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict)
	case apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err),
		apierrors.IsInternalError(err), apierrors.IsServiceUnavailable(err):
		return true
	default:
		return errors.Is(err, ErrUnreachable) || errors.As(err, &sent)
	}
}

// statusMessage is what a Status says in an answer, in one line; empty: it is none.
func statusMessage(body []byte) string {
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if status, ok := object.(*metav1.Status); err == nil && ok {
		return strings.Join(strings.Fields(status.Message), " ")
	}
	return ""
}
