package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/state"
)

const statefulSet = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {{ .Release.Name }} }
spec:
  serviceName: {{ .Values.app }}
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}}
    spec: {containers: [{name: main, image: example.com/main}]}
`

const fixedMap = `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-fixed }
immutable: true
data: {app: {{ .Values.app }}}
`

func TestWhatCannotBeChangedInPlaceIsInstalledAnew(t *testing.T) {
	f, ctx := online(t), context.Background()
	for name, template := range map[string]string{"deployment": deployment, "statefulset": statefulSet, "immutable-configmap": fixedMap} {
		t.Run(name, func(t *testing.T) {
			r := f.release(writeChart(t, map[string]string{"templates/d.yaml": template, "templates/a.yaml": configMap + "  v: {{ .Values.app }}\n"}), name)
			r.Options.HistoryMax = 2
			f.mustApply(r, map[string]any{"app": "a"})
			have, want := f.wanted(r, map[string]any{"app": "b"})
			if err := f.up(ctx, r, have, want); !errors.Is(err, ErrImmutable) {
				t.Fatalf("without the strategy: %v", err)
			}
			f.mustApply(r, map[string]any{"app": "a"})
			r.Options.UpdateStrategy = "reinstallIfForbidden"
			have, want = f.wanted(r, map[string]any{"app": "b"})
			left, err := f.Upgrade(ctx, r, have, want)
			if err != nil || !left.Reinstalled || left.Revision != 5 || left.Status != state.StatusDeployed {
				t.Fatalf("reinstalling left %+v, %v", left, err)
			}
			if v := f.configMap(name).Data["v"]; v != "b" {
				t.Errorf("v is %s", v)
			}
			f.wantHistory(r, "3=superseded 4=superseded 5=deployed")
			if _, err := f.Rollback(ctx, r, have.Last(), left); err != nil {
				t.Fatal(err)
			}
			if v := f.configMap(name).Data["v"]; v != "a" || f.read(r).Last().Status != state.StatusDeployed {
				t.Errorf("after the undo v is %s, %s", v, f.history(r))
			}
		})
	}
}

func TestAReinstallThatFailsIsUndone(t *testing.T) {
	f, ctx := online(t), context.Background()
	hook := "{{ if .Values.bad }}\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: pre-install}\n" +
		"spec:\n  template:\n    metadata: {annotations: {devcluster.flotilla.sh/fail: job-failure}}\n" +
		"    spec: {restartPolicy: Never, containers: [{name: c, image: example.com/c}]}\n{{ end }}"
	r := f.release(writeChart(t, map[string]string{"templates/d.yaml": deployment, "templates/h.yaml": hook}), "unlucky")
	r.Options.UpdateStrategy, r.Options.Timeout = "reinstallIfForbidden", 5*time.Second
	f.mustApply(r, map[string]any{"app": "a"})
	have, want := f.wanted(r, map[string]any{"app": "b", "bad": true})
	left, err := f.Upgrade(ctx, r, have, want)
	if !errors.Is(err, ErrNotReady) || !errors.Is(err, ErrImmutable) || !left.Reinstalled || left.Status != state.StatusFailed {
		t.Fatalf("reinstalling left %+v, %v", left, err)
	}
	if _, err := f.Rollback(ctx, r, have.Last(), left); err != nil {
		t.Fatalf("undoing %+v: %v", left, err)
	}
	d, err := f.client().AppsV1().Deployments(f.namespace).Get(ctx, "unlucky", metav1.GetOptions{})
	if err != nil || d.Spec.Selector.MatchLabels["app"] != "a" || f.read(r).Last().Status != state.StatusDeployed {
		t.Errorf("after the undo: %v, %v, history %s", d, err, f.history(r))
	}
}

// What was not removed is changed back in place.
func TestAReinstallThatRemovedNothingIsUndoneInPlace(t *testing.T) {
	f, ctx := online(t), context.Background()
	hook := "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{ .Release.Name }}-hook\n  annotations: {helm.sh/hook: pre-delete, helm.sh/hook-delete-policy: 'before-hook-creation,hook-failed'}\n" +
		"spec:\n  template:\n    metadata: {annotations: {devcluster.flotilla.sh/fail: job-failure}}\n" +
		"    spec: {restartPolicy: Never, containers: [{name: c, image: example.com/c}]}\n"
	stopped, stop := context.WithCancel(ctx)
	stop()
	for name, with := range map[string]struct {
		ctx   context.Context
		hook  string
		cause error
	}{
		"a hook fails before": {ctx, hook, ErrNotReady},
		"interrupted before":  {stopped, "", context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			r := f.release(writeChart(t, map[string]string{"templates/d.yaml": deployment, "templates/h.yaml": with.hook}), strings.ReplaceAll(name, " ", "-"))
			r.Options.Timeout, r.Options.DeleteTimeout = 5*time.Second, 5*time.Second
			f.mustApply(r, map[string]any{"app": "a"})
			deployed, err := f.client().AppsV1().Deployments(f.namespace).Get(ctx, r.ID.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			have, want := f.wanted(r, map[string]any{"app": "b"})
			left, cause := f.Upgrade(ctx, r, have, want)
			if !errors.Is(cause, ErrImmutable) {
				t.Fatalf("upgrading: %v", cause)
			}
			left, err = f.reinstall(with.ctx, r, want, left, cause)
			if !errors.Is(err, with.cause) || left.Reinstalled {
				t.Fatalf("reinstalling left %+v, %v", left, err)
			}
			if _, err := f.Rollback(ctx, r, have.Last(), left); err != nil {
				t.Fatalf("undoing %+v: %v", left, err)
			}
			now, err := f.client().AppsV1().Deployments(f.namespace).Get(ctx, r.ID.Name, metav1.GetOptions{})
			if err != nil || now.UID != deployed.UID || f.read(r).Last().Status != state.StatusDeployed {
				t.Errorf("after the undo: %v, %v, history %s", now, err, f.history(r))
			}
		})
	}
}
