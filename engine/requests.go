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

// tiedSecrets are where Helm's driver keeps records, which takes no context.
type tiedSecrets struct {
	clientv1.SecretInterface
	ctx context.Context
}

// Create implements clientv1.SecretInterface.
func (t tiedSecrets) Create(_ context.Context, s *corev1.Secret, o metav1.CreateOptions) (*corev1.Secret, error) {
	return t.SecretInterface.Create(t.ctx, s, o)
}

// Update implements clientv1.SecretInterface.
func (t tiedSecrets) Update(_ context.Context, s *corev1.Secret, o metav1.UpdateOptions) (*corev1.Secret, error) {
	return t.SecretInterface.Update(t.ctx, s, o)
}

// Delete implements clientv1.SecretInterface.
func (t tiedSecrets) Delete(_ context.Context, name string, o metav1.DeleteOptions) error {
	return t.SecretInterface.Delete(t.ctx, name, o)
}

// Get implements clientv1.SecretInterface.
func (t tiedSecrets) Get(_ context.Context, name string, o metav1.GetOptions) (*corev1.Secret, error) {
	return t.SecretInterface.Get(t.ctx, name, o)
}

// List implements clientv1.SecretInterface.
func (t tiedSecrets) List(_ context.Context, o metav1.ListOptions) (*corev1.SecretList, error) {
	return t.SecretInterface.List(t.ctx, o)
}

// tiedConfigMaps is tiedSecrets for the other driver.
type tiedConfigMaps struct {
	clientv1.ConfigMapInterface
	ctx context.Context
}

// Create implements clientv1.ConfigMapInterface.
func (t tiedConfigMaps) Create(_ context.Context, m *corev1.ConfigMap, o metav1.CreateOptions) (*corev1.ConfigMap, error) {
	return t.ConfigMapInterface.Create(t.ctx, m, o)
}

// Update implements clientv1.ConfigMapInterface.
func (t tiedConfigMaps) Update(_ context.Context, m *corev1.ConfigMap, o metav1.UpdateOptions) (*corev1.ConfigMap, error) {
	return t.ConfigMapInterface.Update(t.ctx, m, o)
}

// Delete implements clientv1.ConfigMapInterface.
func (t tiedConfigMaps) Delete(_ context.Context, name string, o metav1.DeleteOptions) error {
	return t.ConfigMapInterface.Delete(t.ctx, name, o)
}

// Get implements clientv1.ConfigMapInterface.
func (t tiedConfigMaps) Get(_ context.Context, name string, o metav1.GetOptions) (*corev1.ConfigMap, error) {
	return t.ConfigMapInterface.Get(t.ctx, name, o)
}

// List implements clientv1.ConfigMapInterface.
func (t tiedConfigMaps) List(_ context.Context, o metav1.ListOptions) (*corev1.ConfigMapList, error) {
	return t.ConfigMapInterface.List(t.ctx, o)
}
