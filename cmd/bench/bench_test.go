package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"

	"github.com/flotilla-sh/flotilla/cmd/bench/traffic"
)

func TestReleasesOfASetHaveAsManyObjectsAsItSays(t *testing.T) {
	for _, kind := range []string{setPlain, setFive, setMixed} {
		t.Run(kind, func(t *testing.T) {
			s, err := newSet(t.TempDir(), kind, 3)
			if err != nil {
				t.Fatal(err)
			}
			want, err := s.objects()
			if err != nil {
				t.Fatal(err)
			}
			chart, err := loader.Load(filepath.Join(s.charts(), "app"))
			if err != nil {
				t.Fatal(err)
			}
			var values map[string]any
			if err := json.Unmarshal([]byte(s.values("a", `with "quotes"`)), &values); err != nil {
				t.Fatal(err)
			}
			all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{Name: "a"}, common.DefaultCapabilities)
			if err != nil {
				t.Fatal(err)
			}
			files, err := engine.Render(chart, all)
			if err != nil {
				t.Fatal(err)
			}
			for name := range files {
				if strings.HasSuffix(name, "NOTES.txt") {
					delete(files, name)
				}
			}
			_, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
			if err != nil || len(manifests) != want {
				t.Errorf("a release has %d objects, want %d; %v", len(manifests), want, err)
			}
		})
	}
}

func TestWriteChangesOneRelease(t *testing.T) {
	s, err := newSet(t.TempDir(), setPlain, 3)
	if err != nil {
		t.Fatal(err)
	}
	read := func(mark string) []string {
		if err := s.write("ns", mark); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(s.dir, "helmfile.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(string(text), "- name: ")
	}
	before, after := read("a"), read("b")
	if before[1] == after[1] {
		t.Error("the first release is the same")
	}
	if diff := cmp.Diff(before[2:], after[2:]); diff != "" || len(before) != 4 {
		t.Errorf("another release changed:\n%s", diff)
	}
}

func TestMedianTakesEachColumnByItself(t *testing.T) {
	got := median([]sample{{Wall: 1, CPU: 9, Memory: 4}, {Wall: 3, CPU: 2, Memory: 6}, {Wall: 2, CPU: 5, Memory: 5}, {Wall: 9, CPU: 4, Memory: 9}})
	if diff := cmp.Diff(sample{Wall: 2, CPU: 4, Memory: 5}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTextShowsRatiosToTheFirstToolOfATable(t *testing.T) {
	row := func(tool, work string, wall time.Duration) result {
		return result{Work: work, Set: setPlain, Size: 10, Objects: 3, Tool: tool, Rounds: 5,
			sample: sample{Wall: wall, CPU: wall / 2, Memory: 44e6},
			Count:  traffic.Count{Requests: 4, Bytes: 2500, ByKind: map[string]int{"LIST secrets": 1, "GET /apis": 3}}}
	}
	got := text([]result{
		row("floor", workDiff, 200*time.Millisecond), row("flotilla", workDiff, 250*time.Millisecond), row("flotilla", workChange, time.Second),
	}, "about")
	want := `about

diff, 10 plain releases of 3 objects
      tool  rounds     wall  x floor      CPU  x floor  memory  requests  bytes
     floor       5  0.200 s     1.00  0.100 s     1.00   44 MB         4   2 kB
  flotilla       5  0.250 s     1.25  0.125 s     1.25   44 MB         4   2 kB
  floor asked: 3 GET /apis, 1 LIST secrets
  flotilla asked: 3 GET /apis, 1 LIST secrets

change, 10 plain releases of 3 objects
      tool  rounds     wall  x flotilla      CPU  x flotilla  memory  requests  bytes
  flotilla       5  1.000 s        1.00  0.500 s        1.00   44 MB         4   2 kB
  flotilla asked: 3 GET /apis, 1 LIST secrets
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseRefusesWhatItCannotMeasure(t *testing.T) {
	for _, args := range [][]string{{"-sizes", "10,many"}, {"-sizes", "0"}, {"-rounds", "0"}, {"diff"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	got, err := parse([]string{"-sizes", "10,1000", "-works", "diff"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{10, 1000}, got.sizes); diff != "" || len(got.works) != 1 {
		t.Errorf("got %+v", got)
	}
}
