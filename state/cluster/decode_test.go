package cluster

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/state"
)

// captured reads a record that Helm 4.3.1 wrote.
func captured(t *testing.T, file string) (data []byte, labels map[string]string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var secret struct {
		Metadata struct{ Labels map[string]string }
		Data     map[string][]byte
	}
	if err := json.Unmarshal(raw, &secret); err != nil {
		t.Fatal(err)
	}
	return secret.Data["release"], secret.Metadata.Labels
}

func TestRevisionOfARecordThatHelmWrote(t *testing.T) {
	data, labels := captured(t, "testdata/web.v1.json")
	var d decoder
	got, err := d.revision(data, labels)
	if err != nil {
		t.Fatal(err)
	}
	want := state.Revision{
		Number: 1,
		Status: state.StatusSuperseded,
		Chart:  state.Chart{Name: "small", Version: "1.2.3", AppVersion: "9.1"},
		Values: map[string]any{"greeting": "one", "replicas": float64(3)},
		Stream: []byte("---\n# Source: small/templates/cm.yaml\napiVersion: v1\nkind: ConfigMap\n" +
			"metadata:\n  name: web\ndata:\n  greeting: one\n\n"),
		Hooks: []state.Hook{{
			Name: "web-seed", Kind: "ConfigMap", Path: "small/templates/hook.yaml",
			Manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web-seed\n  annotations:\n" +
				"    helm.sh/hook: pre-install,pre-upgrade\n    helm.sh/hook-weight: \"-3\"\n" +
				"    helm.sh/hook-delete-policy: hook-succeeded\ndata: {}\n",
			Events: []state.HookEvent{state.HookPreInstall, state.HookPreUpgrade},
			Weight: -3, DeletePolicies: []string{"hook-succeeded"},
		}},
		Notes:       "Say one.\n",
		Description: "first try",
		Labels:      map[string]string{"team": "edge"},
		Deployed:    time.Date(2026, 11, 22, 21, 0, 46, 344523239, time.UTC),
		ApplyMethod: "ssa",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("revision (-want +got):\n%s", diff)
	}
}

func TestADecoderKeepsEarlierRevisionsIntact(t *testing.T) {
	first, labels := captured(t, "testdata/web.v1.json")
	second, _ := captured(t, "testdata/web.v2.json")
	var d decoder
	one, err := d.revision(first, labels)
	if err != nil {
		t.Fatal(err)
	}
	stream := string(one.Stream)
	two, err := d.revision(second, labels)
	if err != nil {
		t.Fatal(err)
	}
	if string(one.Stream) != stream || two.Number != 2 || two.ApplyMethod != "csa" {
		t.Errorf("after another record the first has stream %q; the second is %d", one.Stream, two.Number)
	}
}

func TestRecordsThatAreNoReleases(t *testing.T) {
	bomb := func(t *testing.T) []byte {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		zeros := make([]byte, 1<<20)
		for range maxRecord>>20 + 1 {
			if _, err := w.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return []byte(base64.StdEncoding.EncodeToString(packed.Bytes()))
	}
	text := func(s string) func(*testing.T) []byte {
		return func(*testing.T) []byte { return []byte(base64.StdEncoding.EncodeToString([]byte(s))) }
	}
	whole, _ := captured(t, "testdata/web.v1.json")
	tests := []struct {
		name string
		data func(*testing.T) []byte
		says string
	}{
		{"what is not base64", func(*testing.T) []byte { return []byte("%%%") }, "illegal base64"},
		{"what is cut off", func(*testing.T) []byte { return whole[:len(whole)/8*4] }, "unexpected EOF"},
		{"nothing", text(""), "unexpected end of JSON"},
		{"an empty object", text("{}"), "no revision number"},
		{"a time that is none", text(`{"version":1,"info":{"status":"deployed","last_deployed":"soon"}}`), "soon"},
		{"a bomb", bomb, "larger than 64 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d decoder
			if _, err := d.revision(tt.data(t), nil); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error is %v, want one that says %q", err, tt.says)
			}
		})
	}
}

func TestAnUncompressedRecordIsRead(t *testing.T) {
	plain := `{"version":7,"info":{"status":"failed","last_deployed":""},"chart":null,"config":null}`
	var d decoder
	got, err := d.revision([]byte(base64.StdEncoding.EncodeToString([]byte(plain))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(state.Revision{Number: 7, Status: state.StatusFailed, Stream: []byte{}}, got); diff != "" {
		t.Errorf("revision (-want +got):\n%s", diff)
	}
}

func TestSelectorNamesReleasesWhileTheURLStaysShort(t *testing.T) {
	if got, want := selector(current, []string{"a", "b"}), "owner=helm,status!=superseded,name in (a,b)"; got != want {
		t.Errorf("selector is %q, want %q", got, want)
	}
	long := make([]string, 1000)
	for i := range long {
		long[i] = "some-release"
	}
	if got := selector(current, long); got != current {
		t.Errorf("selector of many names has %d bytes", len(got))
	}
}
