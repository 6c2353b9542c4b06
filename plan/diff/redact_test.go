package diff

import (
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/spec"
)

func hide(secrets ...string) Options {
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, spec.Masked)
	}
	return Options{Redact: strings.NewReplacer(pairs...).Replace}
}

func TestSecretsOfTheRunAreMaskedInEveryKind(t *testing.T) {
	head := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hunter2\n"
	env := func(pairs ...string) string {
		text := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: c\n    env:\n"
		for _, p := range pairs {
			name, value, _ := strings.Cut(p, "=")
			text += "    - name: " + name + "\n      value: " + value + "\n"
		}
		return text
	}
	tests := []struct {
		name          string
		before, after string
		opts          Options
		want          string
	}{
		{"what names an object stays", "", head + "data: {a: x-hunter2}\n", hide("hunter2"),
			"add ConfigMap/hunter2 hook=false\n+apiVersion: v1\n+data:\n+  a: x-(masked)\n+kind: ConfigMap\n+metadata:\n+  name: hunter2\n"},
		{"an old secret that nobody knows any more has the same text around it", head + "data: {a: 'pw=hunter1;'}\n", head + "data: {a: 'pw=hunter2;'}\n", hide("hunter2"),
			"change ConfigMap/hunter2 hook=false\n@\n data:\n-  a: pw=(masked, old);\n+  a: pw=(masked, new);\n kind: ConfigMap\n@\n"},
		{"a new value in the place of a known secret", head + "data: {a: hunter2}\n", head + "data: {a: hunter3}\n", hide("hunter2"),
			"change ConfigMap/hunter2 hook=false\n@\n data:\n-  a: (masked, old)\n+  a: (masked, new)\n kind: ConfigMap\n@\n"},
		{"lines beside a secret are shown", head + "data:\n  f: |\n    user: a\n    pass: hunter2\n", head + "data:\n  f: |\n    user: b\n    pass: hunter2\n", hide("hunter2"),
			"change ConfigMap/hunter2 hook=false\n@data\n   f: |\n-    user: a\n+    user: b\n     pass: (masked)\n@\n"},
		{"text that YAML escapes is found", head + "data: {a: x}\n", head + "data:\n  a: \"say \\\"hi\\\" \\u00e9\"\n", hide(`say "hi" é`),
			"change ConfigMap/hunter2 hook=false\n@\n data:\n-  a: (masked, old)\n+  a: (masked, new)\n kind: ConfigMap\n@\n"},
		{"a number", head + "data: {a: 1234567}\n", head + "data: {a: 7654321}\n", hide("7654321"),
			"change ConfigMap/hunter2 hook=false\n@\n data:\n-  a: (masked, old)\n+  a: (masked, new)\n kind: ConfigMap\n@\n"},
		{"a change that the mask would hide is still one", head + "data: {a: 1234567}\n", head + "data: {a: '1234567'}\n", hide("1234567"),
			"change ConfigMap/hunter2 hook=false\n@metadata\n   name: hunter2\n+# a masked value differs\n"},
		{"elements with names are compared by name", env("A=hunter1", "LEVEL=info"), env("LEVEL=debug", "A=hunter2"), hide("hunter2"),
			"change Pod/p hook=false\n@spec.containers\n   - env:\n-    - name: A\n-      value: (masked, old)\n     - name: LEVEL\n-      value: info\n+      value: debug\n+    - name: A\n+      value: (masked, new)\n     name: c\n"},
		{"--show-secrets shows all", "", head + "data: {a: hunter2}\n", Options{ShowSecrets: true, Redact: hide("hunter2").Redact},
			"add ConfigMap/hunter2 hook=false\n+apiVersion: v1\n+data:\n+  a: hunter2\n+kind: ConfigMap\n+metadata:\n+  name: hunter2\n"},
		{"a run without secrets masks nothing", head + "data: {a: x}\n", head + "data: {a: z}\n", hide("hunter9"),
			"change ConfigMap/hunter2 hook=false\n@\n data:\n-  a: x\n+  a: z\n kind: ConfigMap\n@\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := rev(tt.before)
			if tt.before == "" {
				before = nil
			}
			changes, err := Revisions(before, rev(tt.after), tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(changes); got != tt.want {
				t.Errorf("got:\n%swant:\n%s", got, tt.want)
			}
		})
	}
}
