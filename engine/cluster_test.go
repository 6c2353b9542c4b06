package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// deployment is a template of a Deployment that fails as .Values.fail says.
const deployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {matchLabels: {app: {{ .Values.app | default .Release.Name }} }}
  template:
    metadata:
      labels: {app: {{ .Values.app | default .Release.Name }} }
      annotations:
        devcluster.flotilla.sh/logs: the last words
        devcluster.flotilla.sh/fail: {{ .Values.fail | default "none" }}
    spec:
      containers: [{name: main, image: example.com/main}]
`

func (f *fleet) configMap(name string) *corev1.ConfigMap {
	f.t.Helper()
	cm, err := f.client().CoreV1().ConfigMaps(f.namespace).Get(context.Background(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return cm
}

// client is the administrator's.
func (f *fleet) client() kubernetes.Interface { return clustertest.Start(f.t).Client() }

// record is a stored revision with its chart.
func (f *fleet) record(r spec.Release, number int) *v1.Release {
	f.t.Helper()
	to, err := f.target(r.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	records, err := f.recordsOf(context.Background(), context.Background(), to, r.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	rec, err := records.get(r.ID.Name, number)
	if err != nil {
		f.t.Fatal(err)
	}
	return rec
}

func TestAReleaseLivesThroughAllOperations(t *testing.T) {
	f, ctx := online(t), context.Background()
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  v: {{ .Values.v | quote }}\n  r: {{ randAlphaNum 8 }}\n"})
	r := f.release(dir, "life")
	r.Options.SyncLabels, r.Labels = true, map[string]string{"team": "shop"}

	value := func() string {
		if cm := f.configMap("life"); cm != nil {
			return cm.Data["v"]
		}
		return "absent"
	}
	f.mustApply(r, map[string]any{"v": "1"})
	f.mustApply(r, map[string]any{"v": "2"})
	if value() != "2" {
		t.Fatalf("after the upgrade v is %s", value())
	}
	f.wantHistory(r, "1=superseded 2=deployed")
	if labels := f.read(r).Last().Labels; !cmp.Equal(labels, map[string]string{"team": "shop"}) {
		t.Errorf("labels of the record are %v", labels)
	}

	if err := f.back(ctx, r, &state.Revision{Number: 1}); err != nil || value() != "1" {
		t.Fatalf("rolling back: %v, v is %s", err, value())
	}
	f.wantHistory(r, "1=superseded 2=superseded 3=deployed")

	if err := f.gone(ctx, r); err != nil || value() != "absent" {
		t.Fatalf("uninstalling: %v, v is %s", err, value())
	}
	f.wantHistory(r, "1=superseded 2=superseded 3=uninstalled")
	if err := f.gone(ctx, r); err != nil {
		t.Errorf("uninstalling again: %v", err)
	}

	if err := f.back(ctx, r, &state.Revision{Number: 2}); err != nil || value() != "2" {
		t.Fatalf("restoring: %v, v is %s", err, value())
	}
	if err := f.forgotten(ctx, r); !errors.Is(err, ErrNotUninstalled) {
		t.Errorf("forgetting a deployed release: %v", err)
	}
	if err := errors.Join(f.gone(ctx, r), f.forgotten(ctx, r)); err != nil {
		t.Fatal(err)
	}
	f.wantHistory(r, "")
	f.mustApply(r, map[string]any{"v": "3"})
	f.wantHistory(r, "1=deployed")
	if err := f.back(ctx, r, &state.Revision{Number: 9}); !errors.Is(err, ErrNoRevision) {
		t.Errorf("rolling back to what is not there: %v", err)
	}
}

func TestWhatIsStoredIsWhatWasRendered(t *testing.T) {
	f := online(t)
	dir := writeChart(t, map[string]string{
		"templates/a.yaml": configMap + "  r: {{ randAlphaNum 20 }}\n  ca: {{ (genCA \"x\" 1).Cert | b64enc }}\n" +
			"  seen: '{{ (lookup \"v1\" \"ConfigMap\" .Release.Namespace \"other\").data.k }}'\n",
		"templates/h.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook-{{ randAlphaNum 5 | lower }}\n  annotations: {helm.sh/hook: pre-install}",
		"templates/NOTES.txt": "{{ randAlphaNum 9 }}",
		"values.yaml":         "default: 1\n",
	})
	_, err := f.client().CoreV1().ConfigMaps(f.namespace).Create(context.Background(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "other"}, Data: map[string]string{"k": "looked-up"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := f.release(dir, "exact")
	want := f.mustApply(r, map[string]any{"mine": "x"})
	got := f.read(r).Last()
	if string(got.Stream) != string(want.Stream) || !strings.Contains(string(got.Stream), "looked-up") {
		t.Errorf("stored stream is\n%s\nwanted\n%s", got.Stream, want.Stream)
	}
	if got.Notes != want.Notes || got.ApplyMethod != "ssa" {
		t.Errorf("stored notes %q, method %q; want %q, ssa", got.Notes, got.ApplyMethod, want.Notes)
	}
	if diff := cmp.Diff(want.Values, got.Values); diff != "" {
		t.Errorf("stored values (-want +got):\n%s", diff)
	}
	if len(got.Hooks) != 1 || got.Hooks[0].Manifest != want.Hooks[0].Manifest || got.Hooks[0].Path != want.Hooks[0].Path {
		t.Errorf("stored hooks %v, want %v", got.Hooks, want.Hooks)
	}
	rec := f.record(r, 1)
	if len(rec.Chart.Templates) != 3 || rec.Chart.Values["default"] == nil {
		t.Errorf("the record has not the real chart: %d templates, values %v", len(rec.Chart.Templates), rec.Chart.Values)
	}
	live := f.configMap("exact")
	if !strings.Contains(string(want.Stream), live.Data["r"]) {
		t.Errorf("applied %q, which was never rendered", live.Data["r"])
	}
	for _, m := range live.ManagedFields {
		if m.Manager != "helm" {
			t.Errorf("field manager is %q", m.Manager)
		}
	}
}

func TestReuseValuesKeepsValuesAndDefaultsOfTheStoredRelease(t *testing.T) {
	f := online(t)
	template := configMap + "  v: '{{ .Values.a }} {{ .Values.b }} {{ .Values.c }}'\n"
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": template, "values.yaml": "a: old\n"}), "reuse")
	f.mustApply(r, map[string]any{"b": "mine"})
	r.Chart.Ref = writeChart(t, map[string]string{"templates/a.yaml": template, "values.yaml": "a: new\n"})
	r.Options.ReuseValues = true
	f.mustApply(r, map[string]any{"c": "more"})
	if got := f.configMap("reuse").Data["v"]; got != "old mine more" {
		t.Errorf("v is %q", got)
	}
	if diff := cmp.Diff(map[string]any{"b": "mine", "c": "more"}, f.read(r).Last().Values); diff != "" {
		t.Errorf("stored values (-want +got):\n%s", diff)
	}
}

func TestResetThenReuseValuesKeepsValuesOfTheUserAlone(t *testing.T) {
	f := online(t)
	template := configMap + "  v: '{{ .Values.a }} {{ .Values.b }} {{ .Values.c }}'\n"
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": template, "values.yaml": "a: old\n"}), "reset-reuse")
	r.Options.RecordLabels = map[string]string{"team": "a"}
	f.mustApply(r, map[string]any{"b": "mine", "c": "first"})
	r.Chart.Ref = writeChart(t, map[string]string{"templates/a.yaml": template, "values.yaml": "a: new\n"})
	r.Options.ResetThenReuseValues = true
	f.mustApply(r, map[string]any{"c": "more"})
	if got := f.configMap("reset-reuse").Data["v"]; got != "new mine more" {
		t.Errorf("v is %q", got)
	}
	if diff := cmp.Diff(map[string]any{"b": "mine", "c": "more"}, f.read(r).Last().Values); diff != "" {
		t.Errorf("stored values (-want +got):\n%s", diff)
	}
	if got := f.read(r).Last().Labels["team"]; got != "a" {
		t.Errorf("the record's label is %q", got)
	}
}

func TestHooksRunInOrderAroundTheObjects(t *testing.T) {
	f := online(t)
	r := f.release(sharedChart(t, "hooks"), "ring")
	f.mustApply(r, nil)
	wantOrder := func(names ...string) {
		t.Helper()
		last := 0
		for _, name := range names {
			cm := f.configMap(name)
			if cm == nil {
				t.Fatalf("%s does not exist", name)
			}
			version := 0
			if _, err := fmt.Sscan(cm.ResourceVersion, &version); err != nil {
				t.Fatal(err)
			}
			if version <= last {
				t.Errorf("%s came before the one in front of it: %v", name, names)
			}
			last = version
		}
	}
	wantOrder("ring-pre-install-first", "ring-pre-install-second", "ring", "ring-post-install-first", "ring-post-install-second")
	f.mustApply(r, nil)
	wantOrder("ring-pre-upgrade-first", "ring-pre-upgrade-second", "ring", "ring-post-upgrade-first", "ring-post-upgrade-second")
	if err := f.back(context.Background(), r, &state.Revision{Number: 1}); err != nil {
		t.Fatal(err)
	}
	wantOrder("ring-pre-rollback-first", "ring-pre-rollback-second", "ring", "ring-post-rollback-first", "ring-post-rollback-second")
	if err := f.gone(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	wantOrder("ring-pre-delete-first", "ring-pre-delete-second", "ring-post-delete-first", "ring-post-delete-second")
	if f.configMap("ring") != nil {
		t.Error("the release's own object is still there")
	}
}

func TestSucceededHooksAreDeletedByPolicy(t *testing.T) {
	f := online(t)
	r := f.release(sharedChart(t, "hooks"), "tidy")
	f.mustApply(r, map[string]any{"kind": "Job", "deletePolicy": "hook-succeeded", "events": []any{"pre-install", "pre-upgrade"}})
	jobs, err := clustertest.Start(t).Client().BatchV1().Jobs(f.namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs.Items) != 0 {
		t.Errorf("%d jobs are left", len(jobs.Items))
	}
}

func TestAFailingHookFailsTheReleaseAndIsDiagnosedBeforeItIsDeleted(t *testing.T) {
	f := online(t)
	r := f.release(sharedChart(t, "hooks"), "bad")
	_, err := f.apply(context.Background(), r, map[string]any{
		"kind": "Job", "failEvent": "pre-install", "deletePolicy": "hook-failed", "events": []any{"pre-install"},
	})
	var failed *state.OperationError
	if !errors.As(err, &failed) || !errors.Is(err, ErrNotReady) {
		t.Fatalf("error is %v", err)
	}
	if len(failed.Troubles) != 1 || failed.Troubles[0].Object.Name != "bad-pre-install-second" || failed.Troubles[0].Message == "" {
		t.Errorf("troubles are %+v", failed.Troubles)
	}
	f.wantHistory(r, "1=failed")
	if f.configMap("bad") != nil {
		t.Error("objects were applied after a failed pre-install hook")
	}
}

func TestAWaitThatFailsNamesWhatIsNotReadyAndWhy(t *testing.T) {
	f := online(t)
	r := f.release(writeChart(t, map[string]string{"templates/d.yaml": deployment, "templates/a.yaml": configMap + "  a: b\n"}), "stuck")
	r.Options.Wait, r.Options.Timeout = true, 6*time.Second
	_, err := f.apply(context.Background(), r, map[string]any{"fail": clustertest.CrashLoop})
	var failed *state.OperationError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "Deployment/stuck") || !strings.Contains(err.Error(), "6s") {
		t.Fatalf("error is %v", err)
	}
	trouble := failed.Troubles[0]
	if len(failed.Troubles) != 1 || !strings.Contains(trouble.Message, "CrashLoopBackOff") {
		t.Errorf("troubles are %+v", failed.Troubles)
	}
	if len(trouble.Logs) == 0 || !strings.Contains(strings.Join(trouble.Logs[0].Lines, "\n"), "the last words") {
		t.Errorf("logs are %+v", trouble.Logs)
	}
	f.wantHistory(r, "1=failed")
	f.mustApply(r, nil)
	f.wantHistory(r, "1=superseded 2=deployed")
}

// TestWhatAContainerPrintsOfItsSecretsIsMasked has a secret that no secret store
// knows: the chart itself made it.
func TestWhatAContainerPrintsOfItsSecretsIsMasked(t *testing.T) {
	const password = "correct-horse-battery"
	f := online(t)
	r := f.release(writeChart(t, map[string]string{
		"templates/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\nstringData: {password: {{ .Values.password }}, short: the}\n",
		"templates/d.yaml": strings.Replace(deployment, "the last words", "the URL is db://user:{{ .Values.password }}@host", 1),
	}), "telling")
	r.Options.Wait, r.Options.Timeout = true, 5*time.Second
	_, err := f.apply(context.Background(), r, map[string]any{"fail": clustertest.CrashLoop, "password": password})
	var failed *state.OperationError
	if !errors.As(err, &failed) || len(failed.Troubles) == 0 {
		t.Fatalf("error is %v", err)
	}
	if text := fmt.Sprintf("%v %+v", err, failed.Troubles); strings.Contains(text, password) || !strings.Contains(text, "the URL is db://user:"+spec.Masked+"@host") {
		t.Errorf("told is %s", text)
	}
}

func TestCancellingAWaitLeavesAFailedRecordAndNoGoroutine(t *testing.T) {
	f := online(t)
	r := f.release(writeChart(t, map[string]string{"templates/d.yaml": deployment}), "cut")
	r.Options.Wait = true
	f.mustApply(r, nil)
	have, want := f.wanted(r, map[string]any{"fail": clustertest.NeverReady})
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("the user had enough")
	time.AfterFunc(2*time.Second, func() { cancel(cause) })
	start := time.Now()
	err := f.up(ctx, r, have, want)
	if !errors.Is(err, cause) || time.Since(start) > 5*time.Second {
		t.Fatalf("after %s: %v", time.Since(start), err)
	}
	f.wantHistory(r, "1=deployed 2=failed")
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+3 && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > before+3 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

func TestACancelledContextWritesNothing(t *testing.T) {
	f := online(t)
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"}), "never")
	_, want := f.wanted(r, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, act := range map[string]func() error{
		"install":   func() error { return f.in(ctx, r, want) },
		"upgrade":   func() error { return f.up(ctx, r, state.Release{}, want) },
		"rollback":  func() error { return f.back(ctx, r, want) },
		"uninstall": func() error { return f.gone(ctx, r) },
		"forget":    func() error { return f.forgotten(ctx, r) },
	} {
		if err := act(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	f.wantHistory(r, "")
}

func TestAPendingRecordIsUnlockedAndAForeignOneIsNot(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: {{ .Values.v | quote }}\n"}), "lock")
	f.mustApply(r, map[string]any{"v": "1"})
	have, want := f.wanted(r, map[string]any{"v": "2"})
	f.setStatus(r, 1, rcommon.StatusPendingUpgrade)
	if err := f.up(ctx, r, have, want); !errors.Is(err, state.ErrStale) {
		t.Errorf("upgrading what somebody else began: %v", err)
	}
	f.wantHistory(r, "1=pending-upgrade")
	f.mustApply(r, map[string]any{"v": "2"})
	f.wantHistory(r, "1=superseded 2=deployed")
	f.setStatus(r, 2, rcommon.StatusPendingRollback)
	if err := f.back(ctx, r, &state.Revision{Number: 1}); err != nil {
		t.Fatal(err)
	}
	f.wantHistory(r, "1=superseded 2=failed 3=deployed")
}

func TestTwoReleasesCannotHaveOneObject(t *testing.T) {
	f := online(t)
	dir := writeChart(t, map[string]string{"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shared\ndata:\n  of: {{ .Release.Name }}\n"})
	f.mustApply(f.release(dir, "mine"), nil)
	thief := f.release(dir, "thief")
	_, err := f.apply(context.Background(), thief, nil)
	var owned *Owned
	if !errors.As(err, &owned) || owned.Owner != f.namespace+"/mine" || owned.Object.Name != "shared" {
		t.Fatalf("error is %v", err)
	}
	f.wantHistory(thief, "")
	thief.Options.TakeOwnership, thief.Options.ForceConflicts = true, true
	f.mustApply(thief, nil)
	if of := f.configMap("shared").Data["of"]; of != "thief" {
		t.Errorf("it is of %s", of)
	}
}

func TestAnImmutableFieldIsRecognised(t *testing.T) {
	f := online(t)
	r := f.release(writeChart(t, map[string]string{"templates/d.yaml": deployment}), "fixed")
	f.mustApply(r, map[string]any{"app": "a"})
	_, err := f.apply(context.Background(), r, map[string]any{"app": "b"})
	if !errors.Is(err, ErrImmutable) || !strings.Contains(err.Error(), "spec.selector") {
		t.Errorf("error is %v", err)
	}
	f.wantHistory(r, "1=deployed 2=failed")
}

func TestAFieldThatAnotherManagerOwnsIsAConflict(t *testing.T) {
	f := online(t)
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: {{ .Values.v | quote }}\n"}), "claim")
	f.mustApply(r, map[string]any{"v": "1"})
	cm := f.configMap("claim")
	cm.Data["a"] = "theirs"
	if _, err := f.client().CoreV1().ConfigMaps(f.namespace).Update(context.Background(), cm, metav1.UpdateOptions{FieldManager: "other"}); err != nil {
		t.Fatal(err)
	}
	_, err := f.apply(context.Background(), r, map[string]any{"v": "2"})
	if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "forceConflicts") {
		t.Errorf("error is %v", err)
	}
}

func TestMissingRolesAreNamed(t *testing.T) {
	c := clustertest.Start(t)
	ns := c.Namespace(t)
	path := c.ServiceAccountKubeconfig(t, ns, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"get", "list", "create", "update", "delete", "patch"}})
	f := online(t, path)
	f.namespace = ns
	r := f.release(writeChart(t, map[string]string{"templates/d.yaml": deployment}), "poor")
	_, err := f.apply(context.Background(), r, nil)
	var forbidden *cluster.Forbidden
	if !errors.As(err, &forbidden) || !strings.Contains(forbidden.Resource, "deployments") || !strings.Contains(forbidden.Verb, "patch") || forbidden.Namespace != ns {
		t.Errorf("error is %v", err)
	}
	missing := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"}), "nowhere")
	missing.ID.Namespace = "not-there-" + ns
	want, err := f.Render(context.Background(), RenderInput{Release: missing})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.in(context.Background(), missing, want); !errors.Is(err, cluster.ErrForbidden) {
		t.Errorf("installing into a namespace that may not be made: %v", err)
	}
}

func TestNamespacesAreCreated(t *testing.T) {
	f := online(t)
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"}), "pioneer")
	r.ID.Namespace = f.namespace + "-new"
	want, err := f.Render(context.Background(), RenderInput{Release: r})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.in(context.Background(), r, want); err != nil {
		t.Fatal(err)
	}
	f.wantHistory(r, "1=deployed")
	if err := f.client().CoreV1().Namespaces().Delete(context.Background(), r.ID.Namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestKindsThatAChartBringsAreKnownToTheNextRelease(t *testing.T) {
	const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[1]ss.%[2]s}
spec:
  group: %[2]s
  scope: Namespaced
  names: {kind: %[3]s, listKind: %[3]sList, plural: %[1]ss, singular: %[1]s}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
`
	for _, where := range []string{"crds", "templates"} {
		t.Run(where, func(t *testing.T) {
			f := online(t)
			group := f.namespace + ".example.com"
			object := fmt.Sprintf("apiVersion: %s/v1\nkind: Gadget\nmetadata:\n  name: {{ .Release.Name }}\n", group)
			check := fmt.Sprintf("{{ if not (.Capabilities.APIVersions.Has \"%s/v1/Gadget\") }}{{ fail \"kind not seen\" }}{{ end }}\n", group)
			files := map[string]string{where + "/crd.yaml": fmt.Sprintf(crd, "gadget", group, "Gadget")}
			if where == "crds" {
				files["templates/own.yaml"] = check + object
			}
			first := f.release(writeChart(t, files), "first")
			f.mustApply(first, nil)
			second := f.release(writeChart(t, map[string]string{"templates/o.yaml": check + object}), "second")
			f.mustApply(second, nil)
			f.wantHistory(second, "1=deployed")
		})
	}
}

