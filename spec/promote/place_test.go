package promote

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
)

// repo is a folder of state files with the environments dev and prod.
type repo struct {
	*testing.T
	dir  string
	read map[string]bool // by dev
}

func newRepo(t *testing.T, files map[string]string) *repo {
	t.Helper()
	r := &repo{T: t, dir: t.TempDir(), read: map[string]bool{}}
	for name, text := range files {
		path := filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *repo) load(environment string, edited []File) *spec.Spec {
	r.Helper()
	reads := &spec.ReadFiles{}
	opts := spec.LoadOptions{Environment: environment, Dir: r.dir, CacheDir: r.TempDir(), ReadFiles: reads, LookupEnv: func(string) (string, bool) { return "", false }}
	opts.Edited = map[string][]byte{}
	for _, f := range edited {
		opts.Edited[f.Path] = f.After
	}
	s, err := spec.Load(r.Context(), "", opts)
	if err != nil {
		r.Fatal(err)
	}
	if environment == "dev" {
		for _, one := range s.Releases {
			if _, err := s.ValuesOf(r.Context(), one); err != nil {
				r.Fatal(err)
			}
		}
		for _, f := range reads.All() {
			r.read[f.Path] = true
		}
	}
	return s
}

// sources are the layers of a release as Helm would merge them.
func (r *repo) sources(s *spec.Spec, one spec.Release) origin.Sources {
	r.Helper()
	layers, merged, err := s.LayersOf(r.Context(), one)
	if err != nil {
		r.Fatal(err)
	}
	for i := range layers {
		if i < len(one.Values) {
			continue
		}
		set := one.Set[i-len(one.Values)]
		layers[i].Values = map[string]any{}
		at, last := layers[i].Values, merged
		keys := strings.Split(set.Name, ".")
		for _, key := range keys[:len(keys)-1] {
			below := map[string]any{}
			at[key], at = below, below
			if _, there := last[key].(map[string]any); !there {
				last[key] = map[string]any{}
			}
			last, _ = last[key].(map[string]any)
		}
		at[keys[len(keys)-1]], last[keys[len(keys)-1]] = set.Value, set.Value
	}
	return origin.Sources{Layers: layers, User: merged, Final: merged}
}

// promote moves what web runs in dev into the files of prod.
func (r *repo) promote(runs Running, rules spec.Promotion) (files []File, placed []Placed, surprises []string) {
	r.Helper()
	dev := r.load("dev", nil)
	prod := r.load("prod", nil)
	l := &Locator{
		Spec: prod, From: "dev",
		Shared:  func(file string) bool { return r.read[file] },
		Fetched: func(string) bool { return false },
	}
	for _, one := range prod.Releases {
		if one.ID.Name != "web" {
			continue
		}
		sources := r.sources(prod, one)
		moves, _, err := Moves(runs, Declared{Environment: "prod", Version: one.Chart.Version, User: sources.User, Final: sources.Final}, rules)
		if err != nil {
			r.Fatal(err)
		}
		for _, m := range moves {
			place, err := l.Find(r.Context(), Release{Release: one, Sources: sources}, m)
			if err != nil {
				r.Fatal(err)
			}
			placed = append(placed, Placed{Release: one, Move: m, Place: place})
		}
	}
	files, placed, err := Edit(placed)
	if err != nil {
		r.Fatal(err)
	}
	can := slices.DeleteFunc(slices.Clone(placed), func(p Placed) bool { return p.Hand != "" })
	for _, side := range []struct {
		before *spec.Spec
		moves  []Placed
	}{{prod, can}, {dev, nil}} {
		found, err := Surprises(r.Context(), side.before, r.load(side.before.Environment, files), side.moves)
		if err != nil {
			r.Fatal(err)
		}
		for _, s := range found {
			surprises = append(surprises, s.String())
		}
	}
	return files, placed, surprises
}

// told prints the changed lines of each file, what is left to hands, and
// surprises.
func (r *repo) told(files []File, placed []Placed, surprises []string) string {
	var b strings.Builder
	for _, f := range files {
		name, _ := filepath.Rel(r.dir, f.Path)
		for _, l := range compared(split(string(f.Before)), split(string(f.After))) {
			if l.kind != ' ' {
				fmt.Fprintf(&b, "%s %c%s\n", name, l.kind, strings.TrimSuffix(l.text, "\n"))
			}
		}
	}
	for _, p := range placed {
		if p.Hand != "" {
			name, _ := filepath.Rel(r.dir, p.File)
			fmt.Fprintf(&b, "by hand %s:%d %s to %v: %s\n", name, p.Line, p.Field(), p.Move.To, strings.ReplaceAll(p.Hand, r.dir+"/", ""))
		}
	}
	for _, s := range surprises {
		b.WriteString("surprise " + s + "\n")
	}
	return b.String()
}

// runsV2 is what dev runs in these tests.
func runsV2() Running {
	return Running{
		Environment: "dev", Version: "2.0.0", Values: map[string]any{"image": map[string]any{"tag": "v2"}},
		Images: []Image{{Repository: "web", Tag: "v2"}},
	}
}

const environments = "environments:\n  dev: {values: [env/dev.yaml]}\n  prod: {values: [env/prod.yaml]}\n---\n"

func TestPlaces(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		allow []string
		want  string
	}{
		{
			name: "a values file and a version of the environment alone",
			files: map[string]string{
				"helmfile.yaml":   "environments:\n  dev: {}\n  prod: {}\n---\nreleases:\n- name: web\n  chart: x/web\n  version: \"{{ .Environment.Name | eq \\\"dev\\\" | ternary \\\"2.0.0\\\" \\\"1.0.0\\\" }}\"\n  values: [\"values/{{ .Environment.Name }}.yaml\"]\n",
				"values/dev.yaml": "image: {tag: v2}\n", "values/prod.yaml": "image:\n  tag: v1 # now\n",
			},
			want: "values/prod.yaml -  tag: v1 # now\nvalues/prod.yaml +  tag: v2 # now\n" +
				"by hand helmfile.yaml:8 chart version to 2.0.0: it comes out of a template\n",
		},
		{
			name: "a template that names state values leads to the environment's file",
			files: map[string]string{
				"helmfile.yaml":      environments + "releases:\n- name: web\n  chart: x/web\n  version: '{{ .Values.web.version }}'\n  values: [values.yaml.gotmpl]\n",
				"values.yaml.gotmpl": "image:\n  tag: {{ .Values.web.tag | quote }}\n",
				"env/dev.yaml":       "web: {version: 2.0.0, tag: v2}\n",
				"env/prod.yaml":      "# prod\nweb:\n  version: 1.0.0\n  tag: 'v1'\n",
			},
			want: "env/prod.yaml -  version: 1.0.0\nenv/prod.yaml -  tag: 'v1'\nenv/prod.yaml +  version: 2.0.0\nenv/prod.yaml +  tag: 'v2'\n",
		},
		{
			name: "a template in a state file",
			files: map[string]string{
				"helmfile.yaml.gotmpl": environments + "releases:\n- name: web\n  chart: x/web\n  version: {{ .Values.version }}\n  values:\n  - image:\n      tag: {{ .Values.tag }}\n",
				"env/dev.yaml":         "version: 2.0.0\ntag: v2\n",
				"env/prod.yaml":        "version: 1.0.0\ntag: v1\n",
			},
			want: "env/prod.yaml -version: 1.0.0\nenv/prod.yaml -tag: v1\nenv/prod.yaml +version: 2.0.0\nenv/prod.yaml +tag: v2\n",
		},
		{
			name: "inline values of the environment in the state file",
			files: map[string]string{
				"helmfile.yaml":      "environments:\n  dev:\n    values:\n    - {v: 2.0.0, tag: v2}\n  prod:\n    values:\n    - v: 1.0.0 # prod\n      tag: v1\n---\nreleases:\n- name: web\n  chart: x/web\n  version: '{{ .Values.v }}'\n  values: [values.yaml.gotmpl]\n",
				"values.yaml.gotmpl": "image: {tag: {{ .Values.tag }}}\n",
			},
			want: "helmfile.yaml -    - v: 1.0.0 # prod\nhelmfile.yaml -      tag: v1\nhelmfile.yaml +    - v: 2.0.0 # prod\nhelmfile.yaml +      tag: v2\n",
		},
		{
			name: "what the base says is said by the environment's file instead",
			files: map[string]string{
				"helmfile.yaml":      "environments:\n  dev: {values: [base.yaml, dev.yaml]}\n  prod: {values: [base.yaml, prod.yaml]}\n---\nreleases:\n- name: web\n  chart: x/web\n  version: '{{ .Values.web.version }}'\n  values: [values.yaml.gotmpl]\n",
				"values.yaml.gotmpl": "image: {tag: {{ .Values.web.tag }}}\n",
				"base.yaml":          "web:\n  version: 1.0.0\n  tag: v1\n", "dev.yaml": "web: {version: 2.0.0, tag: v2}\n", "prod.yaml": "# prod\nreplicas: 3\n",
			},
			want: "prod.yaml +web:\nprod.yaml +  version: 2.0.0\nprod.yaml +  tag: v2\n",
		},
		{
			name: "what a shared values file says is said by the release's own file of the environment",
			files: map[string]string{
				"helmfile.yaml": "environments:\n  dev: {}\n  prod: {}\n---\nreleases:\n- name: web\n  chart: x/web\n  version: 2.0.0\n  values: [common.yaml, \"{{ .Environment.Name }}.yaml\"]\n",
				"common.yaml":   "image:\n  tag: v1\n", "dev.yaml": "image: {tag: v2}\n", "prod.yaml": "replicas: 3\n",
			},
			want: "prod.yaml +image:\nprod.yaml +  tag: v2\n",
		},
		{
			name: "what nothing of the environment alone can say is for somebody's hand",
			files: map[string]string{
				"helmfile.yaml": "environments:\n  dev: {}\n  prod: {}\n---\nreleases:\n- name: web\n  chart: x/web\n  version: 1.0.0\n  values: [common.yaml]\n",
				"common.yaml":   "image:\n  tag: v1\n",
			},
			want: "by hand helmfile.yaml:8 chart version to 2.0.0: the file is one of dev, too, so that changing it would change that: write a template there, such as version: {{ .Values.web.version }}, and the version into the values of each environment\n" +
				"by hand common.yaml:2 image.tag to v2: the file is one of dev, too, so that changing it would change that, and no values file of web is of prod alone: list one such as environments/prod/web.yaml and say image.tag there\n",
		},
		{
			name: "a literal in a template is for somebody's hand",
			files: map[string]string{
				"helmfile.yaml.gotmpl": "environments:\n  dev: {}\n  prod: {}\n---\nreleases:\n- name: web\n  chart: x/web\n  version: 1.0.0\n  values: [\"{{ .Environment.Name }}.yaml.gotmpl\"]\n",
				"dev.yaml.gotmpl":      "image: {tag: v2}\n", "prod.yaml.gotmpl": "image:\n  tag: v1\n",
			},
			want: "by hand helmfile.yaml.gotmpl:8 chart version to 2.0.0: the file is a template, and the file is one of dev, too, so that changing it would change that\n" +
				"by hand prod.yaml.gotmpl:2 image.tag to v2: the file is a template\n",
		},
		{
			name: "state files of each environment with their own versions",
			files: map[string]string{
				"helmfile.yaml.gotmpl": "environments:\n  dev: {}\n  prod: {}\n---\nhelmfiles:\n- {{ .Environment.Name }}/helmfile.yaml\n",
				"dev/helmfile.yaml":    "environments:\n  dev: {}\n  prod: {}\n---\nreleases:\n- {name: web, chart: x/web, version: 2.0.0}\n",
				"prod/helmfile.yaml":   "environments:\n  dev: {}\n  prod: {}\n---\nreleases:\n# the shop\n- name: api\n  chart: x/api\n  version: 1.0.0\n- name: web # here\n  chart: x/web\n  version: \"1.0.0\" # now\n  values:\n  - image:\n      tag: v1\n",
			},
			want: "prod/helmfile.yaml -  version: \"1.0.0\" # now\nprod/helmfile.yaml +  version: \"2.0.0\" # now\nprod/helmfile.yaml -      tag: v1\nprod/helmfile.yaml +      tag: v2\n",
		},
		{
			name: "an entry of set of the environment alone, and one of all",
			files: map[string]string{
				"helmfile.yaml.gotmpl": "environments:\n  dev: {}\n  prod: {}\n---\nhelmfiles:\n- {{ .Environment.Name }}/helmfile.yaml\n",
				"dev/helmfile.yaml":    "environments: {dev: {}, prod: {}}\n---\nreleases:\n- {name: web, chart: x/web, version: 2.0.0}\n",
				"prod/helmfile.yaml":   "environments: {dev: {}, prod: {}}\n---\nreleases:\n- name: web\n  chart: x/web\n  version: 2.0.0\n  set:\n  - name: image.tag\n    value: v1\n",
			},
			want: "prod/helmfile.yaml -    value: v1\nprod/helmfile.yaml +    value: v2\n",
		},
		{
			name: "a set with a template",
			files: map[string]string{
				"helmfile.yaml": environments + "releases:\n- name: web\n  chart: x/web\n  version: 2.0.0\n  setTemplate:\n  - {name: image.tag, value: '{{ .Values.tag }}'}\n",
				"env/dev.yaml":  "tag: v2\n", "env/prod.yaml": "tag: v1\n",
			},
			want: "env/prod.yaml -tag: v1\nenv/prod.yaml +tag: v2\n",
		},
		{
			name: "a nested file that gets the values of its parent",
			files: map[string]string{
				"helmfile.yaml.gotmpl":      environments + "helmfiles:\n- path: apps/helmfile.yaml.gotmpl\n  values:\n  - {{ toYaml .Values | nindent 4 }}\n",
				"apps/helmfile.yaml.gotmpl": "releases:\n- name: web\n  chart: x/web\n  version: {{ .Values.web.version }}\n  values:\n  - image: {tag: {{ .Values.web.tag }}}\n",
				"env/dev.yaml":              "web: {version: 2.0.0, tag: v2}\n", "env/prod.yaml": "web: {version: 1.0.0, tag: v1}\n",
			},
			want: "env/prod.yaml -web: {version: 1.0.0, tag: v1}\nenv/prod.yaml +web: {version: 2.0.0, tag: v2}\n",
		},
		{
			name: "a state value that another release takes, too, is a surprise",
			files: map[string]string{
				"helmfile.yaml":      environments + "releases:\n- name: web\n  chart: x/web\n  version: 2.0.0\n  values: [values.yaml.gotmpl]\n- name: api\n  chart: x/api\n  version: 2.0.0\n  values: [values.yaml.gotmpl]\n",
				"values.yaml.gotmpl": "image: {tag: {{ .Values.tag }}}\n",
				"env/dev.yaml":       "tag: v2\n", "env/prod.yaml": "tag: v1\n",
			},
			want: "env/prod.yaml -tag: v1\nenv/prod.yaml +tag: v2\nsurprise image.tag of api in prod\n",
		},
		{
			name:  "a file of both environments that is linked is one of both",
			allow: []string{"replicas"},
			files: map[string]string{
				"helmfile.yaml": "environments:\n  dev: {}\n  prod: {}\n---\nreleases:\n- name: web\n  chart: x/web\n  version: 2.0.0\n  values: [\"{{ .Environment.Name }}.yaml\"]\n",
				"dev.yaml":      "image: {tag: v2}\n", "prod.yaml": "x: &t v1\nimage:\n  tag: *t\n",
			},
			want: "prod.yaml -  tag: *t\nprod.yaml +  tag: v2\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRepo(t, tt.files)
			files, placed, surprises := r.promote(runsV2(), spec.Promotion{Allow: tt.allow})
			if d := cmp.Diff(tt.want, r.told(files, placed, surprises)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if len(files) == 0 || len(surprises) > 0 {
				return
			}
			if err := Write(files); err != nil {
				t.Fatal(err)
			}
			if again, _, _ := r.promote(runsV2(), spec.Promotion{Allow: tt.allow}); len(again) > 0 {
				t.Errorf("promoting again changes %s", again[0].Path)
			}
		})
	}
}

func TestPatchAppliesWithGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal("this test applies patches with git, which is not there")
	}
	texts := map[string][2]string{
		"a b.yaml":     {"a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\nh: 8\ni: 9\nj: 10\n", "a: 2\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\nh: 8\ni: 9\nj: 11\nk: 1\n"},
		"d/crlf.yaml":  {"a: 1\r\nb: 2\r\n", "a: 1\r\nb: 3\r\n"},
		"d/noeol.yaml": {"a: 1\nb: 2", "a: 1\nb: 2\nc: 3"},
		"empty.yaml":   {"", "a: 1\n"},
		"ü.yaml":       {"a: 1\n", "# x\na: 1\n"},
	}
	r := newRepo(t, nil)
	var files []File
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		path := filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(texts[name][0]), 0o644); err != nil {
			t.Fatal(err)
		}
		files = append(files, File{Path: path, Before: []byte(texts[name][0]), After: []byte(texts[name][1])})
	}
	for _, args := range [][]string{{"init", "-q", "."}, {"apply", "-"}} {
		cmd := exec.CommandContext(t.Context(), git, args...)
		cmd.Dir = r.dir
		cmd.Stdin = strings.NewReader("Promote dev to prod\n\nForced: because\n\n" + Patch(files, "/nowhere"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s\n%s", args[0], err, out, Patch(files, "/nowhere"))
		}
	}
	for name, text := range texts {
		got, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil || string(got) != text[1] {
			t.Errorf("%s became %q, %v; want %q", name, got, err, text[1])
		}
	}
}

