package engine

import (
	"context"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// TestWhatAnUninstallLeavesIsNoSuccess: Helm calls it done when it may not look
// at an object, and when it may not write the record.
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
		}, "writing its record: it still says deployed", "1=deployed"},
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
			err := f.gone(context.Background(), poor)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
			all.wantHistory(r, tt.history)
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
