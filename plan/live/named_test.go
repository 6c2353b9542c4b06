package live

import (
	"fmt"
	"strings"
	"testing"
)

func TestWhatIsSetByHandAndCalledAsSecretsAreIsMasked(t *testing.T) {
	cm := func(key, v string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {%q: %q}\n", key, v)
	}
	pod := func(container string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [" + container + "]}\n"
	}
	env := func(name, v string) string {
		return pod(fmt.Sprintf("{name: token-service, image: i, env: [{name: %s, value: %q}]}", name, v))
	}
	tests := []struct{ name, stored, live, want string }{
		{"a key", cm("db.password", "x"), cm("db.password", "canary"), `.data["db.password"]: "(masked)" -> "(masked)"`},
		{"an environment variable", env("DB_PASSWORD", "x"), env("DB_PASSWORD", "canary"), `.spec.containers[name=token-service].env[name=DB_PASSWORD].value: "(masked)" -> "(masked)"`},
		{"another environment variable", env("A", "x"), env("A", "y"), `.spec.containers[name=token-service].env[name=A].value: "x" -> "y"`},
		{"an argument", pod("{name: c, image: i, args: [--password=x]}"), pod("{name: c, image: i, args: [--password=canary]}"), `.spec.containers[name=c].args[0]: "(masked)" -> "(masked)"`},
		{"a line of many", cm("k", "a: 1\npassword: x\n"), cm("k", "a: 2\npassword: canary\n"), `.data.k: "a: 1\n(masked)\n" -> "a: 2\n(masked)\n"`},
		{"the only line that differs", cm("k", "a: 1\npassword: x\n"), cm("k", "a: 1\npassword: canary\n"), `.data.k: "(masked)" -> "(masked)"`},
		{"a private key", cm("k", "x"), cm("k", "-----BEGIN RSA PRIVATE KEY-----\ncanary\n"), `.data.k: "x" -> "(masked)"`},
		{"a password in a URL", cm("k", "x"), cm("k", "db://u:canary@h/x"), `.data.k: "x" -> "(masked)"`},
		{"a switch", pod("{name: c, image: i, automountServiceAccountToken: true}"), pod("{name: c, image: i, automountServiceAccountToken: false}"), `.spec.containers[name=c].automountServiceAccountToken: true -> false`},
		{"a name of a secret", pod("{name: c, image: i, secretName: x}"), pod("{name: c, image: i, secretName: z}"), `.spec.containers[name=c].secretName: "x" -> "z"`},
		{"a text with markup", cm("k", "a && b"), cm("k", "a < b"), `.data.k: "a && b" -> "a < b"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(t, tt.stored, tt.stored, tt.live)
			in.Diff.Redact = func(text string) string { return text }
			r, err := Compare(in)
			if err != nil {
				t.Fatal(err)
			}
			got := fieldsOf(r)
			if got != tt.want+"\n" {
				t.Errorf("got %s", got)
			}
			if strings.Contains(got, "canary") {
				t.Errorf("a secret is shown: %s", got)
			}
		})
	}
}

func TestAnEnvironmentVariableThatIsAddedByHandIsMasked(t *testing.T) {
	for was, want := range map[string]string{
		`{"name":"API_TOKEN","value":"canary"}`: `{"name":"API_TOKEN","value":"(masked)"}`,
		`{"name":"A","value":"1"}`:              `{"name":"A","value":"1"}`,
		`{"auth":{"password":"canary","n":3}}`:  `{"auth":{"n":3,"password":"(masked)"}}`,
	} {
		if got := maskNamed(was, false); got != want {
			t.Errorf("%s: %s", was, got)
		}
	}
}

func TestWhatPutsBackAFieldThatIsCalledAsSecretsAreShowsNoValue(t *testing.T) {
	cm := func(v string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {password: %q, other: b}\n", v)
	}
	for name, values := range map[string][2]string{
		"a short text":      {"x", "canary"},
		"a text with lines": {"canary\nold\n", "canary\nnew\n"},
	} {
		in := input(t, cm(values[0]), cm(values[0]), cm(values[1]))
		in.Diff.Redact = func(text string) string { return text }
		found := Deviations(in, relID)
		if len(found) != 1 {
			t.Fatalf("%s: found %+v", name, found)
		}
		change, err := in.PutBack(found[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		if all := change.Before + change.After; strings.Contains(all, "canary") || !strings.Contains(all, "masked") || !strings.Contains(all, "other: b") {
			t.Errorf("%s:\n%s", name, all)
		}
	}
}
