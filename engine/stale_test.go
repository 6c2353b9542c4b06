package engine

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	rcommon "helm.sh/helm/v4/pkg/release/common"

	"github.com/flotilla-sh/flotilla/state"
)

func TestInstallLeavesAReleaseAloneThatSomebodyElseInstalled(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: {{ .Values.v | quote }}\n"}), "theirs")
	_, want := f.wanted(r, map[string]any{"v": "mine"})
	f.mustApply(r, map[string]any{"v": "theirs"})
	for _, status := range []rcommon.Status{rcommon.StatusDeployed, rcommon.StatusFailed, rcommon.StatusPendingInstall} {
		f.setStatus(r, 1, status)
		if err := f.in(ctx, r, want); !errors.Is(err, state.ErrStale) {
			t.Errorf("installing over a %s release: %v", status, err)
		}
		f.wantHistory(r, "1="+string(status))
	}
}

// Between a step and its undo somebody may upgrade, roll back or uninstall the
// release with another tool: that is theirs now, and the undo names it.
func TestAnUndoLeavesAReleaseAloneOnWhichSomebodyElseWorkedSince(t *testing.T) {
	f, ctx := online(t), context.Background()
	dir := writeChart(t, map[string]string{"templates/a.yaml": configMap + "  v: {{ .Values.v | quote }}\n"})
	r := f.release(dir, "moved")
	_, want := f.wanted(r, map[string]any{"v": "1"})
	installed, err := f.Install(ctx, r, want)
	if err != nil || installed.Revision != 1 || installed.Status != state.StatusDeployed {
		t.Fatalf("installing leaves %+v, %v", installed, err)
	}
	have, want := f.wanted(r, map[string]any{"v": "2"})
	upgraded, err := f.Upgrade(ctx, r, have, want)
	if err != nil || upgraded.Revision != 2 {
		t.Fatalf("upgrading leaves %+v, %v", upgraded, err)
	}
	f.mustApply(r, map[string]any{"v": "theirs"})
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, state.ErrStale) || !strings.Contains(err.Error(), "the newest is 3 (") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = f.Rollback(ctx, r, have.Last(), upgraded)
	refused("rolling back", err)
	_, err = f.Remove(ctx, r, installed)
	refused("removing", err)
	_, err = f.Uninstall(ctx, r, have)
	if !errors.Is(err, state.ErrStale) {
		t.Errorf("uninstalling what was planned for revision 1: %v", err)
	}
	if v := f.configMap("moved").Data["v"]; v != "theirs" {
		t.Errorf("v is %s", v)
	}
	f.wantHistory(r, "1=superseded 2=superseded 3=deployed")

	have = f.read(r)
	uninstalled, err := f.Uninstall(ctx, r, have)
	if err != nil || uninstalled.Revision != 3 || uninstalled.Status != state.StatusUninstalled {
		t.Fatalf("uninstalling leaves %+v, %v", uninstalled, err)
	}
	if _, err := f.Rollback(ctx, r, have.Last(), state.Trace{Revision: 3, Status: state.StatusDeployed}); !errors.Is(err, state.ErrStale) {
		t.Errorf("rolling back what somebody uninstalled: %v", err)
	}
	f.mustApply(r, map[string]any{"v": "again"})
	if err := f.Forget(ctx, r, uninstalled, 0); !errors.Is(err, ErrNotUninstalled) {
		t.Errorf("forgetting what is there again: %v", err)
	}
	if err := f.gone(ctx, r); err != nil {
		t.Fatal(err)
	}
	if err := f.Forget(ctx, r, uninstalled, 0); !errors.Is(err, state.ErrStale) {
		t.Errorf("forgetting what another uninstall left: %v", err)
	}
	f.wantHistory(r, "1=superseded 2=superseded 3=superseded 4=uninstalled")
}

func TestAnInstallThatWroteNothingLeavesNothingToUndo(t *testing.T) {
	f, ctx := online(t), context.Background()
	dir := writeChart(t, map[string]string{"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shared\n"})
	f.mustApply(f.release(dir, "owner"), nil)
	r := f.release(dir, "late")
	_, want := f.wanted(r, nil)
	left, err := f.Install(ctx, r, want)
	if !errors.Is(err, ErrOwned) || left.Revision != 0 {
		t.Fatalf("installing leaves %+v, %v", left, err)
	}
	if _, err := f.Remove(ctx, r, left); err != nil || f.configMap("shared") == nil {
		t.Errorf("removing: %v, the object is %v", err, f.configMap("shared"))
	}
}

func TestWhatWasOnlyHistoryIsOnlyThatHistoryAgain(t *testing.T) {
	f, ctx := online(t), context.Background()
	dir := writeChart(t, map[string]string{"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"})
	r := f.release(dir, "once")
	r.Options.HistoryMax = 2
	f.mustApply(r, map[string]any{"v": "one"})
	f.mustApply(r, map[string]any{"v": "two"})
	if err := f.gone(ctx, r); err != nil {
		t.Fatal(err)
	}
	f.wantHistory(r, "1=superseded 2=uninstalled")
	was := f.read(r)

	f.mustApply(r, map[string]any{"v": "three"})
	f.wantHistory(r, "1=superseded 2=superseded 3=deployed")
	left, err := f.Remove(ctx, r, f.left(r))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // whoever was cut off does it again
		if err := f.Forget(ctx, r, left, 2); err != nil {
			t.Fatal(err)
		}
		f.wantHistory(r, "1=superseded 2=uninstalled")
	}
	if is := f.read(r); !reflect.DeepEqual(is.Last().Values, was.Last().Values) {
		t.Errorf("the newest revision has the values %v, want %v", is.Last().Values, was.Last().Values)
	}
	if err := f.Forget(ctx, r, state.Trace{}, 7); err != nil {
		t.Errorf("nothing is newer: %v", err)
	}
}
