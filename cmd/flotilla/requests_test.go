package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/flotilla-sh/flotilla/cmd/bench/traffic"
	"github.com/flotilla-sh/flotilla/cmd/cli"
	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// fleet is a folder with a state file that flotilla runs on, inside this
// process.
type fleet struct {
	*testing.T
	dir        string
	kubeconfig string
}

func newFleet(t *testing.T, kubeconfig string) fleet {
	t.Helper()
	return fleet{T: t, dir: t.TempDir(), kubeconfig: kubeconfig}
}

// declare writes the state file.
func (f fleet) declare(format string, args ...any) {
	f.Helper()
	text := fmt.Sprintf(format, args...)
	charts, err := filepath.Abs("../../testdata/charts")
	if err != nil {
		f.Fatal(err)
	}
	text = strings.ReplaceAll(text, "CHARTS", charts)
	if err := os.WriteFile(filepath.Join(f.dir, "helmfile.yaml"), []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
}

// flotilla runs a command, which has to end with that exit code, and gives its
// output.
func (f fleet) flotilla(code int, args ...string) string {
	f.Helper()
	out, _ := f.says(code, args...)
	return out
}

// says is flotilla with what it tells on the error stream.
func (f fleet) says(code int, args ...string) (string, string) {
	f.Helper()
	var out, errs bytes.Buffer
	vars := map[string]string{"HOME": f.dir, "PATH": os.Getenv("PATH")}
	ctx, cancel := context.WithTimeout(f.Context(), 2*time.Minute)
	defer cancel()
	global := []string{"--file", filepath.Join(f.dir, "helmfile.yaml"), "--cache-dir", filepath.Join(f.dir, "cache"), "--kubeconfig", f.kubeconfig}
	got := cli.Run(ctx, append(global, args...), cli.Env{
		Stdin:   strings.NewReader(""),
		Streams: view.Streams{Out: &out, Err: &errs},
		Lookup:  func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		Now:     time.Now,
	})
	if got != code {
		f.Fatalf("flotilla %s ended with %d, want %d:\n%s%s", strings.Join(args, " "), got, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// counting puts a proxy between a fleet and the cluster.
func counting(t *testing.T, c *clustertest.Cluster) (fleet, *traffic.Proxy) {
	t.Helper()
	transport, err := rest.TransportFor(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return behind(t, c, transport)
}

func behind(t *testing.T, c *clustertest.Cluster, transport http.RoundTripper) (fleet, *traffic.Proxy) {
	t.Helper()
	proxy, err := traffic.Listen(c.Config().Host, transport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, proxy.Kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	return newFleet(t, path), proxy
}

// constant are the requests of a run whatever it works on: the server's version
// and the two of discovery.
const constant = 3

func TestRequestsOfADiffGrowWithNamespacesOnly(t *testing.T) {
	c := clustertest.Start(t)
	f, proxy := counting(t, c)
	namespaces := []string{c.Namespace(t), c.Namespace(t), c.Namespace(t)}
	state := "releases:\n"
	for i := range 12 {
		state += fmt.Sprintf("- {name: r%d, namespace: %s, chart: CHARTS/app, values: [{replicas: 0}]}\n", i, namespaces[i%3])
	}
	f.declare("%s", state)
	f.flotilla(0, "apply", "--lock=off", "--journal=off")
	for _, command := range [][]string{{"diff", "--detailed-exitcode"}, {"plan", "--detailed-exitcode"}, {"apply", "--detailed-exitcode"}} {
		proxy.Take()
		f.flotilla(0, command...)
		if got := proxy.Take(); got.Requests != constant+len(namespaces) || got.ByKind["LIST secrets"] != len(namespaces) {
			t.Errorf("%s of 12 unchanged releases in 3 namespaces asks %d times, want %d: %q", command[0], got.Requests, constant+len(namespaces), got.Kinds())
		}
	}
}

// gate holds lists of Secrets back until the version was asked for.
type gate struct {
	next    http.RoundTripper
	version chan struct{}
	once    *sync.Once
}

func (g gate) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case r.URL.Path == "/version":
		g.once.Do(func() { close(g.version) })
	case strings.HasSuffix(r.URL.Path, "/secrets"):
		select {
		case <-g.version:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(20 * time.Second):
			return nil, errors.New("nobody asked for the version meanwhile")
		}
	}
	return g.next.RoundTrip(r)
}

func TestDiffAsksForTheVersionWhileItReadsRecords(t *testing.T) {
	c := clustertest.Start(t)
	transport, err := rest.TransportFor(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	f, _ := behind(t, c, gate{transport, make(chan struct{}), &sync.Once{}})
	f.declare("releases: [{name: a, namespace: %s, chart: CHARTS/hello}]", c.Namespace(t))
	f.flotilla(2, "diff", "--detailed-exitcode")
}

func TestRequestsOfAnUpgrade(t *testing.T) {
	const objects, ofHook = 20, 5
	tests := []struct {
		name  string
		hooks int
		most  int
	}{
		{"two for each object, and six", 0, 2*objects + 6},
		{"and those of its hooks", 1, 2*objects + 6 + ofHook},
	}
	c := clustertest.Start(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, proxy := counting(t, c)
			ns := c.Namespace(t)
			manyMaps(t, f.dir)
			declare := func(mark string) {
				f.declare(`releases:
- {name: still, namespace: %[1]s, chart: CHARTS/app, values: [{replicas: 0}]}
- {name: moving, namespace: %[1]s, chart: ./many, historyMax: 2, values: [{mark: %[2]s, maps: %[3]d, hooks: %[4]d}]}
`, ns, mark, objects, tt.hooks)
			}
			for _, mark := range []string{"a", "b", "c"} { // until old revisions have to go
				declare(mark)
				f.flotilla(0, "apply", "--lock=off", "--journal=off")
			}
			proxy.Take()
			f.flotilla(0, "diff", "--detailed-exitcode")
			unchanged := proxy.Take()
			declare("d")
			f.flotilla(0, "apply", "--lock=off", "--journal=off")
			got := proxy.Take()
			if n := got.Requests - unchanged.Requests; n > tt.most {
				t.Errorf("the upgrade asks %d times, want at most %d: %q", n, tt.most, got.Kinds())
			}
			if got.ByKind["GET deployments"] > 0 || got.ByKind["PATCH configmaps"] < objects {
				t.Errorf("the upgrade asks for something else than its objects: %q", got.Kinds())
			}
		})
	}
}

// manyMaps makes a chart of any number of ConfigMaps and of hooks.
func manyMaps(t *testing.T, dir string) {
	t.Helper()
	for path, text := range map[string]string{
		"Chart.yaml":  "apiVersion: v2\nname: many\nversion: 1.0.0\n",
		"values.yaml": "maps: 1\nmark: a\nhooks: 0\n",
		"templates/maps.yaml": `{{- range $i := until (int .Values.maps) }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ $.Release.Name }}-{{ $i }}"}
data: {mark: {{ $.Values.mark | quote }}}
{{- end }}
{{- range $i := until (int .Values.hooks) }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: "{{ $.Release.Name }}-hook-{{ $i }}"
  annotations: {helm.sh/hook: pre-upgrade}
data: {mark: {{ $.Values.mark | quote }}}
{{- end }}
`,
	} {
		path = filepath.Join(dir, "many", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
