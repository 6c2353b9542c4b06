package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/cmd/cli"
	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/file"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"

	kube "github.com/flotilla-sh/flotilla/state/cluster"
)

// machine is where flotilla runs, in this process: its variables, clock and
// cache.
type machine struct {
	kubeconfig string
	cache      string
	vars       map[string]string
	now        time.Time
}

// run gives what was printed on both streams, and wants an exit code.
func (m machine) run(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	args = append(args, "--kubeconfig", m.kubeconfig, "--cache-dir", m.cache)
	got := cli.Run(t.Context(), args, cli.Env{
		Stdin:   strings.NewReader(""),
		Streams: view.Streams{Out: &out, Err: &out},
		Lookup:  func(name string) (string, bool) { v, ok := m.vars[name]; return v, ok },
		Now:     func() time.Time { return m.now },
	})
	if got != code {
		t.Fatalf("flotilla %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out.String())
	}
	return out.String()
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// archive packs the files of a chart.
func archive(t *testing.T, name string, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	pack := tar.NewWriter(zip)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err := pack.WriteHeader(&tar.Header{Name: name + "/" + path, Mode: 0o644, Size: int64(len(files[path]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := pack.Write([]byte(files[path])); err != nil {
			t.Fatal(err)
		}
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// push puts a chart under a tag of a registry.
func push(t *testing.T, registry, repository, tag string, chart []byte) {
	t.Helper()
	send := func(method, path, kind string, data []byte) {
		req, err := http.NewRequestWithContext(t.Context(), method, registry+"/v2/"+repository+path, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode >= 300 {
			t.Fatalf("%s %s: %s", method, path, answer.Status)
		}
	}
	blob := func(kind string, data []byte) map[string]any {
		digest := fmt.Sprintf("sha256:%x", sha256.Sum256(data))
		send(http.MethodPost, "/blobs/uploads/?digest="+digest, "application/octet-stream", data)
		return map[string]any{"mediaType": kind, "digest": digest, "size": len(data)}
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2,
		"config":        blob("application/vnd.cncf.helm.config.v1+json", []byte(`{"name":"latest","version":"`+tag+`","apiVersion":"v2"}`)),
		"layers":        []any{blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart)},
	})
	if err != nil {
		t.Fatal(err)
	}
	send(http.MethodPut, "/manifests/"+tag, "application/vnd.oci.image.manifest.v1+json", manifest)
}

// restless renders to something else each time and everywhere.
var restless = map[string]string{
	"templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  random: {{ randAlphaNum 32 }}
  now: {{ now | quote }}
  local: {{ now | date "15:04:05 MST" | quote }}
  looked-up: {{ (lookup "v1" "ConfigMap" .Release.Namespace .Release.Name).metadata | default dict | toJson | quote }}
  uid: {{ (lookup "v1" "Namespace" "" "kube-system").metadata.uid | quote }}
  secret: {{ .Values.secret | default "none" | quote }}
  value: {{ .Values.value | quote }}
  version: {{ .Chart.Version }}
---
{{- $ca := genCA "exact" 1 }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
data:
  crt: {{ $ca.Cert | b64enc }}
`,
	"templates/hook.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
data:
  random: {{ randAlphaNum 32 }}
`,
	"templates/NOTES.txt": "{{ randAlphaNum 32 }}\n",
}

func chartFiles(name, version string) map[string]string {
	files := maps.Clone(restless)
	files["Chart.yaml"] = fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, version)
	return files
}

const exactState = `repositories:
- {name: repo, url: "%[1]s"}
- {name: registry, url: "%[2]s/charts", oci: true, plainHttp: true}
releases:
- {name: folder, namespace: %[3]s, chart: ./folder, values: [values.yaml, {secret: "ref+env://SECRET"}], strategicMergePatches: [patch.yaml]}
- {name: rendered, namespace: %[3]s, chart: ./folder, values: [values.yaml], postRenderer: ./render.sh, needs: [folder]}
- {name: web, namespace: %[3]s, chart: repo/web, values: [values.yaml]}
- {name: latest, namespace: %[3]s, chart: registry/latest, version: 1.0.0, values: [values.yaml]}
`

// TestAnExactPlanYieldsTheReviewedBytes applies a plan when everything that it
// was made of has changed or is gone: repository, registry, chart, values, patch,
// post-renderer, secret, cache, clock and time zone.
func TestAnExactPlanYieldsTheReviewedBytes(t *testing.T) {
	c := clustertest.Start(t)
	namespace := c.Namespace(t)
	charts := map[string][]byte{"/web-1.0.0.tgz": archive(t, "web", chartFiles("web", "1.0.0"))}
	repo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/index.yaml" {
			fmt.Fprint(w, "apiVersion: v1\nentries: {web: [{name: web, version: 1.0.0, apiVersion: v2, urls: [web-1.0.0.tgz]}]}\n")
			return
		}
		w.Write(charts[r.URL.Path])
	}))
	oci := httptest.NewServer(registry.New())
	push(t, oci.URL, "charts/latest", "1.0.0", archive(t, "latest", chartFiles("latest", "1.0.0")))
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"helmfile.yaml": fmt.Sprintf(exactState, repo.URL, strings.TrimPrefix(oci.URL, "http://"), namespace),
		"values.yaml":   "value: reviewed\n",
		"patch.yaml":    "{apiVersion: v1, kind: ConfigMap, metadata: {name: folder}, data: {patched: reviewed}}\n",
		"render.sh":     "#!/bin/sh\necho \"# rendered $(date +%N)\"\nsed 's/value: .*/value: post-rendered/'\n",
	})
	for name, text := range chartFiles("folder", "1.0.0") {
		write(t, dir, map[string]string{"folder/" + name: text})
	}
	planned := machine{c.Kubeconfig, t.TempDir(), map[string]string{"SECRET": "swordfish-1234"}, time.Now()}
	saved := filepath.Join(t.TempDir(), "exact.plan")
	shown := planned.run(t, 0, "plan", "-f", filepath.Join(dir, "helmfile.yaml"), "-o", saved)
	if strings.Contains(shown, "swordfish") {
		t.Errorf("the plan shows a secret:\n%s", shown)
	}

	push(t, oci.URL, "charts/latest", "1.0.0", archive(t, "latest", map[string]string{"Chart.yaml": "apiVersion: v2\nname: latest\nversion: 1.0.0\n"}))
	repo.Close()
	oci.Close()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TZ", "Pacific/Kiritimati")
	later := machine{c.Kubeconfig, t.TempDir(), map[string]string{"SECRET": "other"}, planned.now.AddDate(3, 0, 0)}
	later.run(t, 0, "apply", saved)
	compareWithRecords(t, c, saved)

	// The cluster holds what the record says, and applying twice is refused.
	live, err := c.Client().CoreV1().ConfigMaps(namespace).Get(t.Context(), "folder", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range unpacked(t, saved).Plan.Steps {
		if step.Release.ID.Name == "folder" && !bytes.Contains(step.After.Stream, []byte(live.Data["random"])) {
			t.Error("the random text in the cluster is not the reviewed one")
		}
	}
	if live.Data["patched"] != "reviewed" || live.Data["secret"] != "swordfish-1234" {
		t.Errorf("the patch or the secret is not the reviewed one: %v", live.Data)
	}
	later.run(t, 4, "apply", saved)
}

func unpacked(t *testing.T, path string) *plan.Saved {
	t.Helper()
	data, err := file.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	saved, _, err := file.Unpack(data)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// compareWithRecords wants in Helm's records the manifests, hooks, notes and
// values of a saved plan.
func compareWithRecords(t *testing.T, c *clustertest.Cluster, path string) {
	t.Helper()
	saved := unpacked(t, path)
	have, err := kube.New(kube.Options{Kubeconfig: c.Kubeconfig}).Read(t.Context(), saved.Touched())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range saved.Plan.Steps {
		if !step.Action.Writes() || step.After == nil {
			t.Fatalf("%s is not written by the plan", step.Release.ID)
		}
		last, want := have[step.Release.ID].Last(), step.After
		if last == nil {
			t.Fatalf("%s is not in the cluster", step.Release.ID)
		}
		if d := cmp.Diff(string(want.Stream), string(last.Stream)); d != "" {
			t.Errorf("%s: manifest (-reviewed +stored):\n%s", step.Release.ID, d)
		}
		if len(want.Stream) == 0 || len(want.Hooks) != 1 || len(last.Hooks) != 1 || want.Hooks[0].Manifest != last.Hooks[0].Manifest || want.Notes != last.Notes {
			t.Errorf("%s: hooks or notes are not the reviewed ones", step.Release.ID)
		}
		values := func(v map[string]any) string {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		if d := cmp.Diff(values(want.Values), values(last.Values)); d != "" {
			t.Errorf("%s: values (-reviewed +stored):\n%s", step.Release.ID, d)
		}
	}
}
