package engine

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/flotilla-sh/flotilla/state"
)

// An object that still terminates takes every patch, and then is gone.
func TestRestoringWaitsForObjectsThatAreStillTerminating(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{
		"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: held\n  finalizers: [flotilla.test/held]\n",
	}), "held")
	f.mustApply(r, nil)
	if err := f.gone(ctx, r); err != nil {
		t.Fatal(err)
	}
	old := f.configMap("held")
	if old == nil || old.DeletionTimestamp == nil {
		t.Fatalf("the object should be terminating: %v", old)
	}
	release := func() {
		time.Sleep(500 * time.Millisecond)
		none := []byte(`{"metadata":{"finalizers":null}}`)
		if _, err := f.client().CoreV1().ConfigMaps(f.namespace).Patch(ctx, "held", types.MergePatchType, none, metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
	}
	ended := make(chan struct{})
	go func() { defer close(ended); release() }()
	if err := f.back(ctx, r, &state.Revision{Number: 1}); err != nil {
		t.Fatal(err)
	}
	<-ended
	if now := f.configMap("held"); now == nil || now.UID == old.UID || now.DeletionTimestamp != nil {
		t.Errorf("restored object is %v", now)
	}

	r.Options.Timeout = time.Second
	if err := f.gone(ctx, r); err != nil {
		t.Fatal(err)
	}
	err := f.back(ctx, r, &state.Revision{Number: 2})
	if err == nil || !strings.Contains(err.Error(), "held by finalizers flotilla.test/held") {
		t.Errorf("restoring over an object that never goes: %v", err)
	}
	release()
}

func TestRollingBackToAFailedRevisionDoesNotWaitAndLeavesItFailed(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": deployment}), "broken")
	r.Options.Wait, r.Options.Timeout = true, time.Second
	for _, fail := range []string{"never-ready", "crash-loop"} {
		if _, err := f.apply(ctx, r, map[string]any{"fail": fail}); !errors.Is(err, ErrNotReady) {
			t.Fatalf("applying what gets never ready: %v", err)
		}
	}
	if err := f.back(ctx, r, &state.Revision{Number: 1}); err != nil {
		t.Fatal(err)
	}
	f.wantHistory(r, "1=failed 2=failed 3=failed")
	if rec := f.record(r, 3); rec.Config["fail"] != "never-ready" || rec.Info.Description != "Rollback to 1, which had failed" {
		t.Errorf("revision 3 has %v, %q", rec.Config, rec.Info.Description)
	}
	failed := f.read(r).Last()
	if err := errors.Join(f.gone(ctx, r), f.back(ctx, r, failed)); err != nil {
		t.Error(err)
	}
	f.wantHistory(r, "1=failed 2=failed 3=uninstalled 4=failed")
}

// refusingLine is a way to a cluster that takes no requests of one method to paths
// that end so, but for some.
type refusingLine struct {
	next           http.RoundTripper
	method, suffix string
	but            atomic.Int32
}

func (l *refusingLine) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == l.method && strings.HasSuffix(r.URL.Path, l.suffix) && l.but.Add(-1) < 0 {
		return unsent(r, http.StatusForbidden), nil
	}
	return l.next.RoundTrip(r)
}

func (f *fleet) refusing(t *testing.T, method, suffix string, but int32) *Engine {
	t.Helper()
	line := &refusingLine{method: method, suffix: suffix}
	line.but.Store(but)
	return f.along(t, func(next http.RoundTripper) http.RoundTripper { line.next = next; return line }, Options{})
}

// The uninstall marks the record as failed of what was deployed.
func TestWhatAFailedUninstallLeftIsPutBackAsItWas(t *testing.T) {
	f, ctx := online(t), context.Background()
	text := configMap + "  v: a\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: stays}\n"
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": text}), "whole")
	f.mustApply(r, nil)
	have := f.read(r)
	left, err := f.refusing(t, http.MethodDelete, "/configmaps/stays", 0).Uninstall(ctx, r, have)
	if err == nil || f.configMap("whole") != nil || f.configMap("stays") == nil {
		t.Fatalf("uninstalling: %v", err)
	}
	f.wantHistory(r, "1=failed")
	if _, err := f.Rollback(ctx, r, have.Last(), left); err != nil || f.configMap("whole") == nil {
		t.Fatalf("putting it back: %v", err)
	}
	f.wantHistory(r, "1=failed 2=deployed")
	if got := f.record(r, 2).Info.Description; got != "Rollback to 1" {
		t.Errorf("revision 2 is described as %q", got)
	}
}

