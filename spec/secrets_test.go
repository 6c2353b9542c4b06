package spec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec/secret"
)

// sops makes a text that looks as if SOPS had encrypted it; vault "decrypts" it.
func sops(plain string) string { return "sops:\n    mac: x\nplain: |\n    " + indent(plain) }

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n    ") }

// vault answers as flotilla-secrets does and notes what it was asked.
type vault struct {
	mu    sync.Mutex
	asked []string
	execs bool // somebody allowed it to start programs
	err   error
}

func (v *vault) Ask(_ context.Context, r secret.Request) ([]secret.Answer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.execs = v.execs || !r.NoExec
	var names []string
	out := make([]secret.Answer, len(r.Items))
	for i, item := range r.Items {
		if item.Ref == "" {
			_, plain, _ := strings.Cut(string(item.Data), "plain: |\n    ")
			out[i].Text = []byte(strings.ReplaceAll(plain, "\n    ", "\n"))
			if bytes.HasPrefix(out[i].Text, []byte("FAIL")) {
				out[i] = secret.Answer{Err: errors.New("no key fits")}
			}
			names = append(names, string(item.Format))
			continue
		}
		names = append(names, item.Ref)
		out[i].Value = "secret of " + item.Ref
	}
	v.asked = append(v.asked, filepath.Base(r.Dir)+": "+strings.Join(names, " "))
	return out, v.err
}

func TestSecretsOfAnEnvironment(t *testing.T) {
	v := &vault{}
	s := mustLoad(t, map[string]string{
		"helmfile.yaml.gotmpl": `
values: [{d: default, a: default}]
environments:
  default:
    values: [{a: value, b: value, m: {x: 1, y: 1}}, h.hcl]
    secrets: [one.yaml, "more/*.yaml", h.secret.hcl, t.yaml.gotmpl]
---
releases:
- {name: r, chart: c, values: [{a: "{{ .Values.a }}"}]}
`,
		"one.yaml":    sops("a: one\nb: one\nm: {y: 2}\n"),
		"more/1.yaml": sops("b: first\nc: first\n"), "more/2.yaml": sops("c: second\n"),
		"h.hcl": "values {\n  d = \"from ${hv.s}\"\n  b = \"hcl\"\n}\n", "h.secret.hcl": sops("values {\n  s = \"hcl-secret\"\n}\n"),
		"t.yaml.gotmpl": sops("t: \"{{ as helmfile, no template }}\"\n"),
	}, LoadOptions{Secrets: v})
	want := m{"d": "from hcl-secret", "a": "one", "b": "first", "c": "second", "m": m{"x": 1, "y": 2}, "s": "hcl-secret", "t": "{{ as helmfile, no template }}"}
	if diff := cmp.Diff(want, m(s.Files[0].Values)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	slices.Sort(v.asked)
	if len(v.asked) != 5 {
		t.Errorf("asked %q, want each file once", v.asked)
	}
	for text, want := range map[string]string{"x one x": "x one x", "first": "(masked)", "is hcl-secret": "is (masked)", "value": "value"} {
		if got := s.Redactor().Redact(text); got != want {
			t.Errorf("%q is redacted to %q, want %q", text, got, want)
		}
	}
}

func TestSecretsInHCLAreMaskedWhereverTheyStand(t *testing.T) {
	const secret = `locals {
  pair = ["first-local", "second-local"]
}
values {
  db = {
    password = "in-object", ports = [54321, 7],
    "quoted-key" = true
  }
  list = ["in-list"]
  cert = <<EOT
line-one
line-two
EOT
  made = "${upper(local.pair[0])}:${hv.plain}"
}
`
	s := mustLoad(t, map[string]string{
		"helmfile.yaml": "environments:\n  default:\n    values: [h.hcl]\n    secrets: [s.hcl]\n---\nreleases: []\n",
		"h.hcl":         "values {\n  plain = \"plain-value\"\n  other = \"x ${hv.list[0]}\"\n}\n", "s.hcl": sops(secret),
	}, LoadOptions{Secrets: &vault{}})
	for text, want := range map[string]string{
		"first-local second-local": "(masked) (masked)", "in-object": "(masked)", "54321": "(masked)", "in-list": "(masked)",
		"line-one": "(masked)", "line-two": "(masked)", "FIRST-LOCAL:plain-value": "(masked)",
		"password quoted-key made": "password quoted-key made", "plain-value": "plain-value", "x in-list": "x (masked)",
	} {
		if got := s.Redactor().Redact(text); got != want {
			t.Errorf("%q is redacted to %q, want %q", text, got, want)
		}
	}
}

func TestSecretsOfAnEnvironmentThatFail(t *testing.T) {
	broken := sops("a: [hunter2\n")
	for name, tt := range map[string]struct{ state, want string }{
		"a file that is not there": {"environments:\n  default: {secrets: [none.yaml]}\nreleases: []\n",
			"helmfile.yaml:2:23: the secrets file none.yaml is not there"},
		"the handler of the environment":           {"environments:\n  default: {secrets: [none.yaml], missingFileHandler: Info}\n---\nreleases: []\n", ""},
		"the handler of the file":                  {"missingFileHandler: Info\nenvironments:\n  default: {secrets: [none.yaml]}\n---\nreleases: []\n", ""},
		"what cannot be decrypted":                 {"environments:\n  default: {secrets: [fail.yaml]}\n---\nreleases: []\n", "helmfile.yaml:2:23: secrets: decrypting /fail.yaml: no key fits"},
		"what is encrypted by nobody":              {"environments:\n  default: {secrets: [plain.yaml]}\n---\nreleases: []\n", "decrypting /plain.yaml: it is not encrypted with sops"},
		"what is no YAML, told without its values": {"environments:\n  default: {secrets: [broken.yaml]}\n---\nreleases: []\n", "/broken.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"helmfile.yaml": strings.Replace(tt.state, "}\nreleases", "}\n---\nreleases", 1), "fail.yaml": sops("FAIL"), "plain.yaml": "a: 1\n", "broken.yaml": broken})
			_, err := Load(context.Background(), "", LoadOptions{Dir: dir, Secrets: &vault{}, LookupEnv: func(string) (string, bool) { return "", false }})
			text := ""
			if err != nil {
				text = strings.ReplaceAll(err.Error(), dir, "")
			}
			if !strings.Contains(text, tt.want) || (err != nil) != (tt.want != "") || strings.Contains(text, "hunter2") {
				t.Errorf("error %q, want %q in it", text, tt.want)
			}
		})
	}
}

