package engine

import (
	"context"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/flotilla-sh/flotilla/state/cluster"
)

// lastRecords is how long an operation that is to end at once may still write its
// record, so that what it leaves is a release that says it failed.
const lastRecords = 5 * time.Second

// contexts are those of the requests of one operation. Its own context only ends
// waits, and keeps groups of objects from being begun: what is under way ends by
// itself, since nobody could say what a request has done that was cut off.
type contexts struct {
	objects context.Context // of all requests but those for records
	records context.Context // outlives objects a little
	end     func()          // to be called when the operation is over
}

// contexts ties requests to an operation. They are not repeated any more when ctx
// ends, and cut off when the engine is to stop at once.
func (e *Engine) contexts(ctx context.Context) contexts {
	values := context.WithoutCancel(ctx)
	objects, endObjects := context.WithCancelCause(cluster.PatientUntil(values, ctx.Done()))
	records, endRecords := context.WithCancelCause(values)
	release := func() bool { return true }
	if stop := e.opts.Stop; stop != nil {
		release = context.AfterFunc(stop, func() {
			cause := context.Cause(stop)
			endObjects(cause)
			time.AfterFunc(lastRecords, func() { endRecords(cause) })
		})
	}
	return contexts{objects: objects, records: records, end: func() {
		release()
		endObjects(nil)
		endRecords(nil)
	}}
}

// tied is a cluster as Helm sees it in one operation. Helm takes no context for
// most of what it asks of a cluster, so that it is put into the requests.
type tied struct {
	*cluster.Getter
	ctx context.Context
}

// ToRESTConfig gives a private copy.
func (t tied) ToRESTConfig() (*rest.Config, error) {
	config, err := t.Getter.ToRESTConfig()
	if err == nil {
		config.Transport = tiedTransport{t.ctx, config.Transport}
	}
	return config, err
}

type tiedTransport struct {
	ctx  context.Context
	next http.RoundTripper
}

// RoundTrip leaves alone what has a context of its own.
func (t tiedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Context().Done() == nil {
		r = r.WithContext(t.ctx)
	}
	return t.next.RoundTrip(r)
}

// WrappedRoundTripper gives what is below, as client-go asks for it.
func (t tiedTransport) WrappedRoundTripper() http.RoundTripper { return t.next }

// keeper is a kind of objects in which Helm's drivers keep records: Secrets or
// ConfigMaps.
type keeper[T, L any] interface {
	Create(context.Context, *T, metav1.CreateOptions) (*T, error)
	Update(context.Context, *T, metav1.UpdateOptions) (*T, error)
	Delete(context.Context, string, metav1.DeleteOptions) error
	Get(context.Context, string, metav1.GetOptions) (*T, error)
	List(context.Context, metav1.ListOptions) (*L, error)
}

// tiedKeeper asks a keeper with the context of an operation: the drivers take
// none of their own.
type tiedKeeper[T, L any] struct {
	to  keeper[T, L]
	ctx context.Context
}

// Create implements keeper.
func (t tiedKeeper[T, L]) Create(_ context.Context, object *T, o metav1.CreateOptions) (*T, error) {
	return t.to.Create(t.ctx, object, o)
}

// Update implements keeper.
func (t tiedKeeper[T, L]) Update(_ context.Context, object *T, o metav1.UpdateOptions) (*T, error) {
	return t.to.Update(t.ctx, object, o)
}

// Delete implements keeper.
func (t tiedKeeper[T, L]) Delete(_ context.Context, name string, o metav1.DeleteOptions) error {
	return t.to.Delete(t.ctx, name, o)
}

// Get implements keeper.
func (t tiedKeeper[T, L]) Get(_ context.Context, name string, o metav1.GetOptions) (*T, error) {
	return t.to.Get(t.ctx, name, o)
}

// List implements keeper.
func (t tiedKeeper[T, L]) List(_ context.Context, o metav1.ListOptions) (*L, error) {
	return t.to.List(t.ctx, o)
}

// What else a client of Secrets or ConfigMaps can do, no driver asks for. It is
// one level further in than what a keeper does, which so counts.
type (
	otherOfSecrets    struct{ clientv1.SecretInterface }
	otherOfConfigMaps struct{ clientv1.ConfigMapInterface }
)

// tiedSecrets are the Secrets of a namespace for one operation.
func tiedSecrets(ctx context.Context, to clientv1.SecretInterface) clientv1.SecretInterface {
	return struct {
		tiedKeeper[corev1.Secret, corev1.SecretList]
		otherOfSecrets
	}{tiedKeeper[corev1.Secret, corev1.SecretList]{to, ctx}, otherOfSecrets{to}}
}

// tiedConfigMaps is tiedSecrets for the other driver.
func tiedConfigMaps(ctx context.Context, to clientv1.ConfigMapInterface) clientv1.ConfigMapInterface {
	return struct {
		tiedKeeper[corev1.ConfigMap, corev1.ConfigMapList]
		otherOfConfigMaps
	}{tiedKeeper[corev1.ConfigMap, corev1.ConfigMapList]{to, ctx}, otherOfConfigMaps{to}}
}
