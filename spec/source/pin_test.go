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
	"sync/atomic"
	"testing"
)

// repository is a git repository whose file conf/v.yaml a test changes.
type repository struct {
	*testing.T
	dir string
}

func newRepository(t *testing.T) repository {
	r := repository{t, t.TempDir()}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r repository) git(args ...string) string {
	r.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b"}, args...)...)
	cmd.Dir = r.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repository) commit(text string) string {
	r.Helper()
	if err := os.MkdirAll(filepath.Join(r.dir, "conf"), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "conf", "v.yaml"), []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	r.git("add", ".")
	r.git("commit", "-qm", "x")
	return r.git("rev-parse", "HEAD")
}

func (r repository) url() string { return "git::file://" + r.dir + "@conf/v.yaml?ref=main" }

// pins remembers what a Fetcher got, and gives it to another one.
type pins map[string]Pin

func (p pins) got(name string, is Pin)      { p[name] = is }
func (p pins) pin(name string) (Pin, bool)  { is, ok := p[name]; return is, ok }
func (p pins) options(t *testing.T) Options { return Options{CacheDir: t.TempDir(), Pin: p.pin} }
func (p pins) learn(t *testing.T, url string) {
	t.Helper()
	if _, err := New(Options{CacheDir: t.TempDir(), Got: p.got}).Path(t.Context(), url); err != nil {
		t.Fatal(err)
	}
}

func TestABranchThatMovesIsStillFetchedAtItsPinnedCommit(t *testing.T) {
	repo := newRepository(t)
	first := repo.commit("a: 1\n")
	known := pins{}
	known.learn(t, repo.url())
	name := "git::file://" + repo.dir + "?ref=main"
	if known[name].Commit != first || Name(repo.url()) != name {
		t.Fatalf("got %v, want commit %s under %s", known, first, name)
	}
	repo.commit("a: 2\n")
	path, err := New(known.options(t)).Path(t.Context(), repo.url())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "a: 1\n" {
		t.Errorf("got %q, %v; want the file as it was pinned", text, err)
	}
	again := pins{}
	again.learn(t, repo.url())
	if again[name].Digest == known[name].Digest {
		t.Error("another content has the same digest")
	}
}

func TestWhatIsNotAsPinnedIsRefused(t *testing.T) {
	var text atomic.Value
	text.Store("a: 1\n")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(text.Load().(string)))
	}))
	defer server.Close()
	address := strings.Replace(server.URL, "://", "://user:secret@", 1) + "/v.yaml?token=hidden"
	known := pins{}
	known.learn(t, address)
	if _, ok := known[server.URL+"/v.yaml"]; !ok {
		t.Fatalf("pinned %v: credentials do not belong there", known)
	}
	if _, err := New(known.options(t)).Path(t.Context(), address); err != nil {
		t.Errorf("what is as pinned is refused: %v", err)
	}
	text.Store("a: 2\n")
	cached := known.options(t)
	_, err := New(cached).Path(t.Context(), address)
	if !errors.Is(err, ErrMoved) || !strings.Contains(err.Error(), known[server.URL+"/v.yaml"].Digest) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want ErrMoved with the digest that was pinned", err)
	}
	if _, err := New(cached).Path(t.Context(), address); !errors.Is(err, ErrMoved) {
		t.Errorf("from the cache it is taken: %v", err)
	}
	if _, err := New(known.options(t)).Path(t.Context(), server.URL+"/other.yaml"); !errors.Is(err, ErrUnpinned) {
		t.Errorf("got %v, want ErrUnpinned", err)
	}
}

func TestTheDigestOfAFolderIsOverNamesBitsAndContents(t *testing.T) {
	write := func(files map[string]string, mode os.FileMode) string {
		dir := t.TempDir()
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), mode); err != nil {
				t.Fatal(err)
			}
		}
		is, err := contentOf(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return is.Digest
	}
	base := write(map[string]string{"a": "1", "b/c": "2"}, 0o644)
	tests := []struct {
		name  string
		files map[string]string
		mode  os.FileMode
		same  bool
	}{
		{"the same files", map[string]string{"b/c": "2", "a": "1"}, 0o600, true},
		{"what git keeps", map[string]string{"a": "1", "b/c": "2", ".git/index": "x"}, 0o644, true},
		{"another content", map[string]string{"a": "1", "b/c": "3"}, 0o644, false},
		{"another name", map[string]string{"a": "1", "b/d": "2"}, 0o644, false},
		{"one file more", map[string]string{"a": "1", "b/c": "2", "d": ""}, 0o644, false},
		{"programs", map[string]string{"a": "1", "b/c": "2"}, 0o755, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := write(tt.files, tt.mode); (got == base) != tt.same {
				t.Errorf("%s and %s; want the same: %v", got, base, tt.same)
			}
		})
	}
}
