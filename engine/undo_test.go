package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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
