package spec

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSecretsOfWhatIsDeployedAreKnownWithoutResolvingThem(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"plain.yaml":       "db: {host: canary-host, secretRef: ref+vault://x#/y}\n",
		"sops.yaml":        "tls: {cert: ENC[x]}\nlist: [{a: ENC[y]}]\nsops: {mac: x}\n",
		"rotated.yaml":     "!! not YAML at all {{{",
		"some.yaml.gotmpl": "fromTemplate: {{ .Values.x }}\n",
		"refs.yaml.gotmpl": "fromTemplate: ref+vault://{{ .Values.x }}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := func(name string) ValuesSource { return ValuesSource{Path: filepath.Join(dir, name)} }
	encrypted := func(name string) ValuesSource { return ValuesSource{Path: filepath.Join(dir, name), Secret: true} }
	inline := func(v map[string]any) ValuesSource { return ValuesSource{Inline: v} }
	type object = map[string]any
	tests := []struct {
		name     string
		values   []ValuesSource
		set      []SetValue
		deployed object
		masked   bool
	}{
		{"a plain value", []ValuesSource{inline(object{"a": "canary"})}, nil, object{"a": "canary"}, false},
		{"a reference", []ValuesSource{inline(object{"a": "ref+vault://x"})}, nil, object{"a": "canary"}, true},
		{"a reference inside of a text", []ValuesSource{inline(object{"a": "db://ref+vault://x+@h"})}, nil, object{"a": "canary"}, true},
		{"a reference in a list", []ValuesSource{inline(object{"a": []any{"x", "ref+vault://x"}})}, nil, object{"a": []any{"x", "canary"}}, true},
		{"a reference for a whole map", []ValuesSource{inline(object{"a": "ref+vault://x"})}, nil, object{"a": object{"b": "canary"}}, true},
		{"a reference in a file", []ValuesSource{file("plain.yaml")}, nil, object{"db": object{"secretRef": "canary"}}, true},
		{"a plain value in a file", []ValuesSource{file("plain.yaml")}, nil, object{"db": object{"host": "canary"}}, false},
		{"a value of a file of SOPS", []ValuesSource{encrypted("sops.yaml")}, nil, object{"tls": object{"cert": "canary"}}, true},
		{"a value of a list in a file of SOPS", []ValuesSource{encrypted("sops.yaml")}, nil, object{"list": []any{object{"a": "canary"}}}, true},
		{"a plain value beside a file of SOPS", []ValuesSource{encrypted("sops.yaml"), inline(object{"a": "canary"})}, nil, object{"a": "canary"}, false},
		{"a value that nothing states, beside an encrypted file", []ValuesSource{encrypted("rotated.yaml")}, nil, object{"a": "canary"}, true},
		{"a stated value beside an encrypted file", []ValuesSource{encrypted("rotated.yaml"), inline(object{"a": "canary"})}, nil, object{"a": "canary"}, false},
		{"a value that nothing states, beside a template with references", []ValuesSource{file("refs.yaml.gotmpl")}, nil, object{"fromTemplate": "canary"}, true},
		{"a value that nothing states, beside a template without", []ValuesSource{file("some.yaml.gotmpl")}, nil, object{"fromTemplate": "canary"}, false},
		{"a file that is not there", []ValuesSource{file("none.yaml")}, nil, object{"a": "canary"}, true},
		{"a remote file", []ValuesSource{{Path: "https://h/values.yaml"}}, nil, object{"a": "canary"}, true},
		{"a set with a reference", nil, []SetValue{{Name: "a.b[0]", Value: "ref+vault://x"}}, object{"a": object{"b": []any{"canary"}}}, true},
		{"a plain set", nil, []SetValue{{Name: "a", Value: "canary"}}, object{"a": "canary"}, false},
		{"a name of secrets", []ValuesSource{inline(object{"password": "canary"})}, nil, object{"password": "canary"}, true},
		{"an element that is named as secrets are", []ValuesSource{inline(object{"env": []any{}})}, nil, object{"env": []any{object{"name": "DB_PASSWORD", "value": "canary"}}}, true},
		{"an element with another name", []ValuesSource{inline(object{"env": []any{object{"name": "A", "value": "canary"}}})}, nil, object{"env": []any{object{"name": "A", "value": "canary"}}}, false},
		{"a text with a password", []ValuesSource{inline(object{"a": "x"})}, nil, object{"a": "db://u:canary@h"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			met := &Redactor{}
			s := &Spec{loaded: &loaded{loader: &loader{secrets: &secretStore{met: met}}}}
			s.LearnDeployed(Release{Values: tt.values, Set: tt.set}, tt.deployed)
			text := "canary"
			if tt.name == "a text with a password" {
				text = "db://u:canary@h"
			}
			if got := met.Redact(text) == Masked; got != tt.masked {
				t.Errorf("masked: %v, want %v; known are %q", got, tt.masked, met.Known())
			}
		})
	}
}
