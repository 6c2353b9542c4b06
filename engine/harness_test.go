package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }

// writeChart writes a chart of the given files, by path; Chart.yaml is added.
func writeChart(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "demo")
	if files["Chart.yaml"] == "" {
		files["Chart.yaml"] = "apiVersion: v2\nname: demo\nversion: 1.0.0\nappVersion: '7'\n"
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// createdChart is the chart that helm create makes.
func createdChart(t testing.TB) string {
	t.Helper()
	chartutil.Stderr = &bytes.Buffer{}
	dir, err := chartutil.Create("web", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// sharedChart is a chart of the repository's testdata.
func sharedChart(t testing.TB, name string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "testdata", "charts", name))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func releaseOf(dir, name string) spec.Release {
	return spec.Release{
		ID:    spec.ReleaseID{Namespace: "default", Name: name},
		Chart: spec.Chart{Ref: dir, Dir: filepath.Dir(dir)},
	}
}

func offline(t testing.TB) *Engine {
	t.Helper()
	return New(Options{Charts: chart.NewStore(chart.Options{})})
}

// fleet is an engine at work in one namespace of the real cluster.
type fleet struct {
	*Engine
	t         testing.TB
	clusters  *cluster.Clusters
	context   string
	namespace string

	kubeconfig string
}

func online(t testing.TB, kubeconfig ...string) *fleet {
	t.Helper()
	c := clustertest.Start(t)
	path := append(kubeconfig, c.Kubeconfig)[0]
	clusters := cluster.New(cluster.Options{Kubeconfig: path})
	name, _, err := clusters.Resolve("")
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{
		Engine:   New(Options{Charts: chart.NewStore(chart.Options{}), Clusters: clusters.Get}),
		t:        t,
		clusters: clusters, context: name, namespace: c.Namespace(t), kubeconfig: path,
	}
}

func (f *fleet) release(dir, name string) spec.Release {
	r := releaseOf(dir, name)
	r.ID.Context, r.ID.Namespace = f.context, f.namespace
	r.Options.CreateNamespace = true
	return r
}

// read is what is stored of a release now.
func (f *fleet) read(r spec.Release) state.Release {
	f.t.Helper()
	snapshot, err := f.clusters.Read(context.Background(), []spec.ReleaseID{r.ID})
	if err != nil {
		f.t.Fatal(err)
	}
	return snapshot[r.ID]
}

// history is the stored revisions as "1=superseded 2=deployed".
func (f *fleet) history(r spec.Release) string {
	f.t.Helper()
	revisions, err := f.clusters.History(context.Background(), r.ID)
	if err != nil {
		f.t.Fatal(err)
	}
	var out []string
	for _, rev := range revisions {
		out = append(out, fmt.Sprintf("%d=%s", rev.Number, rev.Status))
	}
	return strings.Join(out, " ")
}

func (f *fleet) wanted(r spec.Release, values map[string]any) (state.Release, *state.Revision) {
	f.t.Helper()
	have := f.read(r)
	want, err := f.Render(context.Background(), RenderInput{Release: r, Values: values, Have: have})
	if err != nil {
		f.t.Fatal(err)
	}
	return have, want
}

// apply installs or upgrades, as the executor would.
func (f *fleet) apply(ctx context.Context, r spec.Release, values map[string]any) (*state.Revision, error) {
	f.t.Helper()
	have, want := f.wanted(r, values)
	if Upgrades(have) {
		return want, f.up(ctx, r, have, want)
	}
	return want, f.in(ctx, r, want)
}

func (f *fleet) mustApply(r spec.Release, values map[string]any) *state.Revision {
	f.t.Helper()
	want, err := f.apply(context.Background(), r, values)
	if err != nil {
		f.t.Fatal(err)
	}
	return want
}

func (f *fleet) wantHistory(r spec.Release, want string) {
	f.t.Helper()
	if got := f.history(r); got != want {
		f.t.Errorf("history is %q, want %q", got, want)
	}
}

// The operations without what they leave; undoing ones take back what is there.

func (f *fleet) in(ctx context.Context, r spec.Release, want *state.Revision) error {
	_, err := f.Install(ctx, r, want)
	return err
}

func (f *fleet) up(ctx context.Context, r spec.Release, have state.Release, want *state.Revision) error {
	_, err := f.Upgrade(ctx, r, have, want)
	return err
}

func (f *fleet) back(ctx context.Context, r spec.Release, to *state.Revision) error {
	f.t.Helper()
	now, err := f.Rollback(ctx, r, to, f.left(r))
	if is := f.left(r); now.Revision != is.Revision || now.Status != is.Status {
		f.t.Errorf("the rollback tells of revision %d (%s), and the newest is %d (%s): %v", now.Revision, now.Status, is.Revision, is.Status, err)
	}
	return err
}

func (f *fleet) gone(ctx context.Context, r spec.Release) error {
	f.t.Helper()
	_, err := f.Uninstall(ctx, r, f.read(r))
	return err
}

func (f *fleet) forgotten(ctx context.Context, r spec.Release) error {
	f.t.Helper()
	return f.Forget(ctx, r, f.left(r), 0)
}

func (f *fleet) left(r spec.Release) state.Trace {
	f.t.Helper()
	if last := f.read(r).Last(); last != nil {
		return state.Trace{Revision: last.Number, Status: last.Status, Began: true}
	}
	return state.Trace{}
}
