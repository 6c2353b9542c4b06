package engine

import (
	"context"
	"errors"
	"strings"
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
