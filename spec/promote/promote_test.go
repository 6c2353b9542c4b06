package promote

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
)

// read reads values of a test.
func read(t *testing.T, text string) map[string]any {
	t.Helper()
	v, _, err := origin.Read([]byte(text), "values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// told prints moves and notes, one line each.
func told(moves []Move, notes []Note) string {
	var b strings.Builder
	for _, m := range moves {
		was := "-"
		if m.Had {
			was = fmt.Sprintf("%#v", m.Was)
		}
		fmt.Fprintf(&b, "%s %s: %s -> %#v\n", m.Kind, m.Path, was, m.To)
	}
	for _, n := range notes {
		fmt.Fprintf(&b, "note %s: %s\n", n.Field, n.Text)
	}
	return b.String()
}

func TestMoves(t *testing.T) {
	tests := []struct {
		name     string
		runs     string // values of the source
		images   []string
		declares string // values of the target
		defaults string // of its chart
		versions [2]string
		rules    spec.Promotion
		want     string
	}{
		{
			name: "the version of the chart moves", versions: [2]string{"1.3.0", "1.2.0"},
			want: "chart version : \"1.2.0\" -> \"1.3.0\"\n",
		},
		{
			name: "a tag that runs moves, and nothing else that differs", images: []string{"reg.dev/shop/web:v2"},
			runs: "image: {repository: reg.dev/shop/web, tag: v2}\nreplicas: 1\n", declares: "image: {repository: reg.prod/shop/web, tag: v1}\nreplicas: 9\n",
			want: "image image.tag: \"v1\" -> \"v2\"\n",
		},
		{
			name: "a tag that nothing runs stays", images: []string{"shop/web:v2"},
			runs: "sidecar: {image: {repository: shop/side, tag: v9}}\n", declares: "sidecar: {image: {repository: shop/side, tag: v8}}\n",
			want: "note sidecar.image.tag: no object of dev runs an image with what it says\n",
		},
		{
			name: "a tag of another image than the one that runs it stays", images: []string{"shop/other:v2"},
			runs: "image: {repository: shop/web, tag: v2}\n", declares: "image: {tag: v1}\n",
			want: "note image.tag: no object of dev runs an image with what it says\n",
		},
		{
			name: "a key called tag beside a repository is one, whatever it is in", images: []string{"shop/web:v2"},
			runs: "web: {repository: shop/web, tag: v2}\nother: {tag: v2}\n", declares: "web: {tag: v1}\nother: {tag: v1}\n",
			want: "image web.tag: \"v1\" -> \"v2\"\n",
		},
		{
			name: "a tag that the target does not say yet", images: []string{"shop/web:v2"},
			runs: "image: {tag: v2}\n", declares: "",
			want: "image image.tag: - -> \"v2\"\n",
		},
		{
			name: "a tag that the target has from its chart", images: []string{"shop/web:v2"},
			runs: "image: {tag: v2}\n", defaults: "image: {tag: v2}\n",
		},
		{
			name: "a digest moves with its tag", images: []string{"shop/web:v2@sha256:" + strings.Repeat("2", 64)},
			runs:     "image: {repository: shop/web, tag: v2, digest: \"sha256:" + strings.Repeat("2", 64) + "\"}\n",
			declares: "image: {repository: shop/web, tag: v1, digest: \"sha256:" + strings.Repeat("1", 64) + "\"}\n",
			want: "image image.digest: \"sha256:" + strings.Repeat("1", 64) + "\" -> \"sha256:" + strings.Repeat("2", 64) + "\"\n" +
				"image image.tag: \"v1\" -> \"v2\"\n",
		},
		{
			name: "an old digest goes, which would win over the new tag", images: []string{"shop/web:v2"},
			runs: "image: {tag: v2}\n", declares: "image: {tag: v1, digest: \"sha256:1\"}\n",
			want: "image image.digest: \"sha256:1\" -> \"\"\nimage image.tag: \"v1\" -> \"v2\"\n",
		},
		{
			name: "a tag that the source leaves to its chart is the one that runs", images: []string{"reg/shop/web:v2"},
			runs: "{}", declares: "image: {repository: shop/web, tag: v1}\n",
			want: "image image.tag: \"v1\" -> \"v2\"\n",
		},
		{
			name: "a tag that nobody can tell stays", images: []string{"shop/web:v2", "shop/web:v3"},
			runs: "{}", declares: "image: {repository: shop/web, tag: v1}\n",
			want: "note image.tag: dev does not set it, and runs more than one tag of shop/web\n",
		},
		{
			name: "of a whole reference the tag moves, and the repository stays", images: []string{"reg.dev/web:v2"},
			runs: "image: reg.dev/web:v2\n", declares: "image: reg.prod/web:v1\n",
			want: "image image: \"reg.prod/web:v1\" -> \"reg.prod/web:v2\"\n",
		},
		{
			name: "a reference to another image stays", images: []string{"reg.dev/web:v2"},
			runs: "image: reg.dev/web:v2\n", declares: "image: reg.prod/api:v1\n",
			want: "note image: dev runs another image there\n",
		},
		{
			name: "a number that is a tag", images: []string{"web:42"},
			runs: "image: {tag: 42}\n", declares: "image: {tag: 41}\n",
			want: "image image.tag: 41 -> 42\n",
		},
		{
			name: "what is allowed moves, but for what is denied", rules: spec.Promotion{Allow: []string{"features.**", "replicas"}, Deny: []string{"features.beta"}},
			runs: "features: {a: true, beta: true, c: {d: 1}}\nreplicas: 2\nother: 1\n", declares: "features: {a: false, beta: false}\nreplicas: 2\nother: 2\n",
			want: "value features.a: false -> true\nvalue features.c.d: - -> 1\n",
		},
		{
			name: "an image can be denied", rules: spec.Promotion{Deny: []string{"image"}}, images: []string{"w:v2"},
			runs: "image: {tag: v2}\n", declares: "image: {tag: v1}\n",
			want: "note image.tag: promotion.deny keeps it\n",
		},
		{
			name: "a secret does not move, although it is allowed", rules: spec.Promotion{Allow: []string{"**"}},
			runs: "secretKey: new\nb: 1\n", declares: "secretKey: old\nb: 1\n",
			want: "note secretKey: it is a secret: those do not move\n",
		},
		{
			name: "what only the target says is noted", rules: spec.Promotion{Allow: []string{"a"}},
			runs: "{}", declares: "a: 1\n",
			want: "note a: prod sets it, and dev does not\n",
		},
		{
			name: "elements of lists that match by their names", rules: spec.Promotion{Allow: []string{"env.*.value"}},
			runs: "env: [{name: A, value: 2}, {name: B, value: 1}]\n", declares: "env: [{name: A, value: 1}, {name: B, value: 1}]\n",
			want: "value env[0].value: 1 -> 2\n",
		},
		{
			name: "lists that do not match are one value", rules: spec.Promotion{Allow: []string{"env"}},
			runs: "env: [{name: A}]\n", declares: "env: [{name: B}]\n",
			want: "value env: []interface {}{map[string]interface {}{\"name\":\"B\"}} -> []interface {}{map[string]interface {}{\"name\":\"A\"}}\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			from := Running{Environment: "dev", Version: tt.versions[0], Values: read(t, tt.runs)}
			for _, ref := range tt.images {
				i, ok := ParseImage(ref)
				if !ok {
					t.Fatalf("%q is no image", ref)
				}
				from.Images = append(from.Images, i)
			}
			user := read(t, tt.declares)
			final := read(t, tt.defaults+tt.declares)
			moves, notes, err := Moves(from, Declared{
				Environment: "prod", Version: tt.versions[1], User: user, Final: final,
				Secret: func(path origin.Path, _ any) bool { return strings.Contains(path.String(), "secret") },
			}, tt.rules)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, told(moves, notes)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestImages(t *testing.T) {
	manifest := `---
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers: [{name: i, image: "reg:5000/init:1"}]
      containers:
        - {name: a, image: shop/web:v2}
        - {name: b, image: "shop/web:v2"}
        - {name: c, image: "shop/api@sha256:` + strings.Repeat("a", 64) + `"}
        - {name: d, image: untagged}
---
apiVersion: x/v1
kind: Database
spec: {imageName: no/one:1, sidecarImage: side:3, text: "image: shop/none:1"}
`
	got, err := Images([]byte(manifest), []byte("kind: Job\nspec: {image: hook:1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Image{
		{Repository: "hook", Tag: "1"}, {Repository: "reg:5000/init", Tag: "1"},
		{Repository: "shop/api", Digest: "sha256:" + strings.Repeat("a", 64)}, {Repository: "shop/web", Tag: "v2"}, {Repository: "side", Tag: "3"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, text := range []string{"", "a b", "http://x/y:1", "/x", "x/", "a:{{b}}"} {
		if i, ok := ParseImage(text); ok {
			t.Errorf("%q is taken for the image %v", text, i)
		}
	}
}

func TestGlob(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.b.c", true}, {"a.b", "a", false}, {"a.b", "a.bc", false},
		{"a.*", "a.b", true}, {"*.b", "a.b", true}, {"*.b", "a.c.b", false}, {"**.b", "a.c.b", true}, {"**.b", "b", true},
		{"a.**.z", "a.z", true}, {"a.**.z", "a.b.c.z", true}, {"a.**.z", "a.b", false}, {"feat*", "features.x", true},
		{`"a.b".c`, `"a.b".c`, true}, {"l[0]", "l[0].x", true}, {"l.*", "l[3]", true}, {"l[0]", "l[1]", false},
	}
	for _, tt := range tests {
		g, err := globs([]string{tt.pattern})
		if err != nil {
			t.Fatal(err)
		}
		p, err := origin.ParsePath(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := matches(g, p); got != tt.want {
			t.Errorf("%s matches %s: %v", tt.pattern, tt.path, got)
		}
	}
	if _, err := globs([]string{"a[x"}); err == nil {
		t.Error("a[x is taken for a pattern")
	}
}

func TestReference(t *testing.T) {
	tests := map[string]string{
		`tag: {{ .Values.web.tag | quote }}`:                    "web.tag",
		`"{{ .Environment.Values.web.tag }}"`:                   "web.tag",
		`{{ $.StateValues.web.tag | default "1" }}`:             "web.tag",
		`web:{{ .Values.tag }}-x`:                               "tag",
		`{{ .Values | get "web.tag" "1" }}`:                     "web.tag",
		`{{ get "web.tag" .Values }}`:                           "web.tag",
		`{{ .Values.a }}-{{ .Values.b }}`:                       "",
		`{{ .version }}`:                                        "",
		`{{ printf "%s" (.Values.a | default .Release.Name) }}`: "a",
	}
	for raw, want := range tests {
		p, ok := reference(raw)
		if p.String() != want || ok != (want != "") {
			t.Errorf("%s names %q (%v), want %q", raw, p, ok, want)
		}
	}
}

func TestKeyBelow(t *testing.T) {
	text := "releases:\n  - name: web\n    # version: 0\n    set:\n      - name: x\n        value: 1\n{{- if .Values.x }}\n    version: {{ .Values.web }} # c\n{{- end }}\n  - name: api\n    version: 2\n"
	for _, tt := range []struct {
		from int
		key  string
		at   int
		raw  string
	}{{2, "version", 8, "{{ .Values.web }} # c"}, {10, "version", 11, "2"}, {2, "chart", 0, ""}, {5, "value", 6, "1"}} {
		if at, raw := keyBelow([]byte(text), tt.from, tt.key); at != tt.at || raw != tt.raw {
			t.Errorf("%s below line %d: %d %q, want %d %q", tt.key, tt.from, at, raw, tt.at, tt.raw)
		}
	}
}

func TestInPart(t *testing.T) {
	for _, tt := range []struct {
		part, was, to, want any
		ok                  bool
	}{
		{"v1", "v1", "v2", "v2", true},
		{"v1", "web:v1", "web:v2", "v2", true},
		{"v1", "web:v1-arm", "web:v2-arm", "v2", true},
		{"v1", "web:v1", "api:v2", nil, false},
		{"1", "1:1", "2:2", nil, false},
		{1.2, "1.2", "1.3", "1.3", true},
	} {
		if got, ok := inPart(tt.part, tt.was, tt.to); ok != tt.ok || got != tt.want {
			t.Errorf("%v in %v for %v: %v %v", tt.part, tt.was, tt.to, got, ok)
		}
	}
}
