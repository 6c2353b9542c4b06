package cluster_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

func TestDataOfSecretsAndConfigMaps(t *testing.T) {
	f := newFixture(t)
	meta := metav1.ObjectMeta{Name: "x"}
	if _, err := f.admin.CoreV1().Secrets(f.namespace).Create(t.Context(), &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"a": []byte("secret")}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.admin.CoreV1().ConfigMaps(f.namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"a": "config"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		from spec.ClusterObject
		want map[string]string
		err  string
	}{
		{"a Secret is decoded", spec.ClusterObject{Context: f.server.Context, Kind: "Secret", Namespace: f.namespace, Name: "x"}, map[string]string{"a": "secret"}, ""},
		{"a ConfigMap", spec.ClusterObject{Context: f.server.Context, Kind: "ConfigMap", Namespace: f.namespace, Name: "x"}, map[string]string{"a": "config"}, ""},
		{"what is not there", spec.ClusterObject{Context: f.server.Context, Kind: "Secret", Namespace: f.namespace, Name: "y"}, nil, `secrets "y" not found`},
		{"another kind", spec.ClusterObject{Context: f.server.Context, Kind: "Pod", Namespace: f.namespace, Name: "x"}, nil, `the kind "Pod" is unknown`},
		{"no such context", spec.ClusterObject{Context: "nowhere", Kind: "Secret", Namespace: f.namespace, Name: "x"}, nil, "nowhere"},
	}
	clusters := f.clusters(cluster.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := clusters.Data(t.Context(), tt.from)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q in it", err, tt.err)
			}
		})
	}
}
