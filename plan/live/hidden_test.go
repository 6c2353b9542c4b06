package live

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/spec"
)

func TestSecretsAreMaskedInAllStatesOfAField(t *testing.T) {
	cm := func(v string) string {
		if v == "" {
			return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {other: z}\n"
		}
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: %q, other: z}\n", v)
	}
	args := func(v string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i, args: [--dsn, %q]}]}\n", v)
	}
	const met = `met"canary`
	tests := []struct {
		name                 string
		stored, wanted, live string
		want                 string // fields; empty: none
	}{
		{"the stored one is known", cm(met), cm(met), cm("live-canary"), `.data.k: "(masked)" -> "(masked)"`},
		{"the stored one is known, and the live one is short", cm(met), cm(met), cm("x"), `.data.k: "(masked)" -> "(masked)"`},
		{"the wanted one is known alone", cm("old-canary"), cm(met), cm("live-canary"), `.data.k: "(masked)" -> "(masked)"`},
		{"the live one is known alone", cm("old-canary"), cm("old-canary"), cm(met), `.data.k: "(masked)" -> "(masked)"`},
		{"the wanted one is known, and the live one is gone", cm("old-canary"), cm(met), cm(""), `.data.k: "(masked)" -> `},
		{"with other text around", cm("u:old-canary@h"), cm("u:" + met + "@h"), cm("hand-old-canary"), `.data.k: "u:(masked)@h" -> "(masked)"`},
		{
			"in one of many lines", cm("a=1\npw=old-canary\n"), cm("a=1\npw=" + met + "\n"), cm("a=2\npw=live-canary\n"),
			`.data.k: "a=1\npw=(masked)\n" -> "a=2\npw=(masked)\n"`,
		},
		{"in an element of a list", args("old-canary"), args(met), args("live-canary"), `.spec.containers[name=c].args[1]: "(masked)" -> "(masked)"`},
		{"none is known", cm("one"), cm("two"), cm("three"), `.data.k: "one" -> "three"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := input(t, tt.stored, tt.wanted, tt.live)
			in.Diff.Redact = strings.NewReplacer(met, spec.Masked).Replace
			r, err := Compare(in)
			if err != nil {
				t.Fatal(err)
			}
			if got := fieldsOf(r); got != tt.want+"\n" {
				t.Errorf("got %s", got)
			}
			all := fmt.Sprintf("%+v %+v %+v", r.Changes, r.Drift, r.Seen)
			if strings.Contains(all, "canary") {
				t.Errorf("a secret is shown or kept: %s", all)
			}
		})
	}
}

func TestWhatMovedTellsNoSecret(t *testing.T) {
	cm := func(v string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: %q}\n", v)
	}
	compared := func(live string, known bool) Result {
		in := input(t, cm("old-canary"), cm("met-canary"), cm(live))
		if known {
			in.Diff.Redact = strings.NewReplacer("met-canary", spec.Masked).Replace
		}
		r, err := Compare(in)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	tests := []struct {
		name    string
		was, is Result
		want    string
	}{
		{"the same value", compared("live-canary", true), compared("live-canary", true), "[]"},
		{"the same value, that was no secret when planned", compared("live-canary", false), compared("live-canary", true), "[]"},
		{"the same value, that is no secret any more", compared("live-canary", true), compared("live-canary", false), "[]"},
		{"another value", compared("live-canary", true), compared("edited-canary", true), "[object ns/ConfigMap/a field data.k: it has another value than when planned]"},
		{"another value, of which only this run knows that it is secret", compared("live-canary", false), compared("edited-canary", true), "[object ns/ConfigMap/a field data.k: it has another value than when planned]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := fmt.Sprint(tt.is.Moved(tt.was.Seen)); got != tt.want {
				t.Errorf("got %s", got)
			}
		})
	}
}
