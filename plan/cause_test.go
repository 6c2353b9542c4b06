package plan

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// causesText prints causes, one a line.
func causesText(causes []Cause) string {
	var b strings.Builder
	for _, c := range causes {
		fmt.Fprintf(&b, "%s %s %s %q %q", c.Kind, c.Op, c.Subject, c.Before, c.After)
		if c.Count > 0 {
			fmt.Fprintf(&b, " x%d", c.Count)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// upgrade gives the causes of an upgrade between two revisions.
func upgrade(t *testing.T, before, after *state.Revision, options diff.Options) []Cause {
	t.Helper()
	in := input("web:")
	have := *before
	have.Number, have.Status = 1, state.StatusDeployed
	in.Have[id("web")] = state.Release{ID: id("web"), Phase: state.PhaseDeployed, History: []state.Revision{have}}
	in.Want[id("web")], in.Policy.Diff = after, options
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	return p.Steps[0].Causes
}

type object = map[string]any

func TestCausesOfAnUpgrade(t *testing.T) {
	made := func(version, data string, values object) *state.Revision {
		r := revision("web", data)
		r.Chart.Version, r.Values = version, values
		return r
	}
	tests := []struct {
		name          string
		before, after *state.Revision
		want          string
	}{
		{"nothing, where nothing changes", made("1.0.0", "x", nil), made("1.0.0", "x", nil), ""},
		{"nothing, where values change that no object shows: nothing is upgraded", made("1.0.0", "x", object{"a": 1}), made("1.0.0", "x", object{"a": 2}), ""},
		{"another version of the chart", made("1.0.0", "x", nil), made("1.1.0", "y", nil), `chart change web "1.0.0" "1.1.0"` + "\n"},
		{
			"another chart", made("1.0.0", "x", nil),
			&state.Revision{Chart: state.Chart{Name: "site", Version: "1.0.0"}, Stream: made("", "y", nil).Stream},
			`chart change site "web 1.0.0" "site 1.0.0"` + "\n",
		},
		{"templates, where chart and values are the same", made("1.0.0", "x", object{"a": 1.0}), made("1.0.0", "y", object{"a": int64(1)}), `templates change  "" ""` + "\n"},
		{
			"values by their paths, in order",
			made("1.0.0", "x", object{"image": object{"tag": "1"}, "gone": true, "same": 1, "text": ""}),
			made("1.0.0", "y", object{"image": object{"tag": "2"}, "new": 3, "same": 1, "text": "a\nb"}),
			"value remove gone \"true\" \"\"\nvalue change image.tag \"1\" \"2\"\nvalue add new \"\" \"3\"\nvalue change text \"\\\"\\\"\" \"a b\"\n",
		},
		{
			"the values in a map that comes or goes",
			made("1.0.0", "x", object{"old": object{"a": 1, "b": object{"c": 2}}}),
			made("1.0.0", "y", object{"new": object{"d.e": 1}, "empty": object{}}),
			"value add empty \"\" \"{}\"\nvalue add new.\"d.e\" \"\" \"1\"\nvalue remove old.a \"1\" \"\"\nvalue remove old.b.c \"2\" \"\"\n",
		},
		{
			"elements of a list, and lists whose length changes",
			made("1.0.0", "x", object{"hosts": []any{object{"host": "a"}, object{"host": "b"}}, "l": []any{1}}),
			made("1.0.0", "y", object{"hosts": []any{object{"host": "a"}, object{"host": "c"}}, "l": []any{1, 2}}),
			"value change hosts[1].host \"b\" \"c\"\nvalue change l \"[1]\" \"[1,2]\"\n",
		},
		{
			"a null, which is no missing value",
			made("1.0.0", "x", object{"a": nil, "b": 1}), made("1.0.0", "y", object{"b": nil}),
			"value remove a \"null\" \"\"\nvalue change b \"1\" \"null\"\n",
		},
		{
			"long values are cut", made("1.0.0", "x", object{"a": "x"}), made("1.0.0", "y", object{"a": strings.Repeat("y", 99)}),
			`value change a "x" "` + strings.Repeat("y", 57) + `..."` + "\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, causesText(upgrade(t, tt.before, tt.after, diff.Options{}))); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestCausesNameTenValuesAndCountTheRest(t *testing.T) {
	before, after := revision("web", "x"), revision("web", "y")
	before.Values, after.Values = object{}, object{}
	for i := range 25 {
		after.Values[fmt.Sprintf("k%02d", i)] = i
	}
	got := upgrade(t, before, after, diff.Options{})
	if len(got) != 11 || got[9].Subject != "k09" || got[10].Kind != CauseValues || got[10].Count != 15 {
		t.Errorf("%s", causesText(got))
	}
}

func TestCausesAreThoseOfStepsThatUpgrade(t *testing.T) {
	in := input("new:\n-gone:\n")
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Steps {
		if len(s.Causes) > 0 {
			t.Errorf("%s of %s has causes %v", s.Action, s.Release.ID, s.Causes)
		}
	}
}

func TestCausesShowNoSecret(t *testing.T) {
	secret := func(data string) string {
		return "---\nkind: Secret\napiVersion: v1\nmetadata:\n  name: s\ndata:\n  k: " + base64.StdEncoding.EncodeToString([]byte(data)) + "\n"
	}
	met := func(text string) string { return strings.ReplaceAll(text, "met-before", spec.Masked) }
	tests := []struct {
		name          string
		path          string
		before, after string
		objects       [2]string // what is in a Secret of each revision
		masked        bool
	}{
		{"a plain value", "tag", "one", "two", [2]string{}, false},
		{"one that this run knows", "tag", "old", "met-before", [2]string{}, true},
		{"one that holds what this run knows", "url", "old", "https://u:met-before@h", [2]string{}, true},
		{"one that is called like a secret", "db.adminPassword", "old", "new", [2]string{}, true},
		{"one below something that is called so", "credentials.file", "old", "new", [2]string{}, true},
		{"one that only names a Secret", "db.secretName", "old", "new", [2]string{}, false},
		{"one that only names one that exists", "auth.existingSecret", "old", "new", [2]string{}, false},
		{"an old one that went into a Secret", "x", "hunter2", "new", [2]string{"hunter2", "new2"}, true},
		{"a new one that goes into a Secret", "x", "old", "hunter2", [2]string{"old2", "hunter2"}, true},
		{"one that is part of a text in a Secret", "x", "correct-horse", "battery", [2]string{"pw: correct-horse\n", ""}, true},
		{"a short one that is by chance part of a text in a Secret", "x", "info", "warn", [2]string{"level: info, and more", ""}, false},
		{"one that holds what is in a Secret", "x", "amqp://u:correct-horse@h", "none", [2]string{"correct-horse", ""}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, after := revision("web", "x"), revision("web", "y")
			for i, r := range []*state.Revision{before, after} {
				if tt.objects[i] != "" {
					r.Stream = append(r.Stream, secret(tt.objects[i])...)
				}
				value := any([]string{tt.before, tt.after}[i])
				keys := strings.Split(tt.path, ".")
				for j := len(keys) - 1; j >= 0; j-- {
					value = object{keys[j]: value}
				}
				r.Values, _ = value.(object)
			}
			want := Cause{Kind: CauseValue, Op: diff.OpChange, Subject: tt.path, Before: tt.before, After: tt.after}
			if tt.masked {
				want.Before, want.After = spec.Masked, spec.Masked
			}
			if d := cmp.Diff([]Cause{want}, upgrade(t, before, after, diff.Options{Redact: met})); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			shown := Cause{Kind: CauseValue, Op: diff.OpChange, Subject: tt.path, Before: tt.before, After: tt.after}
			if d := cmp.Diff([]Cause{shown}, upgrade(t, before, after, diff.Options{Redact: met, ShowSecrets: true})); d != "" {
				t.Errorf("with ShowSecrets (-want +got)\n%s", d)
			}
		})
	}
}

func TestCausesShowNoSecretWhereverItWent(t *testing.T) {
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	secret := "kind: Secret\napiVersion: v1\nmetadata: {name: s}\n"
	tests := []struct {
		name     string
		values   func(canary string) object
		manifest func(canary string) string
		hook     bool
		want     string // the cause; empty: masked as a whole
	}{
		{"into a Secret that is a hook", func(c string) object { return object{"x": c} }, func(c string) string { return secret + "stringData: {x: " + c + "}\n" }, true, ""},
		{
			"into a Secret in a List", func(c string) object { return object{"x": c} },
			func(c string) string {
				return "kind: List\napiVersion: v1\nitems: [{kind: Secret, apiVersion: v1, metadata: {name: s}, stringData: {x: " + c + "}}]\n"
			}, false, "",
		},
		{
			"into a SecretList whose items name no kind", func(c string) object { return object{"x": c} },
			func(c string) string {
				return "kind: SecretList\napiVersion: v1\nitems: [{metadata: {name: s}, stringData: {x: " + c + "}}]\n"
			}, false, "",
		},
		{"already in base64", func(c string) object { return object{"x": encoded(c)} }, func(c string) string { return secret + "data: {x: " + encoded(c) + "}\n" }, false, ""},
		{"in base64, of which the Secret has the text", func(c string) object { return object{"x": encoded(c)} }, func(c string) string { return secret + "stringData: {x: " + c + "}\n" }, false, ""},
		{"into a Secret with a number in its data", func(c string) object { return object{"x": c} }, func(c string) string { return secret + "stringData: {n: 5432, x: " + c + "}\n" }, false, ""},
		{"into a Secret in the wrong field", func(c string) object { return object{"x": c} }, func(c string) string { return secret + "dat: {x: " + c + "}\n" }, false, ""},
		{"below pwd", func(c string) object { return object{"auth": object{"pwd": c}} }, nil, false, ""},
		{"below tls.key", func(c string) object { return object{"tls": object{"key": c}} }, nil, false, ""},
		{"in a URL", func(c string) object { return object{"x": "postgres://u:" + c + "@h"} }, nil, false, ""},
		{"in a text that assigns it", func(c string) object { return object{"x": "host=h\npassword=" + c} }, nil, false, ""},
		{
			"in a list whose length changes", func(c string) object {
				l := []any{object{"name": "a", "password": c}}
				if strings.HasSuffix(c, "2") {
					l = append(l, object{"name": "b", "password": c})
				}
				return object{"users": l}
			}, nil, false,
			`value change users "[{\"name\":\"a\",\"password\":\"(masked)\"}]" "[{\"name\":\"a\",\"password\":\"(masked)\"},{\"name\":\"b\",\"password..."` + "\n",
		},
		{"in JSON in a text", func(c string) object { return object{"x": `{"user":"a","password":"` + c + `"}`} }, nil, false, ""},
		{
			"in a list, into a Secret", func(c string) object { return object{"x": []any{strings.Repeat("v", len(c)%2+1), c}[len(c)%2:]} },
			func(c string) string { return secret + "stringData: {x: " + c + "}\n" }, false, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, after := revision("web", "x"), revision("web", "y")
			for i, r := range []*state.Revision{before, after} {
				canary := fmt.Sprintf("canary-%d", i+1)
				r.Values = tt.values(canary)
				switch {
				case tt.manifest == nil:
				case tt.hook:
					r.Hooks = []state.Hook{{Path: "h.yaml", Manifest: tt.manifest(canary)}}
				default:
					r.Stream = append(r.Stream, "---\n"+tt.manifest(canary)...)
				}
			}
			got := causesText(upgrade(t, before, after, diff.Options{}))
			for _, leak := range []string{"canary", encoded("canary-1"), encoded("canary-2")} {
				if strings.Contains(got, leak) {
					t.Errorf("a secret is shown: %s", got)
				}
			}
			if tt.want != "" && got != tt.want || tt.want == "" && !strings.HasSuffix(got, " \"(masked)\" \"(masked)\"\n") {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestCausesNameTheContainersWhoseImageChanges(t *testing.T) {
	pods := func(main, side string) *state.Revision {
		r := revision("web", "x")
		r.Stream = []byte("---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      initContainers:\n      - {name: init, image: same}\n      containers:\n      - {name: main, image: 'r/web:" + main + "'}\n      - {name: side, image: '" + side + "'}\n" +
			"---\napiVersion: batch/v1\nkind: CronJob\nmetadata:\n  name: tidy\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n          - {name: main, image: 'r/web:" + main + "'}\n")
		return r
	}
	want := "image change CronJob/tidy main \"r/web:1\" \"r/web:2\"\nimage change Deployment/web main \"r/web:1\" \"r/web:2\"\nimage change Deployment/web side \"a\" \"b\"\ntemplates change  \"\" \"\"\n"
	if d := cmp.Diff(want, causesText(upgrade(t, pods("1", "a"), pods("2", "b"), diff.Options{}))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestCausesShowNoValueOfAListThatIsNamedAsSecretsAre(t *testing.T) {
	envs := func(names, values []string) *state.Revision {
		r := revision("web", strings.Join(values, "-"))
		var list []any
		for i := range names {
			list = append(list, object{"name": names[i], "value": values[i]})
		}
		r.Values = object{"envs": list}
		return r
	}
	tests := []struct {
		name          string
		before, after *state.Revision
		want          string // causes
	}{
		{
			"in place", envs([]string{"LEVEL", "DB_PASSWORD"}, []string{"info", "hunter1"}), envs([]string{"LEVEL", "DB_PASSWORD"}, []string{"warn", "hunter2"}),
			`envs[0].value info -> warn; envs[1].value ` + spec.Masked + " -> " + spec.Masked,
		},
		{
			"of a list that grows", envs([]string{"A"}, []string{"b"}), envs([]string{"A", "PW"}, []string{"b", "c"}),
			`envs [{"name":"A","value":"b"}] -> [{"name":"A","value":"b"},{"name":"PW","value":"` + spec.Masked + `"}]`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, c := range upgrade(t, tt.before, tt.after, diff.Options{}) {
				got = append(got, c.Subject+" "+c.Before+" -> "+c.After)
			}
			if got := strings.Join(got, "; "); got != tt.want {
				t.Errorf("causes\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
