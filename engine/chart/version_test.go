package chart

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNearest(t *testing.T) {
	versions := []string{"3.0.0", "2.2.0", "2.1.0", "2.0.0", "1.2.0", "1.1.0", "1.0.0", "0.1.0"}
	tests := []struct {
		name string
		have []string
		want string
		near []string
	}{
		{"around a version in the middle", versions, "2.0.5", []string{"2.2.0", "2.1.0", "2.0.0", "1.2.0", "1.1.0"}},
		{"below all of them", versions, "0.0.1", []string{"2.0.0", "1.2.0", "1.1.0", "1.0.0", "0.1.0"}},
		{"above all of them", versions, "9.0.0", []string{"3.0.0", "2.2.0", "2.1.0", "2.0.0", "1.2.0"}},
		{"the newest for a range", versions, "^4", []string{"3.0.0", "2.2.0", "2.1.0", "2.0.0", "1.2.0"}},
		{"all where there are few", versions[:2], "0.1.0", versions[:2]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.near, nearest(tt.have, tt.want)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSimilar(t *testing.T) {
	names := []string{"nginx", "nginx-ingress-controller", "redis", "redis-cluster", "postgresql"}
	tests := map[string][]string{
		"ngnix":      {"nginx"},
		"redi":       {"redis", "redis-cluster"},
		"postgresq":  {"postgresql"},
		"kubernetes": nil,
		"x":          nil,
	}
	for slip, want := range tests {
		if diff := cmp.Diff(want, similar(names, slip)); diff != "" {
			t.Errorf("similar to %s (-want +got):\n%s", slip, diff)
		}
	}
}
