package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// said collects what an engine tells beside its errors.
type said struct {
	mu       sync.Mutex
	logs     bytes.Buffer
	warnings []string
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logs.Write(p)
}

func (f *fleet) listen() *said {
	s := &said{}
	f.Engine = New(Options{Charts: chart.NewStore(chart.Options{}), Clusters: f.clusters.Get,
		HookLogs: func(spec.ReleaseID, string, string) io.Writer { return s },
		Warn: func(id spec.ReleaseID, text string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.warnings = append(s.warnings, id.Name+": "+text)
		}})
	return s
}

func TestTracking(t *testing.T) {
	dir := writeChart(t, map[string]string{"templates/d.yaml": deployment, "templates/a.yaml": configMap + "  a: b\n"})
	short := func(track spec.Track) spec.Options { return spec.Options{Track: track, Timeout: 3 * time.Second} }
	waiting := func(track spec.Track) spec.Options {
		return spec.Options{Wait: true, Track: track, Timeout: 3 * time.Second}
	}
	tests := []struct {
		name    string
		options spec.Options
		fail    string
		status  state.Status
		warned  bool
		logged  bool
	}{
		{"without wait nothing is waited for", short(spec.Track{}), clustertest.CrashLoop, state.StatusDeployed, false, false},
		{"kubedog waits without wait, and warns", short(spec.Track{Mode: "kubedog"}), clustertest.CrashLoop, state.StatusDeployed, true, false},
		{"kubedog shows the logs of what failed", short(spec.Track{Mode: "kubedog", FailedLogs: true}), clustertest.CrashLoop, state.StatusDeployed, true, true},
		{"kubedog fails the release if told to", short(spec.Track{Mode: "kubedog", FailOnError: true}), clustertest.CrashLoop, state.StatusFailed, false, false},
		{"the wait of the release fails it all the same", waiting(spec.Track{Mode: "kubedog"}), clustertest.CrashLoop, state.StatusFailed, false, false},
		{"a kind that is skipped is not waited for", waiting(spec.Track{Mode: "kubedog", SkipKinds: []string{"deployment"}}), clustertest.NeverReady, state.StatusDeployed, false, false},
		{"the timeout of the wait", waiting(spec.Track{Mode: "kubedog", Timeout: time.Second}), clustertest.NeverReady, state.StatusFailed, false, false},
		{"without kubedog no kind is left out", waiting(spec.Track{SkipKinds: []string{"Deployment"}, Kinds: []string{"Job"}}), clustertest.NeverReady, state.StatusFailed, false, false},
		{"logs are shown while it waits", waiting(spec.Track{Logs: true}), "none", state.StatusDeployed, false, true},
		{"without kubedog the timeout is the release's", waiting(spec.Track{Timeout: time.Nanosecond}), "none", state.StatusDeployed, false, false},
		{"as Helm 3, what gets ready", waiting(spec.Track{Mode: "helm-legacy"}), "none", state.StatusDeployed, false, false},
		{"as Helm 3, what does not", waiting(spec.Track{Mode: "helm-legacy"}), clustertest.NeverReady, state.StatusFailed, false, false},
		{"as Helm 3, without wait", short(spec.Track{Mode: "helm-legacy"}), clustertest.NeverReady, state.StatusDeployed, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := online(t)
			heard := f.listen()
			r := f.release(dir, "tracked")
			r.Options = tt.options
			start := time.Now()
			_, err := f.apply(context.Background(), r, map[string]any{"fail": tt.fail})
			if (err != nil) != (tt.status == state.StatusFailed) || f.read(r).Last().Status != tt.status {
				t.Errorf("error is %v, status %s", err, f.read(r).Last().Status)
			}
			if err != nil && (!errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "Deployment/tracked")) {
				t.Errorf("error is %v", err)
			}
			if tt.options.Track.Timeout > 0 && time.Since(start) > 3*time.Second {
				t.Errorf("it took %s", time.Since(start))
			}
			heard.mu.Lock()
			defer heard.mu.Unlock()
			if warned := strings.Contains(strings.Join(heard.warnings, "\n"), "tracked: not ready"); warned != tt.warned {
				t.Errorf("warnings are %q", heard.warnings)
			}
			if logged := strings.Contains(heard.logs.String(), "the last words\n"); logged != tt.logged {
				t.Errorf("logs are %q", heard.logs.String())
			}
		})
	}
}

func TestWhatIsTracked(t *testing.T) {
	tests := []struct {
		name  string
		track spec.Track
		want  bool
	}{
		{"everything", spec.Track{Mode: "kubedog"}, true},
		{"the kind, in any case", spec.Track{Mode: "kubedog", Kinds: []string{"Job", "deployment"}}, true},
		{"another kind", spec.Track{Mode: "kubedog", Kinds: []string{"Job"}}, false},
		{"a kind that is skipped, too", spec.Track{Mode: "kubedog", Kinds: []string{"Deployment"}, SkipKinds: []string{"DEPLOYMENT"}}, false},
		{"a resource, although its kind is skipped", spec.Track{Mode: "kubedog", SkipKinds: []string{"Deployment"}, Resources: []spec.TrackResource{{Name: "web"}}}, true},
		{"another resource", spec.Track{Mode: "kubedog", Resources: []spec.TrackResource{{Kind: "Deployment", Name: "web", Namespace: "other"}}}, false},
		{"a resource that names nothing", spec.Track{Mode: "kubedog", Resources: []spec.TrackResource{{}}}, false},
		{"everything where nothing says kubedog", spec.Track{Kinds: []string{"Job"}, SkipKinds: []string{"Deployment"}, Resources: []spec.TrackResource{{Name: "x"}}}, true},
		{"everything with another mode", spec.Track{Mode: "helm-legacy", Kinds: []string{"Job"}}, true},
	}
	info := &resource.Info{Name: "web", Namespace: "shop", Mapping: &meta.RESTMapping{GroupVersionKind: schema.GroupVersionKind{Kind: "Deployment"}}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tracks(tt.track, info); got != tt.want {
				t.Errorf("tracks = %t", got)
			}
		})
	}
	if strategy(spec.Options{Wait: true, Track: spec.Track{Mode: "helm-legacy"}}) != kube.LegacyStrategy {
		t.Error("helm-legacy does not wait as Helm 3 did")
	}
}