func TestSecretsOfAReleaseLieBetweenValuesAndTheCommandLine(t *testing.T) {
	v := &vault{}
	s := mustLoad(t, map[string]string{
		"helmfile.yaml": `
missingFileHandler: Warn
releases:
- name: r
  chart: c
  secrets: [s.yaml, s.yaml.gotmpl]
  values: [{a: value, b: value, c: value}, {ref: "ref+vault://in/values#/x", two: "ref+awssm://y1 ref+vault://in/values#/x"}]
- {name: again, chart: c, secrets: [s.yaml], values: [{ref: "ref+vault://in/values#/x"}]}
- {name: missing, chart: c, secrets: [none.yaml]}
- {name: tolerated, chart: c, missingFileHandler: Info, secrets: [none.yaml], values: [{a: 1}]}
- {name: many, chart: c, secrets: ["s*"]}
- {name: fails, chart: c, secrets: [fail.yaml]}
`,
		"s.yaml": sops("a: secret\nb: secret\n\"null\": null\nr: ref+echo://in/secret\n"), "fail.yaml": sops("FAIL"),
		"s.yaml.gotmpl": sops("c: {{ .Release.Name }}-secret\n"), "cli.yaml": "b: cli\n",
	}, LoadOptions{Secrets: v, ReleaseValues: []string{"cli.yaml"}})
	ctx := context.Background()
	got, err := s.ValuesOf(ctx, s.Releases[0])
	if err != nil {
		t.Fatal(err)
	}
	x := "secret of vault://in/values#/x"
	want := m{"a": "secret", "b": "cli", "c": "r-secret", "null": nil, "r": "in/secret", "ref": x, "two": "secret of awssm://y1 " + x}
	if diff := cmp.Diff(want, m(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if _, err := s.ValuesOf(ctx, s.Releases[1]); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Base(s.Files[0].Dir)
	if diff := cmp.Diff([]string{dir + ": awssm://y1 vault://in/values#/x", dir + ": yaml", dir + ": yaml"}, v.asked); diff != "" {
		t.Errorf("a file or reference was asked for twice, or not in one batch: %q\n%s", v.asked, diff)
	}
	for i, part := range map[int]string{2: "the secrets file", 4: "matches 2 files", 5: "no key fits"} {
		if _, err := s.ValuesOf(ctx, s.Releases[i]); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %v, want %q", s.Releases[i].ID, err, part)
		}
	}
	if got, err := s.ValuesOf(ctx, s.Releases[3]); err != nil || got["a"] != 1.0 {
		t.Errorf("a tolerated file: %v, %v", got, err)
	}
}

func TestKeysAreLookedForInTheFolderOfTheState(t *testing.T) {
	v := &vault{}
	plugins := t.TempDir()
	for name, text := range map[string]string{
		"s/plugin.yaml": "name: secrets\nversion: 4.7.4\nruntimeConfig: {platformCommand: [{command: \"${HELM_PLUGIN_DIR}/run.sh\"}]}\n",
		"s/run.sh":      "#!/bin/sh\necho \"dir: $(basename \"$(pwd)\")\"\n",
	} {
		if err := os.MkdirAll(filepath.Join(plugins, "s"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(plugins, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := mustLoad(t, map[string]string{
		"helmfile.yaml":     "helmfiles: [sub/helmfile.yaml]\n",
		"sub/helmfile.yaml": "environments: {default: {secrets: [deep/env.yaml]}}\n---\nreleases:\n- {name: r, chart: c, secrets: [deep/s.yaml, deep/rot.yaml, {sops: {mac: x}, plain: \"i: 1\"}]}\n- {name: inline, chart: c, secrets: [{rot: 1}]}\n",
		"sub/deep/env.yaml": sops("e: env-secret\n"), "sub/deep/s.yaml": sops("a: file-secret\n"), "sub/deep/rot.yaml": "rot\n",
	}, LoadOptions{Secrets: v, LookupEnv: func(name string) (string, bool) { return plugins, name == "HELM_PLUGINS" }})
	got, err := s.ValuesOf(context.Background(), s.Releases[0])
	if err != nil || got["dir"] != "sub" {
		t.Errorf("the plugin gave %v, %v", got, err)
	}
	if got, err := s.ValuesOf(context.Background(), s.Releases[1]); err != nil || got["dir"] != "sub" {
		t.Errorf("for an inline map the plugin gave %v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"sub: yaml", "sub: yaml", "sub: yaml"}, v.asked); diff != "" {
		t.Errorf("the helper was asked in (-want +got)\n%s", diff)
	}
}

func TestReferencesOfSetsAreResolvedLate(t *testing.T) {
	v := &vault{}
	s := mustLoad(t, map[string]string{"helmfile.yaml": `
releases:
- name: r
  chart: c
  set: [{name: a, value: "ref+vault://x1"}, {name: l, values: ["ref+vault://x2", "p,q"]}, {name: p, value: plain}]
  setString: [{name: b, value: "x-ref+vault://x1+-y"}]
- {name: plain, chart: c, set: [{name: p, value: plain}]}
`}, LoadOptions{Secrets: v})
	if len(v.asked) > 0 {
		t.Errorf("loading asked for %q", v.asked)
	}
	set, err := s.SetOf(context.Background(), s.Releases[0])
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range set {
		got = append(got, fmt.Sprint(x.Kind, " ", x.Name, "=", x.Value))
	}
	want := []string{"set a=secret of vault://x1", `set l={secret of vault://x2,p\,q}`, "set p=plain", "set-string b=x-secret of vault://x1-y"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if s.Releases[0].Set[0].Value != "ref+vault://x1" {
		t.Error("the release holds the secret")
	}
	v.err = errors.New("the helper is gone")
	if set, err := s.SetOf(context.Background(), s.Releases[1]); err != nil || len(set) != 1 {
		t.Errorf("a release without references: %v, %v", set, err)
	}
}

func TestReferencesThatRunProgramsAreRefused(t *testing.T) {
	v := &vault{}
	s := mustLoad(t, map[string]string{"helmfile.yaml": "releases: []\n"}, LoadOptions{Secrets: v, NoExec: true})
	for _, ref := range []string{"ref+exec://echo/x", "ref+EXEC://echo/x", "ref+Keychain://item", "ref+vault://ref+Exec://echo/x/+y"} {
		if got, err := s.ResolveRefs(context.Background(), "", ref); err == nil || !strings.Contains(err.Error(), "no programs may be started") {
			t.Errorf("%s: got %v, %v", ref, got, err)
		}
	}
	if got, err := s.ResolveRefs(context.Background(), "", "ref+VAULT://x1"); got != "secret of VAULT://x1" || err != nil || v.execs {
		t.Errorf("got %v, %v; the helper was told that programs may be started: %t", got, err, v.execs)
	}
	s = mustLoad(t, map[string]string{"helmfile.yaml": "releases: []\n"}, LoadOptions{Secrets: v})
	if _, err := s.ResolveRefs(context.Background(), "", "ref+exec://echo/x"); err != nil || !v.execs {
		t.Errorf("without --no-exec: %v", err)
	}
}

func TestReferencesToTheCluster(t *testing.T) {
	var read []ClusterObject
	opts := LoadOptions{
		ClusterData: func(_ context.Context, from ClusterObject) (map[string]string, error) {
			read = append(read, from)
			return map[string]string{"password": "hunter2"}, nil
		},
		LookupEnv: func(name string) (string, bool) { return "fromenv", name == "VALS_KUBECONTEXT" },
	}
	tests := []struct {
		ref  string
		want any
		err  string
	}{
		{"ref+k8s://v1/Secret/ns/name/password", "hunter2", ""},
		{"ref+k8s://v1/Secret/ns/name?kubeContext=ctx#/password", "hunter2", ""},
		{"ref+k8s://v1/ConfigMap/ns/name", `{"password":"hunter2"}`, ""},
		{"ref+k8s://v1/Secret/ns/name#/none", nil, ""},
		{"ref+k8s://v1/Secret/ns/name/none", nil, `there is no key "none" in it`},
		{"ref+k8s://v1/Pod/ns/name/x", nil, "the kind Pod is unknown"},
		{"ref+k8s://apps/v1/Secret/ns/name", nil, "expected k8s://v1/KIND/NAMESPACE/NAME/KEY"},
		{"ref+k8s://v1/Secret/ns/name/password?inCluster", nil, "flotilla-secrets"},
	}
	s := mustLoad(t, map[string]string{"helmfile.yaml": "releases: []\n"}, opts)
	for _, tt := range tests {
		got, err := s.ResolveRefs(context.Background(), "", tt.ref)
		if tt.err == "" && (err != nil || got != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: got %v, %v; want %v, %q", tt.ref, got, err, tt.want, tt.err)
		}
	}
	want := []ClusterObject{{"fromenv", "Secret", "ns", "name"}, {"ctx", "Secret", "ns", "name"}, {"fromenv", "ConfigMap", "ns", "name"}}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("objects are not read once each (-want +got)\n%s", diff)
	}
}

func TestReferencesWithoutHelperTellWhereAndHow(t *testing.T) {
	s := mustLoad(t, map[string]string{"helmfile.yaml": "releases:\n- name: r\n  chart: c\n  values: [{a: ref+vault://x1, b: ref+vault://x2}]\n"}, LoadOptions{})
	_, err := s.ValuesOf(context.Background(), s.Releases[0])
	text := fmt.Sprint(err)
	for _, want := range []string{"helmfile.yaml:4:12: values: a: resolving ref+vault://x1: this needs the program flotilla-secrets", "go install", "b: resolving ref+vault://x2: this needs flotilla-secrets, which is not there"} {
		if !strings.Contains(text, want) {
			t.Errorf("the error does not say %q: %s", want, text)
		}
	}
}

func TestTemplatesFetchSecretsFromTheFolderOfTheirState(t *testing.T) {
	v := &vault{}
	files := map[string]string{
		"helmfile.yaml":            "helmfiles: [sub/helmfile.yaml.gotmpl]\n",
		"sub/helmfile.yaml.gotmpl": "releases:\n- {name: '{{ fetchSecretValue \"ref+file://n.yaml#/a\" }}', chart: c, values: [deep/v.yaml.gotmpl]}\n",
		"sub/n.yaml":               "a: fromfile\n",
		"sub/deep/v.yaml.gotmpl":   "{{ expandSecretRefs (dict \"x\" \"ref+file://n.yaml#/a\" \"y\" (list \"ref+sops://s.yaml\")) | toYaml }}\n",
	}
	s := mustLoad(t, files, LoadOptions{Secrets: v})
	if s.Releases[0].ID.Name != "fromfile" {
		t.Errorf("the release is named %q", s.Releases[0].ID.Name)
	}
	got, err := s.ValuesOf(context.Background(), s.Releases[0])
	if diff := cmp.Diff(m{"x": "fromfile", "y": []any{"secret of sops://s.yaml"}}, m(got)); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if diff := cmp.Diff([]string{"sub: sops://s.yaml"}, v.asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
	out, err := s.RenderText(context.Background(), s.Files[0], `{{ fetchSecretValue "ref+file://n.yaml#/a" }}`, nil)
	if out != "fromfile" || err != nil {
		t.Errorf("a text of a hook: %q, %v", out, err)
	}
}

func TestStrictnessAboutMissingKeys(t *testing.T) {
	state := map[string]string{"helmfile.yaml": "releases: [{name: r, chart: c, values: [{a: ref+file://n.yaml#/none}]}]\n", "n.yaml": "a: 1\n"}
	var warned []string
	s := mustLoad(t, state, LoadOptions{Warn: func(w string) { warned = append(warned, w) }})
	got, err := s.ValuesOf(context.Background(), s.Releases[0])
	if err != nil || got["a"] != nil || len(warned) != 1 || !strings.Contains(warned[0], "ref+file://n.yaml#/none stands for null") {
		t.Errorf("got %v, %v, warnings %q", got, err, warned)
	}
	s = mustLoad(t, state, LoadOptions{LookupEnv: func(name string) (string, bool) { return "true", name == failOnMissing }})
	if _, err := s.ValuesOf(context.Background(), s.Releases[0]); err == nil || !strings.Contains(err.Error(), "no value found for key none") {
		t.Errorf("error %v", err)
	}
}

func TestThePluginDecryptsWhatSopsDidNot(t *testing.T) {
	plugins := t.TempDir()
	for name, text := range map[string]string{
		"plugin.yaml": "name: secrets\nversion: 4.7.4\nruntimeConfig: {platformCommand: [{command: \"${HELM_PLUGIN_DIR}/run.sh\"}]}\n",
		"run.sh":      "#!/bin/sh\necho run >>" + plugins + "/log\nsed 's/^rot //' \"$2\"\n",
	} {
		if err := os.MkdirAll(filepath.Join(plugins, "s"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(plugins, "s", name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	state := map[string]string{
		"helmfile.yaml": "releases:\n- {name: r, chart: c, secrets: [p.yaml]}\n- {name: again, chart: c, secrets: [p.yaml]}\n- {name: sops, chart: c, secrets: [s.yaml]}\n- {name: inline, chart: c, secrets: [{rot a: 2}]}\n",
		"p.yaml":        "rot a: plugin-secret\n", "s.yaml": sops("a: sops-secret\n"),
	}
	env := func(name string) (string, bool) { return plugins, name == "HELM_PLUGINS" }
	ctx := context.Background()
	tests := []struct {
		name    string
		opts    LoadOptions
		release int
		want    any // of the key a; nil: an error
		runs    int // of the plugin, in all
	}{
		{"a file", LoadOptions{Secrets: &vault{}}, 0, "plugin-secret", 1},
		{"sops goes to the helper", LoadOptions{Secrets: &vault{}}, 2, "sops-secret", 1},
		{"an inline map", LoadOptions{Secrets: &vault{}}, 3, 2.0, 2},
		{"--no-exec refuses the plugin", LoadOptions{Secrets: &vault{}, NoExec: true}, 0, nil, 2},
		{"--no-exec allows the helper", LoadOptions{Secrets: &vault{}, NoExec: true}, 2, "sops-secret", 2},
		{"--no-exec without a helper", LoadOptions{NoExec: true}, 2, nil, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opts.LookupEnv = env
			s := mustLoad(t, state, tt.opts)
			got, err := s.ValuesOf(ctx, s.Releases[tt.release])
			if (err != nil) != (tt.want == nil) || got["a"] != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
			if tt.release == 0 {
				if _, err := s.ValuesOf(ctx, s.Releases[1]); (err != nil) != (tt.want == nil) {
					t.Error(err)
				}
			}
			log, err := os.ReadFile(filepath.Join(plugins, "log"))
			if err != nil || bytes.Count(log, []byte("\n")) != tt.runs {
				t.Errorf("the plugin ran %d times, want %d (%v)", bytes.Count(log, []byte("\n")), tt.runs, err)
			}
		})
	}
}

func TestRedactor(t *testing.T) {
	var r Redactor
	if got := r.Redact("hunter2"); got != "hunter2" {
		t.Errorf("a redactor that knows nothing makes %q", got)
	}
	r.add(m{"a": "hunter2", "l": []any{"hunter2 and more", `say "hi" & go`, 4711, 1234567.0}, "short": "abc", "flag": true, "word": "true", "pem": "-----BEGIN-----\nQUJDREVG\n-----END-----\n"})
	for in, want := range map[string]string{
		"x hunter2 y":                  "x (masked) y",
		"hunter2 and more":             "(masked)",
		"aHVudGVyMg==":                 "(masked)",
		`{"a":"say \"hi\" \u0026 go"}`: `{"a":"(masked)"}`,
		"?q=say+%22hi%22+%26+go":       "?q=(masked)",
		"port 4711, 1234567":           "port (masked), (masked)",
		"abc is true":                  "abc is true",
		"  QUJDREVG\n":                 "  (masked)\n",
		"-----BEGIN-----":              "-----BEGIN-----",
	} {
		if got := r.Redact(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	r.add("later")
	if got := r.Redact("sooner or later"); got != "sooner or (masked)" {
		t.Errorf("a secret that came later: %q", got)
	}
}
