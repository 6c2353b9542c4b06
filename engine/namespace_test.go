package engine

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// inNewNamespace is a release of one ConfigMap and a workload.
func (f *fleet) inNewNamespace(name, suffix string) spec.Release {
	f.t.Helper()
	r := f.release(writeChart(f.t, map[string]string{"templates/a.yaml": configMap + "  a: b\n", "templates/d.yaml": deployment,
		"templates/s.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  selector: {app: {{ .Release.Name }}}\n  ports: [{port: 80}]\n"}), name)
	r.ID.Namespace = f.namespace + suffix
	r.Options.Wait = true
	return r
}

func (f *fleet) install(r spec.Release) state.Trace {
	f.t.Helper()
	want, err := f.Render(context.Background(), RenderInput{Release: r})
	if err != nil {
		f.t.Fatal(err)
	}
	left, err := f.Install(context.Background(), r, want)
	if err != nil {
		f.t.Fatal(err)
	}
	return left
}

func (f *fleet) removed(r spec.Release, left state.Trace) {
	f.t.Helper()
	left, err := f.Remove(context.Background(), r, left)
	if err = errors.Join(err, f.Forget(context.Background(), r, left, 0)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) namespaceIsThere(name string) bool {
	f.t.Helper()
	_, err := f.client().CoreV1().Namespaces().Get(context.Background(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		f.t.Fatal(err)
	}
	return err == nil
}

func TestACreatedNamespaceGoesWithTheLastReleaseInIt(t *testing.T) {
	f, ctx := online(t), context.Background()
	first, second := f.inNewNamespace("first", "-drop"), f.inNewNamespace("second", "-drop")
	one, two := f.install(first), f.install(second)
	if one.Namespace == "" || two.Namespace != "" {
		t.Fatalf("the first left %+v, the second %+v", one, two)
	}
	f.removed(first, one)
	if err := f.DropNamespace(ctx, first, one); !errors.Is(err, ErrOccupied) || !strings.Contains(err.Error(), "ConfigMap/second") {
		t.Errorf("dropping the namespace of another release: %v", err)
	}
	f.removed(second, two)
	other := one
	other.Namespace = "the UID of one before"
	if err := f.DropNamespace(ctx, first, other); err != nil || !f.namespaceIsThere(first.ID.Namespace) {
		t.Errorf("dropping a namespace that another run created: %v", err)
	}
	if err := f.DropNamespace(ctx, first, one); err != nil || f.namespaceIsThere(first.ID.Namespace) {
		t.Errorf("dropping the empty namespace: %v", err)
	}
	if err := f.DropNamespace(ctx, first, one); err != nil {
		t.Errorf("dropping it again: %v", err)
	}
}

// wire is a way to a cluster on which something happens to the requests that
// create a namespace.
type wire struct {
	next http.RoundTripper
	send func(http.RoundTripper, *http.Request) (*http.Response, error)
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/namespaces") {
		return w.send(w.next, r)
	}
	return w.next.RoundTrip(r)
}

func TestANamespaceIsOursWhateverBecomesOfTheAnswer(t *testing.T) {
	f, run := online(t), "20260102-030405000-abcd"
	lose := func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		return nil, syscall.ECONNRESET
	}
	tests := []struct {
		name, suffix string
		ends         bool // the install
		send         func(next http.RoundTripper, r *http.Request, interrupt func()) (*http.Response, error)
	}{
		{"the answer is lost", "-lost", true, func(next http.RoundTripper, r *http.Request, _ func()) (*http.Response, error) { return lose(next, r) }},
		{"it was created by an attempt before", "-again", true, func(next http.RoundTripper, r *http.Request, _ func()) (*http.Response, error) {
			first, _ := r.GetBody()
			again := r.Clone(r.Context())
			again.Body = first
			if _, err := lose(next, again); !errors.Is(err, syscall.ECONNRESET) {
				return nil, err
			}
			return next.RoundTrip(r)
		}},
		{"the run is interrupted before the answer", "-cut", false, func(next http.RoundTripper, r *http.Request, interrupt func()) (*http.Response, error) {
			interrupt()
			return next.RoundTrip(r)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e := f.along(t, func(next http.RoundTripper) http.RoundTripper {
				return wire{next, func(next http.RoundTripper, r *http.Request) (*http.Response, error) { return tt.send(next, r, cancel) }}
			}, Options{Run: run})
			r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"}), "r")
			r.ID.Namespace = f.namespace + tt.suffix
			want, err := e.Render(t.Context(), RenderInput{Release: r})
			if err != nil {
				t.Fatal(err)
			}
			left, err := e.Install(ctx, r, want)
			if (err == nil) != tt.ends {
				t.Errorf("installing ended with %v", err)
			}
			made, err := f.client().CoreV1().Namespaces().Get(t.Context(), r.ID.Namespace, metav1.GetOptions{})
			if err != nil || left.Namespace != string(made.UID) {
				t.Errorf("it left %+v, and there is %v, %v", left, made, err)
			}
		})
	}
	theirs := f.along(t, nil, Options{Run: "20260102-030405000-ffff"})
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"}), "other")
	r.ID.Namespace = f.namespace + "-lost"
	want, err := theirs.Render(t.Context(), RenderInput{Release: r})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := theirs.Install(t.Context(), r, want); err != nil || left.Namespace != "" {
		t.Errorf("another run takes the namespace for its own: %+v, %v", left, err)
	}
}

