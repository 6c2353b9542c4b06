package source

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestIsRemote(t *testing.T) {
	tests := []struct {
		in   string
		want bool
	}{
		{"https://host/a.yaml", true}, {"http://host/a.yaml", true}, {"git::https://host/r.git@a/b.yaml?ref=x", true},
		{"git::file:///r@a", true}, {"a/b.yaml", false}, {"/a/b", false}, {"file:///a", false}, {"ref+echo://x", false}, {"oci://host/x", false}, {"", false},
	}
	for _, tt := range tests {
		if got := IsRemote(tt.in); got != tt.want {
			t.Errorf("IsRemote(%q) = %v, want %v", tt.in, got, tt.want)
		}
	}
}

func TestPlainFilesAreFetchedOnce(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/d/v.yaml" {
			http.NotFound(w, r)
			return
		}
		hits.Add(1)
		_, _ = w.Write([]byte("a: 1\n"))
	}))
	defer server.Close()
	f := New(Options{CacheDir: t.TempDir()})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			path, err := f.Path(context.Background(), server.URL+"/d/v.yaml")
			if err != nil {
				t.Error(err)
				return
			}
			if text, _ := os.ReadFile(path); string(text) != "a: 1\n" || filepath.Base(path) != "v.yaml" {
				t.Errorf("%s holds %q", path, text)
			}
		})
	}
	group.Wait()
	if n := hits.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if _, err := f.Path(context.Background(), server.URL+"/d/v.yaml?cache=false"); err != nil || hits.Load() != 2 {
		t.Errorf("cache=false: error %v, %d requests, want 2", err, hits.Load())
	}
	_, err := f.Path(context.Background(), strings.Replace(server.URL, "http://", "http://user:hunter2@", 1)+"/no.yaml?token=hunter3")
	if err == nil || !strings.Contains(err.Error(), "no.yaml") || strings.Contains(err.Error(), "hunter") {
		t.Errorf("error %v, want one that names the file and no secret", err)
	}
}

func TestGit(t *testing.T) {
	repo := t.TempDir()
	if err := os.MkdirAll(filepath.Join(repo, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repo, "conf", "v.yaml"), []byte("git: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	f := New(Options{CacheDir: t.TempDir()})
	path, err := f.Path(context.Background(), "git::file://"+repo+"@conf/v.yaml?ref=main")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "git: true\n" {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := f.Path(context.Background(), "git::file://"+repo+"@conf/v.yaml?ref=gone"); !errors.Is(err, ErrNoRef) {
		t.Errorf("got %v, want ErrNoRef", err)
	}
	if _, err := f.Path(context.Background(), "git::file://"+repo+"@../../etc/passwd?ref=main"); err == nil {
		t.Error("a file part that leaves the repository is taken")
	}
	if path, err := f.Path(context.Background(), "git::file://"+repo+"@conf/no.yaml?ref=main"); err != nil {
		t.Errorf("a file that is not in the repository is the caller's to miss: %v", err)
	} else if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat: %v", err)
	}
}

func TestRemoteSourcesCanBeSwitchedOff(t *testing.T) {
	f := New(Options{CacheDir: t.TempDir(), LookupEnv: func(name string) (string, bool) {
		return "true", name == "HELMFILE_DISABLE_INSECURE_FEATURES"
	}})
	if _, err := f.Path(context.Background(), "https://host.invalid/a.yaml"); !errors.Is(err, ErrDisabled) {
		t.Errorf("error %v, want ErrDisabled", err)
	}
}
