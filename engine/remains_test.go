package engine

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// TestWhatAnUninstallLeavesIsNoSuccess: Helm calls it done when it may not look
// at an object, and deletes also when it may not write the record.
func TestWhatAnUninstallLeavesIsNoSuccess(t *testing.T) {
	verbs := []string{"get", "list", "create", "update", "delete", "patch"}
	tests := []struct {
		name    string
		rules   []rbacv1.PolicyRule
		want    string
		history string
	}{
		{"no right to the objects", []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: verbs},
		}, "ConfigMap/left was not deleted", "1=failed"},
		{"no right to the record", []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list"}},
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: verbs},
		}, "nothing was deleted, because its record could not be written", "1=deployed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := clustertest.Start(t)
			ns := c.Namespace(t)
			all := online(t)
			all.namespace = ns
			r := all.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"}), "left")
			all.mustApply(r, nil)
			f := online(t, c.ServiceAccountKubeconfig(t, ns, tt.rules...))
			poor := r
			poor.ID.Context = ""
			left, err := f.Uninstall(t.Context(), poor, f.read(poor))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
			all.wantHistory(r, tt.history)
			if all.configMap("left") == nil {
				t.Errorf("the object is gone, by a trace of %+v", left)
			}
		})
	}
}

// Hooks are deleted by their policy before the record is written.
func TestAnUninstallNeedsTheRecordThatSaysThatItBegan(t *testing.T) {
	hook := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-delete}}\n"
	tests := []struct {
		name           string
		written        int32 // records, until no more can be
		want, recorded string
		gone           bool
	}{
		{"no record can be written", 0, "nothing was deleted, because its record could not be written", "1=deployed", false},
		{"that it began can be written, and not that it ended", 1, "writing its record: it still says uninstalling", "1=uninstalling", true},
	}
	f := online(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := fmt.Sprint("written-", tt.written)
			r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n" + hook}), name)
			f.mustApply(r, nil)
			have := f.read(r)
			left, err := f.refusing(t, http.MethodPut, name+".v1", tt.written).Uninstall(t.Context(), r, have)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
			f.wantHistory(r, tt.recorded)
			if gone := f.configMap(name) == nil; gone != tt.gone || gone != (left.Revision > 0) {
				t.Errorf("the object is gone: %v, by a trace of %+v", gone, left)
			}
			if _, err := f.Rollback(t.Context(), r, have.Last(), left); err != nil || f.configMap(name) == nil {
				t.Errorf("putting it back: %v", err)
			}
		})
	}
}

func TestAnObjectOfAnotherReleaseIsRightlyLeft(t *testing.T) {
	f := online(t)
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": configMap + "  a: b\n"}), "given")
	f.mustApply(r, nil)
	cm := f.configMap("given")
	cm.Annotations[nameAnnotation] = "taker"
	if _, err := f.client().CoreV1().ConfigMaps(f.namespace).Update(context.Background(), cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := f.gone(context.Background(), r); err != nil {
		t.Errorf("error is %v", err)
	}
	if f.configMap("given") == nil {
		t.Error("the object of another release was deleted")
	}
}
