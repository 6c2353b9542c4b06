package spec

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBudget(t *testing.T) {
	tests := []struct {
		text  string
		all   int
		want  int
		shown string
	}{
		{"", 0, 1, "1 release or 10 %, whichever is more"},
		{"", 19, 1, "1 release or 10 %, whichever is more"},
		{"", 20, 2, "1 release or 10 %, whichever is more"},
		{"3", 100, 3, "3"},
		{"0", 100, 0, "0"},
		{" 25% ", 100, 25, "25%"},
		{"10%", 9, 0, "10%"},
		{"100%", 7, 7, "100%"},
		{"0%", 7, 0, "0%"},
	}
	for _, tt := range tests {
		b, err := ParseBudget(tt.text)
		if err != nil || b.Of(tt.all) != tt.want || b.String() != tt.shown {
			t.Errorf("%q of %d: %d (%s), %v; want %d (%s)", tt.text, tt.all, b.Of(tt.all), b, err, tt.want, tt.shown)
		}
	}
	for _, text := range []string{"-1", "many", "101%", "1.5", "%"} {
		if _, err := ParseBudget(text); err == nil {
			t.Errorf("%q is a budget", text)
		}
	}
}

func TestPruningIsWhatTopFilesSay(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		on    bool
		most  int // of 100
		err   string
	}{
		{"nothing", map[string]string{"helmfile.yaml": "releases: []\n"}, false, 10, ""},
		{"both keys", map[string]string{"helmfile.yaml": "prune: true\ndeletionBudget: 25%\n"}, true, 25, ""},
		{"a number", map[string]string{"helmfile.yaml": "prune: true\ndeletionBudget: 7\n"}, true, 7, ""},
		{"a nested file says nothing", map[string]string{"helmfile.yaml": "helmfiles: [n.yaml]\n", "n.yaml": "prune: true\ndeletionBudget: 99\n"}, false, 10, ""},
		{"files of a folder agree", map[string]string{"helmfile.d/a.yaml": "prune: true\n", "helmfile.d/b.yaml": "deletionBudget: 3\n"}, true, 3, ""},
		{"files of a folder contradict each other", map[string]string{"helmfile.d/a.yaml": "prune: true\n", "helmfile.d/b.yaml": "prune: false\n"}, false, 0,
			`prune: "false" contradicts "true"`},
		{"a budget that is none", map[string]string{"helmfile.yaml": "deletionBudget: lots\n"}, false, 0, `helmfile.yaml: deletionBudget: "lots" is no budget`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mustLoad(t, tt.files, LoadOptions{})
			got, err := s.Pruning()
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || got.On != tt.on || got.Budget.Of(100) != tt.most {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestUnseen(t *testing.T) {
	const env = "environments: {default: {values: [dev.yaml], missingFileHandler: HANDLER}}\n---\nreleases: []\n"
	tests := []struct {
		name  string
		files map[string]string
		opts  LoadOptions
		want  string
	}{
		{"everything is there", map[string]string{"helmfile.yaml": "helmfiles: [n.yaml]\n", "n.yaml": "releases: []\n"}, LoadOptions{}, ""},
		{"a nested file is not there", map[string]string{"helmfile.yaml": "missingFileHandler: Debug\nhelmfiles: [n.yaml]\n"}, LoadOptions{}, "the state file n.yaml is not there"},
		{"a pattern that matches nothing", map[string]string{"helmfile.yaml": "missingFileHandler: Info\nhelmfiles: [n/*.yaml]\n"}, LoadOptions{}, "the state file n/*.yaml is not there"},
		{"a file of values that a warning tells of", map[string]string{"helmfile.yaml": strings.Replace(env, "HANDLER", "Warn", 1)}, LoadOptions{}, "the values file dev.yaml is not there"},
		{"a file of values that may be missing", map[string]string{"helmfile.yaml": strings.Replace(env, "HANDLER", "Info", 1)}, LoadOptions{}, ""},
		{"a nested file that was left out", map[string]string{"helmfile.yaml": "helmfiles: [{path: n.yaml, selectors: [tier=db]}]\n", "n.yaml": "releases: []\n"},
			LoadOptions{Selectors: []string{"tier=web"}}, "left out because of the selectors"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := mustLoad(t, tt.files, tt.opts).Unseen()
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	if (&Spec{}).Unseen() == nil {
		t.Error("a state that is of no file is all that is declared")
	}
}

func TestSource(t *testing.T) {
	load := func(file string) string {
		s, err := Load(t.Context(), file, LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s.Source()
	}
	one, other, two := checkout(t, "https://example.com/acme/shop.git"), checkout(t, "git@example.com:acme/bank.git"), checkout(t, "")
	remotes := []string{"example.com/acme/shop/", "example.com/acme/bank/", ""}
	for i, dir := range []string{one, other, two} {
		if got := load(filepath.Join(dir, "apps", "helmfile.yaml")); got != remotes[i]+"apps/helmfile.yaml" {
			t.Errorf("in a repository: %q", got)
		}
		if got := load(filepath.Join(dir, "apps")); got != remotes[i]+"apps" {
			t.Errorf("a folder of it: %q", got)
		}
	}
	alone := filepath.Join(t.TempDir(), "helmfile.yaml")
	put(t, alone, "releases: []\n")
	real, err := filepath.EvalSymlinks(alone)
	if got := load(alone); err != nil || got != filepath.ToSlash(real) {
		t.Errorf("outside of one: %q, %v", got, err)
	}
}

func TestSourceOfAFile(t *testing.T) {
	dir := checkout(t, "https://example.com/acme/shop.git")
	put(t, filepath.Join(dir, "helmfile.yaml"), "helmfiles: [apps/one.yaml]\n")
	put(t, filepath.Join(dir, "apps", "one.yaml"), "releases: []\n")
	s, err := Load(t.Context(), filepath.Join(dir, "helmfile.yaml"), LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range len(s.Files) + 1 {
		got = append(got, s.SourceOf(i))
	}
	if want := []string{"example.com/acme/shop/apps/one.yaml", "example.com/acme/shop/helmfile.yaml", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSkipped(t *testing.T) {
	files := map[string]string{
		"helmfile.yaml": "environments: {dev: {}}\n---\nhelmfiles: [a.yaml, b.yaml]\n",
		"a.yaml":        "environments: {dev: {}}\n---\nreleases: []\n",
		"b.yaml":        "environments: {dve: {}}\n---\nreleases: []\n",
	}
	err := mustLoad(t, files, LoadOptions{Environment: "dev"}).Skipped()
	if err == nil || !strings.Contains(err.Error(), "b.yaml: no environment dev there") || strings.Contains(err.Error(), "a.yaml") {
		t.Errorf("error %v", err)
	}
	files["b.yaml"] = files["a.yaml"]
	if err := mustLoad(t, files, LoadOptions{Environment: "dev"}).Skipped(); err != nil {
		t.Errorf("nothing is left out, and still: %v", err)
	}
}

func TestMayDeclare(t *testing.T) {
	for text, want := range map[string]bool{
		"releases: [{name: api, namespace: {{ .Environment.Name }}, chart: ./c}]\n": false,
		"releases: [{name: web, chart: ./c}]\n":                                     true,
		"releases:\n- name: w{{ \"eb\" }}\n  chart: ./c\n":                          true,
		"releases:\n{{ readFile \"more.yaml\" }}\n":                                 true,
		"helmfiles: [more.yaml]\n":                                                  true,
	} {
		files := map[string]string{
			"helmfile.yaml": "environments: {dev: {}}\n---\nhelmfiles: [b.yaml.gotmpl]\n",
			"b.yaml.gotmpl": "environments: {dve: {}}\n---\n" + text,
		}
		if got := mustLoad(t, files, LoadOptions{Environment: "dev"}).MayDeclare("web"); got != want {
			t.Errorf("a file that was left out, with %q, may declare web: %v, want %v", text, got, want)
		}
	}
}
