package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built is where both programs are, side by side as users install them.
func built(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for from, name := range map[string]string{".": "flotilla-secrets", "../..": "flotilla"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "./"+map[string]string{".": "", "../..": "cmd/flotilla"}[from])
		cmd.Dir = from
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, out)
		}
	}
	return dir
}

const state = `environments:
  default:
    values: [{k: plain, only: plain}]
    secrets: [env-*.yaml]
---
releases:
- name: app
  namespace: n
  chart: ./chart
  values: [v.yaml, {k: '{{ .Values.k }}', only: '{{ .Values.only }}'}]
  secrets: [rel.yaml, rel.yaml.gotmpl]
  set: [{name: set, value: ref+sops://s.json#/deep/port}]
- name: other
  namespace: n
  chart: ./chart
  secrets: [rel.yaml, INLINE]
`

// project writes a state file with secrets of every kind.
func project(t *testing.T) string {
	t.Helper()
	key := ageKey(t)
	inline := string(encrypt(t, key, "i.json", `{"i": "inline-secret", "j": {"k": [1]}}`))
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "chart/templates"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"flotilla.yaml.gotmpl":    strings.NewReplacer("'", `"`, "INLINE", inline).Replace(state),
		"chart/Chart.yaml":        "apiVersion: v2\nname: chart\nversion: 0.1.0\n",
		"chart/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {{ omit .Values \"broken\" | toJson | quote }}\n{{ if .Values.broken }}{{ fail (print \"cannot use \" .Values.fromref) }}{{ end }}\n",
		"v.yaml":                  "fromref: ref+sops://s.json#/deep/password\nembedded: x-ref+sops://s.json#/deep/port+-y\n",
	} {
		write(t, dir, name, text)
	}
	for name, plain := range map[string]string{
		"env-1.yaml": "k: env-secret-one\n", "env-2.yaml": "k: env-secret-two\n",
		"rel.yaml": "r: release-secret\n", "s.json": `{"deep": {"password": "swordfish", "port": 54321}}`,
	} {
		write(t, dir, name, string(encrypt(t, key, name, plain)))
	}
	write(t, dir, "rel.yaml.gotmpl", string(encrypt(t, key, "rel.bin", "t: {{ .Release.Name }}-template-secret\n")))
	return dir
}

// run runs flotilla in a folder with a temporary folder of its own, which it
// must leave empty.
func run(t *testing.T, flotilla, dir string, env []string, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	temp := t.TempDir()
	cmd := exec.Command(flotilla, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "TMPDIR="+temp, "HELM_PLUGINS="+temp), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if left, _ := os.ReadDir(temp); len(left) > 0 {
		t.Errorf("%v left %v behind", args, left)
	}
	return out.String(), errs.String(), err == nil
}

// TestFlotilla drives both programs as users have them.
func TestFlotilla(t *testing.T) {
	bin := built(t)
	t.Run("one helper decrypts and fetches for the whole run", func(t *testing.T) { testFlotillaWithItsHelper(t, bin) })
	t.Run("what needs no secret starts no helper", func(t *testing.T) { testWhatNeedsNoSecretStartsNoHelper(t, bin) })
	t.Run("errors show no secret", func(t *testing.T) { testErrorsShowNoSecret(t, bin) })
	t.Run("--no-exec refuses references that run programs", func(t *testing.T) { testNoExecRefusesRefsThatRunPrograms(t, bin) })
}