func TestAnInstallWaitsForANamespaceThatIsBeingDeleted(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"}), "phoenix")
	spaces := f.client().CoreV1()
	held := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "held", Finalizers: []string{"flotilla.test/held"}}}
	if _, err := spaces.ConfigMaps(f.namespace).Create(ctx, held, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := spaces.Namespaces().Delete(ctx, f.namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	want, err := f.Render(ctx, RenderInput{Release: r})
	if err != nil {
		t.Fatal(err)
	}
	keen := r
	keen.Options.Timeout = time.Second
	if err := f.in(ctx, keen, want); !errors.Is(err, ErrTerminating) {
		t.Errorf("waiting too short: %v", err)
	}
	blind := r
	blind.Options.CreateNamespace = false
	if err := f.in(ctx, blind, want); !errors.Is(err, ErrTerminating) {
		t.Errorf("installing into it: %v", err)
	}
	ended := make(chan error)
	go func() {
		time.Sleep(time.Second)
		_, err := spaces.ConfigMaps(f.namespace).Patch(ctx, "held", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		ended <- err
	}()
	left, err := f.Install(ctx, r, want)
	if err := errors.Join(err, <-ended); err != nil || left.Namespace == "" {
		t.Fatalf("installing left %+v, %v", left, err)
	}
	f.wantHistory(r, "1=deployed")
}

func TestOnlyCRDsThatWereNotThereBeforeAreTold(t *testing.T) {
	f := online(t)
	group := f.namespace + ".example.com"
	crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: jars." + group + "}\nspec:\n  group: " + group +
		"\n  scope: Namespaced\n  names: {kind: Jar, listKind: JarList, plural: jars, singular: jar}\n" +
		"  versions:\n  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}\n"
	dir := writeChart(t, map[string]string{"crds/a.yaml": crd, "templates/a.yaml": configMap + "  a: b\n"})
	without := f.release(dir, "without")
	without.Options.SkipCRDs = true
	if left := f.install(without); len(left.CRDs) != 0 {
		t.Errorf("with skipCRDs: %v", left.CRDs)
	}
	if left := f.install(f.release(dir, "first")); len(left.CRDs) != 1 || left.CRDs[0].Name != "jars."+group {
		t.Errorf("the first install: %v", left.CRDs)
	}
	if left := f.install(f.release(dir, "second")); len(left.CRDs) != 0 {
		t.Errorf("the second install: %v", left.CRDs)
	}
}