// A rollback that is cut off is made again, for which its target has to be there.
func TestRollingBackKeepsTheRevisionThatItGoesBackTo(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  v: {{ .Values.v }}\n"}), "limited")
	r.Options.HistoryMax = 1
	f.mustApply(r, map[string]any{"v": "a"})
	f.mustApply(r, map[string]any{"v": "b"})
	if err := f.back(ctx, r, &state.Revision{Number: 1}); err != nil {
		t.Fatal(err)
	}
	f.wantHistory(r, "1=superseded 2=superseded 3=deployed")
	f.mustApply(r, map[string]any{"v": "c"})
	f.wantHistory(r, "3=superseded 4=deployed")
}

func TestRollingBackToWhatIsDeployedWritesNothing(t *testing.T) {
	f := online(t)
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  v: a\n"}), "same")
	f.mustApply(r, nil)
	if err := f.back(context.Background(), r, &state.Revision{Number: 1}); err != nil {
		t.Fatal(err)
	}
	f.wantHistory(r, "1=deployed")
}

// Helm supersedes kept history before it writes the new record; a run that is
// killed in between leaves no other trace.
func TestAnInstallCutOffBeforeItsRecordCanBeRepeated(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  v: a\n"}), "cut")
	f.mustApply(r, nil)
	if err := f.gone(ctx, r); err != nil {
		t.Fatal(err)
	}
	f.setStatus(r, 1, rcommon.StatusSuperseded)
	f.mustApply(r, nil)
	f.wantHistory(r, "1=superseded 2=deployed")
}

// Somebody scales what the release declares: the upgrade fails over that, and its
// undo leaves the field as it was before both.
func TestAnUndoLeavesFieldsToOthersThatTheRunDidNotTake(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  v: {{ .Values.v }}\n  w: {{ .Values.w }}\n"}), "mine")
	f.mustApply(r, map[string]any{"v": "a", "w": "a"})
	name := "mine"
	theirs := []byte(`{"data":{"v":"theirs"}}`)
	if _, err := f.client().CoreV1().ConfigMaps(f.namespace).Patch(ctx, name, types.MergePatchType, theirs, metav1.PatchOptions{FieldManager: "hand"}); err != nil {
		t.Fatal(err)
	}
	_, err := f.apply(ctx, r, map[string]any{"v": "b", "w": "b"})
	if want := "field conflict: " + f.namespace + "/ConfigMap/mine field .data.v: "; !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want %q in it", err, want)
	}
	if err := f.back(ctx, r, &state.Revision{Number: 1}); err != nil {
		t.Fatalf("undoing it: %v", err)
	}
	if d := cmp.Diff(map[string]string{"v": "theirs", "w": "a"}, f.configMap(name).Data); d != "" {
		t.Errorf("after the undo (-want +got):\n%s", d)
	}
	f.wantHistory(r, "1=superseded 2=failed 3=deployed")
}

func TestFieldsOfAConflictAreFoundByThePathsOfTheServer(t *testing.T) {
	object := func() map[string]any {
		return map[string]any{
			"metadata": map[string]any{"annotations": map[string]any{"a": "x", "a.b/c": "y"}, "finalizers": []any{"f/one", "f/two"}},
			"spec":     map[string]any{"ports": []any{map[string]any{"port": int64(80), "targetPort": int64(1)}, map[string]any{"port": int64(80), "protocol": "UDP", "targetPort": int64(2)}}},
		}
	}
	tests := []struct {
		name, path string
		found      bool
		left       func(map[string]any)
	}{
		{"a field", ".spec.ports", true, func(o map[string]any) { delete(o["spec"].(map[string]any), "ports") }},
		{"a name with points", ".metadata.annotations.a.b/c", true, func(o map[string]any) {
			delete(o["metadata"].(map[string]any)["annotations"].(map[string]any), "a.b/c")
		}},
		{"an element by two keys", `.spec.ports[port=80,protocol="UDP"].targetPort`, true, func(o map[string]any) {
			delete(o["spec"].(map[string]any)["ports"].([]any)[1].(map[string]any), "targetPort")
		}},
		{"an element that leaves a key to its default", `.spec.ports[port=80,protocol="TCP"].targetPort`, true, func(o map[string]any) {
			delete(o["spec"].(map[string]any)["ports"].([]any)[0].(map[string]any), "targetPort")
		}},
		{"a value of a set", `.metadata.finalizers[="f/one"]`, true, func(o map[string]any) {
			o["metadata"].(map[string]any)["finalizers"] = []any{"f/two"}
		}},
		{"nothing", ".spec.replicas", false, func(map[string]any) {}},
		{"a path that is cut off", `.spec.ports[port=80`, false, func(map[string]any) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, want := object(), object()
			tt.left(want)
			if _, found := without(got, tt.path); found != tt.found {
				t.Errorf("found: %v", found)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