func testFlotillaWithItsHelper(t *testing.T, bin string) {
	dir := project(t)
	flotilla := filepath.Join(bin, "flotilla")
	// A helper that notes how it was started.
	log := filepath.Join(t.TempDir(), "log")
	spy := filepath.Join(t.TempDir(), "spy")
	script := "#!/bin/sh\necho \"$#: $*\" >>" + log + "\ntr '\\0' ' ' </proc/$$/cmdline >>" + log + "\nexec " + filepath.Join(bin, "flotilla-secrets") + " \"$@\"\n"
	if err := os.WriteFile(spy, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)

	stdout, stderr, ok := run(t, flotilla, dir, []string{"FLOTILLA_SECRETS=" + spy}, "template")
	if !ok {
		t.Fatalf("template failed:\n%s", stderr)
	}
	for _, want := range []string{
		`"k\":\"env-secret-two\"`, `only\":\"plain\"`, `fromref\":\"swordfish\"`, `embedded\":\"x-54321-y\"`,
		`r\":\"release-secret\"`, `t\":\"app-template-secret\"`, `set\":54321`, `i\":\"inline-secret\"`,
	} {
		if !strings.Contains(stdout, strings.TrimPrefix(want, `"`)) {
			t.Errorf("the manifest has no %s:\n%s", want, stdout)
		}
	}
	started, err := os.ReadFile(log)
	if err != nil || strings.Count(string(started), "0: \n") != 1 || strings.Count(string(started), "\n") > 2 {
		t.Errorf("the helper was not started once without arguments: %q %v", started, err)
	}
	for _, plain := range []string{"swordfish", "54321", "secret-two", "release-secret", "inline-secret"} {
		if strings.Contains(stderr+string(started), plain) {
			t.Errorf("%q is on the error stream or on the command line: %s%s", plain, stderr, started)
		}
	}
	if after := files(t, dir); after != before {
		t.Errorf("the folder has other files than before:\n%s\n%s", before, after)
	}
}

func testWhatNeedsNoSecretStartsNoHelper(t *testing.T, bin string) {
	dir := project(t)
	write(t, dir, "flotilla.yaml.gotmpl", "releases:\n- {name: r, chart: ./chart, secrets: [rel.yaml], set: [{name: a, value: ref+vault://x#/y}]}\n")
	none := []string{"FLOTILLA_SECRETS=/no/such/helper"}
	if _, stderr, ok := run(t, filepath.Join(bin, "flotilla"), dir, none, "list"); !ok {
		t.Errorf("list wants the helper: %s", stderr)
	}
	_, stderr, ok := run(t, filepath.Join(bin, "flotilla"), dir, none, "template")
	for _, want := range []string{"flotilla.yaml.gotmpl:2:", "secrets: decrypting", "rel.yaml", "flotilla-secrets", "/no/such/helper"} {
		if ok || !strings.Contains(stderr, want) {
			t.Errorf("the error does not say %q: %s", want, stderr)
		}
	}
}

func testErrorsShowNoSecret(t *testing.T, bin string) {
	dir := project(t)
	for name, args := range map[string][]string{
		"a template that prints a secret": {"template", "--set", "broken=true"},
		"the same in a debug log":         {"template", "--debug", "--set", "broken=true"},
	} {
		stdout, stderr, ok := run(t, filepath.Join(bin, "flotilla"), dir, nil, args...)
		if ok || !strings.Contains(stderr, "cannot use (masked)") || strings.Contains(stdout+stderr, "swordfish") {
			t.Errorf("%s:\n%s%s", name, stdout, stderr)
		}
	}
}

func testNoExecRefusesRefsThatRunPrograms(t *testing.T, bin string) {
	dir := project(t)
	write(t, dir, "v.yaml", "a: ref+exec://echo/hello\n")
	flotilla := filepath.Join(bin, "flotilla")
	if stdout, stderr, ok := run(t, flotilla, dir, nil, "template"); !ok || !strings.Contains(stdout, `a\":\"hello\"`) {
		t.Errorf("ref+exec: %s%s", stdout, stderr)
	}
	_, stderr, ok := run(t, flotilla, dir, nil, "template", "--no-exec")
	if ok || !strings.Contains(stderr, "resolving ref+exec://echo/hello: no programs may be started") {
		t.Errorf("--no-exec: %s", stderr)
	}
	write(t, dir, "v.yaml", "a: 1\n")
	if _, stderr, ok := run(t, flotilla, dir, nil, "template", "--no-exec"); !ok {
		t.Errorf("--no-exec refuses sops: %s", stderr)
	}
}

// files lists a folder with the sizes of its files.
func files(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(e.Name() + " " + info.ModTime().String() + "\n")
	}
	return b.String()
}
