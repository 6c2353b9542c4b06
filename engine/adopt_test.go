package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/state"
)

func (f *fleet) byHand(name string) {
	f.t.Helper()
	made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"by": "hand"}}
	if _, err := f.client().CoreV1().ConfigMaps(f.namespace).Create(context.Background(), made, metav1.CreateOptions{}); err != nil {
		f.t.Fatal(err)
	}
}

func TestUndoingAnInstallKeepsWhatItTookOver(t *testing.T) {
	f, ctx := online(t), context.Background()
	f.byHand("taken")
	r := f.release(writeChart(t, map[string]string{
		"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: taken\n",
		"templates/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: fresh\n",
	}), "taker")
	r.Options.TakeOwnership, r.Options.ForceConflicts = true, true
	f.mustApply(r, nil)
	err := f.gone(ctx, r)
	if !errors.Is(err, state.ErrAdopted) || !strings.Contains(err.Error(), "ConfigMap/taken") {
		t.Errorf("undoing tells %v", err)
	}
	if f.configMap("taken") == nil || f.configMap("fresh") != nil {
		t.Errorf("taken is %v, fresh is %v", f.configMap("taken"), f.configMap("fresh"))
	}
}

func TestUndoingAnUpgradeKeepsWhatItTookOver(t *testing.T) {
	f, ctx := online(t), context.Background()
	r := f.release(writeChart(t, map[string]string{
		"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: own\n",
		"templates/b.yaml": "{{ if .Values.more }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: taken\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: fresh\n{{ end }}",
	}), "taker")
	r.Options.TakeOwnership, r.Options.ForceConflicts = true, true
	f.mustApply(r, nil)
	f.byHand("taken")
	f.mustApply(r, map[string]any{"more": true})
	err := f.back(ctx, r, &state.Revision{Number: 1})
	if !errors.Is(err, state.ErrAdopted) || !strings.Contains(err.Error(), "ConfigMap/taken") || strings.Contains(err.Error(), "own") {
		t.Errorf("undoing tells %v", err)
	}
	if f.configMap("taken") == nil || f.configMap("fresh") != nil || f.configMap("own") == nil {
		t.Errorf("taken is %v, fresh is %v, own is %v", f.configMap("taken"), f.configMap("fresh"), f.configMap("own"))
	}
	f.wantHistory(r, "1=superseded 2=superseded 3=deployed")
}