func TestWriteIsAllOrNothing(t *testing.T) {
	r := newRepo(t, map[string]string{"a.yaml": "a: 1\n", "real/b.yaml": "b: 1\n"})
	a, link := filepath.Join(r.dir, "a.yaml"), filepath.Join(r.dir, "b.yaml")
	if err := os.Symlink("real/b.yaml", link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(a, 0o640); err != nil {
		t.Fatal(err)
	}
	files := []File{{a, []byte("a: 1\n"), []byte("a: 2\n")}, {link, []byte("b: other\n"), []byte("b: 2\n")}}
	if err := Write(files); err == nil || !strings.Contains(err.Error(), "nothing was changed: the file has changed meanwhile") {
		t.Errorf("a file that has changed meanwhile: %v", err)
	}
	texts := func() string {
		var b strings.Builder
		err := filepath.WalkDir(r.dir, func(path string, _ os.DirEntry, _ error) error {
			if text, err := os.ReadFile(path); err == nil {
				info, _ := os.Lstat(path)
				name, _ := filepath.Rel(r.dir, path)
				fmt.Fprintf(&b, "%s %v %s", name, info.Mode(), text)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if d := cmp.Diff("a.yaml -rw-r----- a: 1\nb.yaml Lrwxrwxrwx b: 1\nreal/b.yaml -rw-r--r-- b: 1\n", texts()); d != "" {
		t.Errorf("after an error:\n%s", d)
	}
	files[1].Before = []byte("b: 1\n")
	if err := Write(files); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("a.yaml -rw-r----- a: 2\nb.yaml Lrwxrwxrwx b: 2\nreal/b.yaml -rw-r--r-- b: 2\n", texts()); d != "" {
		t.Errorf("after writing:\n%s", d)
	}
}

func TestPinsGoAlongWithVersions(t *testing.T) {
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	lockFile := func(prod string) string {
		return "# What flotilla lock found; commit it, and bring it up to date with: flotilla -e ENVIRONMENT lock\n" +
			"version: 1\nenvironments:\n  dev:\n    charts:\n" +
			"      - chart: x/web\n        repository: https://charts.example.com\n        requested: ~2\n        version: 2.0.0\n        digest: " + digest("2") + "\n" +
			"  prod:\n    charts:\n" + prod
	}
	pin := func(requested, version, digest string) string {
		return "      - chart: x/web\n        repository: https://charts.example.com\n        requested: " + requested + "\n        version: " + version + "\n        digest: " + digest + "\n"
	}
	files := map[string]string{
		"helmfile.yaml":      "repositories: [{name: x, url: \"https://me:secret@charts.example.com\"}]\n" + environments + "releases:\n- name: web\n  chart: x/web\n  version: '{{ .Values.version }}'\n  values: [values.yaml.gotmpl]\n",
		"values.yaml.gotmpl": "image: {tag: {{ .Values.tag }}}\n",
		"env/dev.yaml":       "version: ~2\ntag: v2\n", "env/prod.yaml": "version: 1.0.0\ntag: v2\n",
		"flotilla.lock.yaml": lockFile(pin("1.0.0", "1.0.0", digest("1"))),
	}
	r := newRepo(t, files)
	changed, placed, _ := r.promote(runsV2(), spec.Promotion{})
	pins, left, err := Pins(r.load("prod", nil), "dev", placed)
	if err != nil || len(left) > 0 || pins == nil {
		t.Fatal(pins, left, err)
	}
	if d := cmp.Diff(lockFile(pin("2.0.0", "2.0.0", digest("2"))), string(pins.After)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	now := r.load("prod", append(changed, *pins))
	if got := now.Releases[0].Chart; got.Version != "2.0.0" || got.Digest != digest("2") {
		t.Errorf("the chart is %s with %s", got.Version, got.Digest)
	}
	if got := DigestOf(now, "dev", now.Releases[0].Chart, "2.0.0"); got != digest("2") {
		t.Errorf("the digest is %q", got)
	}

	runs := runsV2()
	runs.Version = "2.1.0" // dev was locked after it was deployed
	_, placed, _ = r.promote(runs, spec.Promotion{})
	if pins, left, err = Pins(r.load("prod", nil), "dev", placed); err != nil || pins != nil || len(left) != 1 || left[0].Name != "web" {
		t.Errorf("a version that the source does not pin: %v %v %v", pins, left, err)
	}
}