func TestTestHooksRunAndFail(t *testing.T) {
	f := online(t)
	r := f.release(sharedChart(t, "hooks"), "probe")
	f.mustApply(r, map[string]any{"events": []any{}})
	var logs strings.Builder
	if err := f.Test(context.Background(), r, TestOptions{Logs: &logs}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logs.String(), "probe-test-first") {
		t.Errorf("logs are %q", logs.String())
	}
	failing := f.release(writeChart(t, map[string]string{"templates/t.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: probe-fails\n" +
		"  annotations: {helm.sh/hook: test, devcluster.flotilla.sh/fail: job-failure}\n" +
		"spec: {restartPolicy: Never, containers: [{name: c, image: example.com/c}]}\n"}), "failing")
	f.mustApply(failing, nil)
	var failed *state.OperationError
	if err := f.Test(context.Background(), failing, TestOptions{}); !errors.As(err, &failed) {
		t.Errorf("error is %v", err)
	}
}

func TestHistoryIsKeptToItsLimit(t *testing.T) {
	f := online(t)
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: {{ .Values.v | quote }}\n"}), "short")
	r.Options.HistoryMax = 2
	for i := range 4 {
		f.mustApply(r, map[string]any{"v": fmt.Sprint(i)})
	}
	f.wantHistory(r, "3=superseded 4=deployed")
}

