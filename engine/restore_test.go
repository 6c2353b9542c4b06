package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/flotilla-sh/flotilla/state"
)

// edit changes a ConfigMap by hand, as another field manager.
func (f *fleet) edit(name, body string) {
	f.t.Helper()
	if _, err := f.client().CoreV1().ConfigMaps(f.namespace).Patch(context.Background(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: "hand"}); err != nil {
		f.t.Fatal(err)
	}
}

// TestRestorePutsBackWhatDriftedAndNothingElse: two objects are changed by hand, of
// which one is named as drifted, and of that one of its fields.
func TestRestorePutsBackWhatDriftedAndNothingElse(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{
		"templates/a.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: deployed, b: deployed}\n",
		"templates/b.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\ndata: {a: deployed}\n",
		"templates/hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: \"pre-rollback,pre-upgrade\"}}\n",
	}), "web")
	f.mustApply(r, nil)
	one := state.ObjectID{Kind: "ConfigMap", Namespace: f.namespace, Name: "one"}
	f.edit("one", `{"data": {"a": "by hand", "b": "by hand"}}`)
	f.edit("two", `{"data": {"a": "by hand"}}`)
	have := f.read(r)

	_, err := f.Restore(ctx, r, have, state.Drifted{one: {".data.a"}})
	if err == nil || !strings.Contains(err.Error(), "field conflict: ") {
		t.Fatalf("without forceConflicts: %v", err)
	}
	f.wantHistory(r, "1=deployed 2=failed")
	quiet := r
	quiet.Options.DisableHooks = true
	if err := f.back(ctx, quiet, have.Last()); err != nil {
		t.Fatal(err)
	}
	f.wantHistory(r, "1=superseded 2=failed 3=deployed")

	have = f.read(r)
	r.Options.ForceConflicts = true
	left, err := f.Restore(ctx, r, have, state.Drifted{one: {".data.a"}})
	if err != nil {
		t.Fatal(err)
	}
	if left.Revision != 4 || left.Status != state.StatusDeployed {
		t.Errorf("left %+v", left)
	}
	if got := f.configMap("one").Data; got["a"] != "deployed" || got["b"] != "by hand" {
		t.Errorf("the drifted field is to be back, the other one stays: %v", got)
	}
	if got := f.configMap("two").Data; got["a"] != "by hand" {
		t.Errorf("an object that is not named: %v", got)
	}
	if f.configMap("hook") != nil {
		t.Error("a hook ran")
	}
	last := f.read(r).Last()
	if string(last.Stream) != string(have.Last().Stream) || last.Description != "Drift put back, as revision 3" {
		t.Errorf("revision %d: %q", last.Number, last.Description)
	}
	if _, err := f.Restore(ctx, r, have, state.Drifted{one: {".data.a"}}); !errors.Is(err, state.ErrStale) {
		t.Errorf("of what has moved since: %v", err)
	}
}

func TestRestoreMakesObjectsThatAreGone(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {a: deployed}\n"}), "web")
	f.mustApply(r, nil)
	if err := f.client().CoreV1().ConfigMaps(f.namespace).Delete(ctx, "one", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Restore(ctx, r, f.read(r), state.Drifted{{Kind: "ConfigMap", Namespace: f.namespace, Name: "one"}: nil}); err != nil {
		t.Fatal(err)
	}
	if got := f.configMap("one"); got == nil || got.Data["a"] != "deployed" {
		t.Errorf("got %v", got)
	}
}
