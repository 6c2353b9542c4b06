package spec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkout is a folder as git leaves it, with a state file in apps/.
func checkout(t *testing.T, remote string) string {
	t.Helper()
	dir := t.TempDir()
	config := "[core]\n\tbare = false\n"
	if remote != "" {
		config += "[remote \"fork\"]\n\turl = https://example.com/other\n[remote \"origin\"]\n\tfetch = +refs\n\turl = " + remote + "\n"
	}
	put(t, filepath.Join(dir, ".git", "config"), config)
	put(t, filepath.Join(dir, "apps", "helmfile.yaml"), "environments: {prod: {}, default: {}}\n")
	return dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func ownerOf(t *testing.T, file string, opts LoadOptions) Owner {
	t.Helper()
	s, err := Load(t.Context(), file, opts)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Owner()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestEveryCheckoutOfARepositoryHasOneOwner(t *testing.T) {
	const want = "example.com/acme/shop/apps/helmfile.yaml, environment default"
	for _, remote := range []string{
		"https://example.com/acme/shop.git", "https://ci-token:secret@Example.com/acme/shop", "git@example.com:acme/shop.git",
		"ssh://git@example.com:2222/acme/shop.git", "https://example.com/acme/shop/",
	} {
		if got := ownerOf(t, filepath.Join(checkout(t, remote), "apps", "helmfile.yaml"), LoadOptions{}); got != (Owner{ID: want, Namespace: "flotilla-system"}) {
			t.Errorf("%s: got %+v", remote, got)
		}
	}
}

func TestAWorktreeHasTheOwnerOfItsRepository(t *testing.T) {
	main := checkout(t, "https://example.com/acme/shop.git")
	put(t, filepath.Join(main, ".git", "worktrees", "w", "commondir"), "../..\n")
	tree := t.TempDir()
	put(t, filepath.Join(tree, ".git"), "gitdir: "+filepath.Join(main, ".git", "worktrees", "w")+"\n")
	put(t, filepath.Join(tree, "helmfile.yaml"), "releases: []\n")
	if got := ownerOf(t, filepath.Join(tree, "helmfile.yaml"), LoadOptions{}).ID; got != "example.com/acme/shop/helmfile.yaml, environment default" {
		t.Errorf("got %q", got)
	}
}

func TestOwnersDiffer(t *testing.T) {
	dir := checkout(t, "https://example.com/acme/shop.git")
	file := filepath.Join(dir, "apps", "helmfile.yaml")
	put(t, filepath.Join(dir, "named.yaml"), "owner: team-a\nstateNamespace: ops\nenvironments: {prod: {}}\n---\nhelmfiles: [nested.yaml]\n")
	put(t, filepath.Join(dir, "nested.yaml"), "owner: other\nenvironments: {prod: {}}\n")
	plain := t.TempDir()
	put(t, filepath.Join(plain, "helmfile.yaml"), "releases: []\n")
	local, err := filepath.EvalSymlinks(plain)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, file string
		opts       LoadOptions
		want       Owner
	}{
		{"by environment", file, LoadOptions{Environment: "prod"}, Owner{ID: "example.com/acme/shop/apps/helmfile.yaml, environment prod", Namespace: "flotilla-system"}},
		{"by the namespace of all releases", file, LoadOptions{Namespace: "pr-7"}, Owner{ID: "example.com/acme/shop/apps/helmfile.yaml, environment default, namespace pr-7", Namespace: "flotilla-system"}},
		{"not by the context: each cluster has a lock and records of its own", file, LoadOptions{KubeContext: "eu"}, Owner{ID: "example.com/acme/shop/apps/helmfile.yaml, environment default", Namespace: "flotilla-system"}},
		{"the key of the top file says it, and not that of a nested one", filepath.Join(dir, "named.yaml"), LoadOptions{Environment: "prod"}, Owner{ID: "team-a, environment prod", Namespace: "ops"}},
		{"without a remote by the path inside", filepath.Join(checkout(t, ""), "apps", "helmfile.yaml"), LoadOptions{}, Owner{ID: "apps/helmfile.yaml, environment default", Namespace: "flotilla-system"}},
		{"outside of a repository by the path", filepath.Join(plain, "helmfile.yaml"), LoadOptions{}, Owner{ID: filepath.ToSlash(local) + "/helmfile.yaml, environment default", Namespace: "flotilla-system"}},
		{"from standard input by the folder", "-", LoadOptions{Dir: dir, Stdin: strings.NewReader("releases: []\n")}, Owner{ID: "example.com/acme/shop/-, environment default", Namespace: "flotilla-system"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ownerOf(t, tt.file, tt.opts); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestFilesOfAFolderHaveOneOwner(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.yaml"), "owner: a\n")
	put(t, filepath.Join(dir, "b.yaml"), "owner: b\n")
	s, err := Load(t.Context(), dir, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Owner(); err == nil || !strings.Contains(err.Error(), `b.yaml: owner: "b" contradicts "a"`) {
		t.Errorf("got %v", err)
	}
}

func TestARemoteStateFileHasThePlaceOfACheckoutAndNoSecrets(t *testing.T) {
	const file = "git::https://user:token@example.com/acme/shop.git@apps/helmfile.yaml?ref=main&sshkey=c2VjcmV0"
	if got := placeOf(file, ""); got != "example.com/acme/shop/apps/helmfile.yaml" {
		t.Errorf("got %q", got)
	}
}

func TestHistoryLimit(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name, text string
		want       int
		err        string
	}{
		{"nothing says", "releases: []\n", 0, ""},
		{"so many records", "historyLimit: 5\n", 5, ""},
		{"none", "historyLimit: 0\n", 0, "historyLimit: 0: expected at least 1"},
		{"fewer than none", "historyLimit: -1\n", 0, "historyLimit: -1: expected at least 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(dir, "limit.yaml")
			put(t, file, tt.text)
			s, err := Load(t.Context(), file, LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			owner, err := s.Owner()
			if owner.History != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %d, %v", owner.History, err)
			}
		})
	}
}