func TestObjectsThatAreNoLongerWantedGo(t *testing.T) {
	f := online(t)
	template := "{{ range .Values.names }}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ . }}\n{{ end }}"
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": template}), "prune")
	f.mustApply(r, map[string]any{"names": []any{"a", "b", "c"}})
	f.mustApply(r, map[string]any{"names": []any{"b", "d"}})
	var left []string
	for _, name := range []string{"a", "b", "c", "d"} {
		if f.configMap(name) != nil {
			left = append(left, name)
		}
	}
	if diff := cmp.Diff([]string{"b", "d"}, left); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestClientSideApplyWorks(t *testing.T) {
	f := online(t)
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: {{ .Values.v | quote }}\n"})
	r := f.release(dir, "oldstyle")
	r.Options.ServerSide = "false"
	f.mustApply(r, map[string]any{"v": "1"})
	f.mustApply(r, map[string]any{"v": "2"})
	if method := f.read(r).Last().ApplyMethod; method != "csa" {
		t.Errorf("apply method is %s", method)
	}
	if got := f.configMap("oldstyle").Data["a"]; got != "2" {
		t.Errorf("a is %s", got)
	}
}

func TestAdmissionThatRefusesIsToldFromMissingRoles(t *testing.T) {
	f := online(t)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/configmaps": resource.MustParse("0")}}}
	if _, err := f.client().CoreV1().ResourceQuotas(f.namespace).Create(context.Background(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"}), "full")
	_, err := f.apply(context.Background(), r, nil)
	if !errors.Is(err, ErrDenied) {
		t.Errorf("error is %v", err)
	}
}

func TestFiftyInstallsAtOnceAreFast(t *testing.T) {
	f, dir := online(t), createdChart(t)
	slots := make(chan struct{}, 16)
	var group sync.WaitGroup
	start := time.Now()
	for i := range 50 {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r := f.release(dir, fmt.Sprintf("web-%d", i))
			want, err := f.Render(context.Background(), RenderInput{Release: r})
			if err == nil {
				err = f.in(context.Background(), r, want)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	took := time.Since(start)
	t.Logf("50 installs took %s", took)
	if took > 15*time.Second {
		t.Errorf("50 installs took %s", took)
	}
}

// setStatus leaves a record as an operation that died, or is under way, does.
func (f *fleet) setStatus(r spec.Release, number int, status rcommon.Status) {
	f.t.Helper()
	to, err := f.target(r.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	records, err := f.recordsOf(context.Background(), context.Background(), to, r.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	rec := f.record(r, number)
	rec.Info.Status = status
	if err := records.Update(recordKey(r.ID.Name, number), rec); err != nil {
		f.t.Fatal(err)
	}
}
