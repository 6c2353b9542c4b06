package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/spec"
)

func TestFetchedChartsTakeNothingAway(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "charts/own"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "charts"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	type place struct{ name, path, digest string }
	tests := []struct {
		name   string
		places []place
		want   string // in the error about the last of them; empty: there is none
	}{
		{"a folder each", []place{{"a", "out/a", "1"}, {"b", "out/b", "2"}}, ""},
		{"the same chart in one folder", []place{{"a", "out", "1"}, {"b", "out", "1"}}, ""},
		{"two charts in one folder", []place{{"a", "out", "1"}, {"b", "out", "2"}}, "is where the chart of a goes: tell b apart"},
		{"one inside the other", []place{{"a", "out", "1"}, {"b", "out/b", "1"}}, "is where the chart of a goes"},
		{"one around the other", []place{{"a", "out/b", "1"}, {"b", "out", "1"}}, "is where the chart of a goes"},
		{"the chart itself", []place{{"a", "charts/own", "1"}}, "a chart that a state file names"},
		{"the chart itself through a link", []place{{"a", "link/own", "1"}}, "a chart that a state file names"},
		{"what holds the chart", []place{{"a", "charts", "1"}}, "a chart that a state file names"},
		{"beside the chart, with a longer name", []place{{"a", "charts/own2", "1"}}, ""},
		{"inside the chart", []place{{"a", "charts/own/out", "1"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			taken := newTargets([]spec.Release{{Chart: spec.Chart{Ref: "./charts/own", Dir: dir}}, {Chart: spec.Chart{Ref: "repo/chart", Dir: dir}}})
			var err error
			for _, p := range tt.places {
				if err != nil {
					t.Fatal(err)
				}
				_, err = taken.take(filepath.Join(dir, p.path), spec.ReleaseID{Name: p.name}, p.digest)
			}
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
