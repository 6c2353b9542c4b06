package view

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
)

func changed(path, before, after string) plan.Cause {
	return plan.Cause{Kind: plan.CauseValue, Subject: path, Op: diff.OpChange, Before: before, After: after}
}

func TestTheLineThatSaysWhyAReleaseChanges(t *testing.T) {
	located := changed("image.tag", "1.0", "1.1")
	located.From = plan.ValueOrigin{Pos: spec.Pos{File: "values/prod.yaml", Line: 12, Col: 3}, Layer: "values"}
	flag := changed("replicas", "2", "3")
	flag.From = plan.ValueOrigin{Layer: "--set"}
	chart := plan.Cause{Kind: plan.CauseChart, Subject: "web", Op: diff.OpChange, Before: "1.2.0", After: "1.3.0"}
	image := func(name, after string) plan.Cause {
		return plan.Cause{Kind: plan.CauseImage, Subject: name, Op: diff.OpChange, Before: "r/web:1.0", After: after}
	}
	tests := []struct {
		name   string
		causes []plan.Cause
		want   string
	}{
		{"nothing", nil, ""},
		{"chart and values, with places", []plan.Cause{chart, located, flag}, "chart web 1.2.0 -> 1.3.0; image.tag 1.0 -> 1.1 (values/prod.yaml:12); replicas 2 -> 3 (--set)"},
		{"an image that a value says is left out", []plan.Cause{located, image("Deployment/web main", "r/web:1.1")}, "image.tag 1.0 -> 1.1 (values/prod.yaml:12)"},
		{"an image that no value says", []plan.Cause{chart, image("Deployment/web main", "r/web:1.1")}, "chart web 1.2.0 -> 1.3.0; Deployment/web main image r/web:1.0 -> r/web:1.1"},
		{
			"values and images beyond three are counted",
			[]plan.Cause{changed("a", "1", "2"), changed("b", "1", "2"), changed("c", "1", "2"), changed("d", "1", "2"), {Kind: plan.CauseValues, Count: 5}, image("a", "x"), image("b", "x"), image("c", "x"), image("d", "x")},
			"a 1 -> 2; b 1 -> 2; c 1 -> 2; a image r/web:1.0 -> x; b image r/web:1.0 -> x; c image r/web:1.0 -> x; 6 more values; 1 more image",
		},
		{"what a terminal would obey", []plan.Cause{changed("a", "x", "\x1b[31m\n")}, "a x -> \\u001b[31m\\u000a"},
		{"a value that comes", []plan.Cause{{Kind: plan.CauseValue, Subject: "a", Op: diff.OpAdd, After: "1"}}, "a added: 1"},
		{"a value that goes", []plan.Cause{{Kind: plan.CauseValue, Subject: "a", Op: diff.OpRemove, Before: "1"}}, "a removed, was 1"},
		{"a masked value that changes", []plan.Cause{changed("a", spec.Masked, spec.Masked)}, "a changed"},
		{"a masked value that comes", []plan.Cause{{Kind: plan.CauseValue, Subject: "a", Op: diff.OpAdd, After: spec.Masked}}, "a added"},
		{"a masked value that goes", []plan.Cause{{Kind: plan.CauseValue, Subject: "a", Op: diff.OpRemove, Before: spec.Masked}}, "a removed"},
		{"other files of the same version", []plan.Cause{{Kind: plan.CauseContent, Subject: "web"}}, "chart web has other files under the same version"},
		{"templates", []plan.Cause{{Kind: plan.CauseTemplates}}, "same chart version and values: templates, patches, post-renderer or what they look up changed"},
		{"random content", []plan.Cause{{Kind: plan.CauseRandom}}, "same chart version and values: the chart renders something random each time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := because(tt.causes); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestExplanationAsATable(t *testing.T) {
	at := func(file string, line int, layer string) ValueOrigin {
		return ValueOrigin{File: file, Line: line, Layer: layer}
	}
	chart := ValueOrigin{File: "charts/web/values.yaml", Line: 9, Layer: "chart", Chart: "web 1.2.0"}
	global := ValueOrigin{File: "v.yaml", Line: 2, Layer: "values", Template: "app", Path: "global.zone"}
	flag := ValueOrigin{Layer: "--set"}
	one := at("values/prod.yaml", 12, "values")
	e := Explanation{
		Release: spec.ReleaseID{Namespace: "shop", Name: "web"}, Chart: "web-1.2.0", Environment: "prod",
		Values: []ExplainedValue{
			{Path: "db.global.zone", Value: "eu", From: &global},
			{Path: "image.tag", Value: "1.10", From: &one, Overrides: []Overridden{{"latest", chart}}},
			{Path: "gone", Deleted: true, From: &one, Overrides: []Overridden{{map[string]any{"a": 1}, chart}}},
			{Path: "list", Value: []any{"a", 1, true}, From: &flag},
			{Path: "made", Value: nil},
			{Path: "text", Value: "two\nlines", From: &one},
			{Path: "zzz", Value: "a text that is much too long to be shown as a whole", From: &one},
		},
	}
	var out bytes.Buffer
	if err := Explain(&out, e); err != nil {
		t.Fatal(err)
	}
	want := `shop/web, chart web-1.2.0, environment prod

PATH            VALUE                                             FROM                      LAYER
db.global.zone  eu                                                v.yaml:2                  values, template app, as global.zone
image.tag       "1.10"                                            values/prod.yaml:12       values
  overrides     latest                                            charts/web/values.yaml:9  chart web 1.2.0
gone            (deleted)                                         values/prod.yaml:12       values
  overrides     {"a":1}                                           charts/web/values.yaml:9  chart web 1.2.0
list            ["a",1,true]                                                                --set
made            null                                                                        made by Helm
text            "two\nlines"                                      values/prod.yaml:12       values
zzz             a text that is much too long to be shown as a...  values/prod.yaml:12       values
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestExplanationAsJSON(t *testing.T) {
	from := ValueOrigin{File: "v.yaml", Line: 2, Column: 3, Layer: "values"}
	text, err := json.Marshal(Explanation{Release: spec.ReleaseID{Name: "web"}, Chart: "web-1.2.0", Environment: "default", Values: []ExplainedValue{
		{Path: "a", Value: 1, From: &from, Overrides: []Overridden{{2, ValueOrigin{Layer: "chart", Chart: "web 1.2.0"}}}},
	}})
	want := `{"type":"explanation","schema":"flotilla/v1","release":{"name":"web"},"chart":"web-1.2.0","environment":"default","values":[{"path":"a","value":1,"from":{"file":"v.yaml","line":2,"column":3,"layer":"values"},"overrides":[{"value":2,"layer":"chart","chart":"web 1.2.0"}]}]}`
	if d := cmp.Diff(want, string(text)); d != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, d)
	}
}

func TestAPlanInJSONHasItsCauses(t *testing.T) {
	var out bytes.Buffer
	v, err := New(FormatJSON, Streams{Out: &out, Err: &out}, func() time.Time { return time.Time{} })
	if err != nil {
		t.Fatal(err)
	}
	cause := changed("a", "1", "2")
	cause.From = plan.ValueOrigin{Pos: spec.Pos{File: "v.yaml", Line: 2}, Layer: "values"}
	v.Plan(&plan.Plan{Steps: []plan.Step{{Action: plan.ActionUpgrade, Reason: plan.ReasonChanged, Causes: []plan.Cause{cause}}}}, PlanOptions{})
	want := `"causes":[{"kind":"value","subject":"a","op":"change","before":"1","after":"2","file":"v.yaml","line":2,"layer":"values"}]`
	if !bytes.Contains(out.Bytes(), []byte(want)) {
		t.Errorf("%s\nhas no %s", out.String(), want)
	}
}
