package cli

import (
	"net/http"
	"testing"
)

func TestWhatTheFenceHoldsBack(t *testing.T) {
	tests := []struct {
		name, method, url string
		want              bool
	}{
		{"a look", http.MethodGet, "https://c/api/v1/namespaces/n/secrets/s", false},
		{"an object", http.MethodPatch, "https://c/api/v1/namespaces/n/configmaps/x", true},
		{"a record of Helm's", http.MethodPost, "https://c/api/v1/namespaces/n/secrets", true},
		{"the lock", http.MethodPut, "https://c/apis/coordination.k8s.io/v1/namespaces/flotilla-system/leases/x", false},
		{"the lock, of a cluster behind a path", http.MethodPut, "https://rancher/k8s/clusters/c-x/apis/coordination.k8s.io/v1/namespaces/flotilla-system/leases/x", false},
		{"the record of a run, behind a path", http.MethodPut, "https://rancher/k8s/clusters/c-x/api/v1/namespaces/flotilla-system/secrets/flotilla-run-1", false},
		{"the namespace of both", http.MethodPost, "https://c/api/v1/namespaces", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := http.NewRequest(tt.method, tt.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := writes(r); got != tt.want {
				t.Errorf("held back: %t, want %t", got, tt.want)
			}
		})
	}
}
