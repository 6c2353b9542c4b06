package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// bucket serves objects of the bucket "envs" as S3 does, and gives the URL of
// the bucket as go-getter takes it.
func bucket(t *testing.T, objects map[string]string) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("envs"); err != nil {
		t.Fatal(err)
	}
	for name, content := range objects {
		if _, err := backend.PutObject("envs", name, nil, strings.NewReader(content), int64(len(content)), nil); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return "s3::" + server.URL + "/envs"
}

const credentials = "?aws_access_key_id=AKIACANARY&aws_access_key_secret=canary-secret&region=us-east-1"

func ask(t *testing.T, r request) answer {
	t.Helper()
	in, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := serve(context.Background(), bytes.NewReader(in), &out); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	var a answer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil || a.Protocol != protocol {
		t.Fatalf("answer %q: %v", out.String(), err)
	}
	return a
}

func TestServe(t *testing.T) {
	base := bucket(t, map[string]string{
		"prod/flotilla.yaml":    "releases: []\n",
		"prod/values/web.yaml":  "a: 1\n",
		"stage/flotilla.yaml":   "other: x\n",
		"archive/prod.tgz":      archive(t, map[string]string{"env/values.yaml": "b: 2\n"}),
		"archive/outside.tgz":   archive(t, map[string]string{"../../outside.yaml": "c: 3\n"}),
		"archive/truncated.tgz": "\x1f\x8b no gzip",
	})
	tests := []struct {
		name   string
		source string
		want   map[string]string // files below dst
		err    string
	}{
		{"a folder of a bucket", base + "/prod" + credentials, map[string]string{"flotilla.yaml": "releases: []\n", "values/web.yaml": "a: 1\n"}, ""},
		{"an archive is unpacked", base + "/archive/prod.tgz" + credentials, map[string]string{"env/values.yaml": "b: 2\n"}, ""},
		{"an archive does not reach out of its folder", base + "/archive/outside.tgz" + credentials, nil, "outside"},
		{"a broken archive", base + "/archive/truncated.tgz" + credentials, nil, "gzip"},
		{"what is not there", base + "/nothing.tgz" + credentials, nil, "404"},
		{"another getter", "git::https://example.org/x.git", nil, "expected a source that begins with s3:: or gcs::"},
		{"a file", "file:///etc", nil, "expected a source that begins with s3:: or gcs::"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "got")
			a := ask(t, request{Protocol: protocol, Source: tt.source, Dst: dst})
			if tt.err == "" && a.Error != "" || !strings.Contains(a.Error, tt.err) {
				t.Fatalf("error %q, want %q", a.Error, tt.err)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(dst), "../outside.yaml")); err == nil {
				t.Error("a file was written outside of the folder")
			}
			for name, want := range tt.want {
				if got, err := os.ReadFile(filepath.Join(dst, name)); err != nil || string(got) != want {
					t.Errorf("%s is %q (%v), want %q", name, got, err, want)
				}
			}
		})
	}
}

func TestWhatIsNoRequest(t *testing.T) {
	var out bytes.Buffer
	if serve(context.Background(), strings.NewReader("canary-secret"), &out) != 0 || strings.Contains(out.String(), "canary") {
		t.Errorf("answer %q, want one without the text that was sent", out.String())
	}
	if a := ask(t, request{Protocol: 99}); !strings.Contains(a.Error, "install the two together") {
		t.Errorf("another version of the protocol gives %q", a.Error)
	}
}

// TestFlotilla loads an environment from a bucket with both programs as users
// have them, side by side.
func TestFlotilla(t *testing.T) {
	bin := t.TempDir()
	build(t, ".", ".", filepath.Join(bin, "flotilla-fetch"))
	build(t, "../..", "./cmd/flotilla", filepath.Join(bin, "flotilla"))
	base := bucket(t, map[string]string{"prod/flotilla.yaml": "releases: [{name: web, namespace: prod, chart: ./web}]\n"})
	dir := t.TempDir()
	file := filepath.Join(dir, "flotilla.yaml")
	if err := os.WriteFile(file, []byte("helmfiles:\n- path: "+base+"/prod@flotilla.yaml"+credentials+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	list := func() (string, error) {
		cmd := exec.Command(filepath.Join(bin, "flotilla"), "list", "--cache-dir", filepath.Join(dir, "cache"))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := list(); err != nil || !strings.Contains(out, "web") || !strings.Contains(out, "prod") {
		t.Errorf("list: %v\n%s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(dir, "cache")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(bin, "flotilla-fetch")); err != nil {
		t.Fatal(err)
	}
	out, err := list()
	if err == nil || !strings.Contains(out, "flotilla-fetch is neither beside flotilla nor on PATH") || strings.Contains(out, "canary") {
		t.Errorf("without the helper: %v\n%s", err, out)
	}
}

func build(t *testing.T, dir, pkg, out string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, text)
	}
}

func archive(t *testing.T, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	pack := tar.NewWriter(zip)
	for name, content := range files {
		if err := pack.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := pack.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
