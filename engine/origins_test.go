package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// layered makes layers of values in which every scalar is there once, so that a
// final value tells which layer it is from: its text is file:key...
type layered struct {
	r     *rand.Rand
	files map[string]string // texts, by the name that values in them begin with
	count int
}

var keys = []string{"a", "b", "c", "global", "db", "exports"}

// tree makes values. Below the names of charts, and of what Helm takes for maps,
// there are only maps.
func (l *layered) tree(file string, depth int) map[string]any {
	out := map[string]any{}
	for _, key := range keys {
		if l.r.IntN(3) == 0 {
			continue
		}
		if key == "global" || key == "db" || key == "exports" {
			if depth > 0 {
				out[key] = l.tree(file, depth-1)
			}
			continue
		}
		out[key] = l.value(file, depth)
	}
	return out
}

func (l *layered) value(file string, depth int) any {
	switch n := l.r.IntN(10); {
	case n == 0:
		return nil
	case n == 1:
		return []any{l.scalar(file), map[string]any{"a": l.scalar(file)}}
	case n <= 4 && depth > 0:
		return l.tree(file, depth-1)
	default:
		return l.scalar(file)
	}
}

func (l *layered) scalar(file string) string {
	l.count++
	return fmt.Sprintf("%s:%d", file, l.count)
}

func (l *layered) text(t *testing.T, file string, values map[string]any) string {
	t.Helper()
	text, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	l.files[file] = string(text)
	return string(text)
}

// umbrella is a chart with a subchart under an alias, which has one itself, and
// from which it imports; every chart prints its values.
func (l *layered) umbrella(t *testing.T) string {
	const dump = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata:\n  values: {{ toJson .Values | quote }}\n"
	exports := map[string]any{"exports": map[string]any{"top": map[string]any{"a": l.scalar("sub"), "imported": l.scalar("sub")}}}
	sub := values.Helm(l.tree("sub", 3), exports)
	return writeChart(t, map[string]string{
		"Chart.yaml":                                "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- {name: database, alias: db, version: '*', import-values: [top, {child: b, parent: fromb}]}\n",
		"values.yaml":                               l.text(t, "top", l.tree("top", 4)),
		"templates/v.yaml":                          fmt.Sprintf(dump, "top"),
		"charts/database/Chart.yaml":                "apiVersion: v2\nname: database\nversion: 1.0.0\n",
		"charts/database/values.yaml":               l.text(t, "sub", sub),
		"charts/database/templates/v.yaml":          fmt.Sprintf(dump, "sub"),
		"charts/database/charts/c/Chart.yaml":       "apiVersion: v2\nname: c\nversion: 1.0.0\n",
		"charts/database/charts/c/values.yaml":      l.text(t, "subsub", l.tree("subsub", 2)),
		"charts/database/charts/c/templates/v.yaml": fmt.Sprintf(dump, "subsub"),
	})
}

// user makes files and sets.
func (l *layered) user(t *testing.T) (merged map[string]any, layers []origin.Layer, sets []spec.SetValue) {
	merged = map[string]any{}
	for i := range l.r.IntN(4) {
		file := fmt.Sprintf("user%d", i)
		v, places, err := origin.Read([]byte(l.text(t, file, l.tree(file, 4))), file)
		if err != nil {
			t.Fatal(err)
		}
		merged = values.Helm(merged, v)
		layers = append(layers, origin.Layer{Kind: origin.KindValues, Values: v, Places: places})
	}
	for range l.r.IntN(4) {
		name := []string{"a", "global.a", "db.b", "db.global.c", "db.c.a", "fromb.a", "b.a.c"}[l.r.IntN(7)]
		value := l.scalar("set")
		if l.r.IntN(5) == 0 {
			value = "null"
		}
		sets = append(sets, spec.SetValue{Kind: spec.SetTyped, Name: name, Value: value})
		layers = append(layers, origin.Layer{Kind: origin.KindSet})
	}
	return merged, layers, sets
}

// TestWhatIsExplainedIsWhatTemplatesSee renders charts with generated layers and
// holds what every value is explained with against what the templates print.
func TestWhatIsExplainedIsWhatTemplatesSee(t *testing.T) {
	e := offline(t)
	told := map[origin.Kind]int{}
	deleted := 0
	for seed := range uint64(150) {
		l := &layered{r: rand.New(rand.NewPCG(seed, 3)), files: map[string]string{}}
		r := releaseOf(l.umbrella(t), "web")
		merged, layers, sets := l.user(t)
		r.Set = sets
		in := RenderInput{Release: r, Values: merged, Offline: true}
		rev, err := e.Render(context.Background(), in)
		if err != nil {
			if strings.Contains(err.Error(), "type mismatch") || strings.Contains(err.Error(), "interface conversion") {
				continue // a set put a scalar where a subchart's values go
			}
			t.Fatalf("seed %d: %v", seed, err)
		}
		found, err := e.Explain(context.Background(), in, layers)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if d := cmp.Diff(printedValues(t, rev.Stream), asJSON(t, found.Final)); d != "" {
			t.Fatalf("seed %d: final values (-templates +explained)\n%s", seed, d)
		}
		for _, v := range found.Explain(nil) {
			if v.Deleted {
				deleted++
				if _, there := origin.Lookup(found.Final, v.Path); there {
					t.Errorf("seed %d: %s is told as deleted and is there", seed, v.Path)
				}
				continue
			}
			told[l.check(t, seed, found, v)]++
		}
	}
	for _, kind := range []origin.Kind{origin.KindChart, origin.KindSubchart, origin.KindValues, origin.KindSet} {
		if told[kind] < 50 {
			t.Errorf("only %d values came from %s: the test generates too little", told[kind], kind)
		}
	}
	if deleted < 50 {
		t.Errorf("only %d values were deleted: the test generates too little", deleted)
	}
}

// check holds one value against the texts: the layer that is named is the one
// that the value's own text names, and the line that is named holds it.
func (l *layered) check(t *testing.T, seed uint64, found *Origins, v origin.Value) origin.Kind {
	t.Helper()
	final, there := origin.Lookup(found.Final, v.Path)
	if !there || !origin.Equal(final, v.Value) {
		t.Fatalf("seed %d: %s is explained as %v and is %v", seed, v.Path, v.Value, final)
	}
	if v.From == nil {
		if m, isMap := v.Value.(map[string]any); !isMap || len(m) > 0 {
			t.Errorf("seed %d: nobody says %s: %v", seed, v.Path, v.Value)
		}
		return ""
	}
	if !origin.Equal(v.From.Value, v.Value) {
		t.Errorf("seed %d: %s is %v, but %+v is said to say it", seed, v.Path, v.Value, v.From)
	}
	layer := found.Layers[v.From.Layer]
	text, isText := v.Value.(string)
	if !isText {
		return layer.Kind
	}
	file, _, _ := strings.Cut(text, ":")
	if layer.Kind == origin.KindSet {
		if file != "set" {
			t.Errorf("seed %d: %s is %s, said to be from a set", seed, v.Path, text)
		}
		return layer.Kind
	}
	lines := strings.Split(l.files[file], "\n")
	if n := v.From.Pos.Line; n < 1 || n > len(lines) || !strings.Contains(lines[n-1], text) {
		t.Errorf("seed %d: %s is %s, said to be in line %d of\n%s", seed, v.Path, text, n, l.files[file])
	}
	return layer.Kind
}

// printedValues puts together what the charts printed: a subchart's values stand
// below its name.
func printedValues(t *testing.T, stream []byte) any {
	t.Helper()
	printed := map[string]any{}
	for doc := range strings.SplitSeq(string(stream), "---\n") {
		var o struct {
			Metadata struct{ Name string }
			Data     struct{ Values string }
		}
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		if o.Metadata.Name == "" {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(o.Data.Values), &v); err != nil {
			t.Fatal(err)
		}
		printed[o.Metadata.Name] = v
	}
	top, _ := printed["top"].(map[string]any)
	if d := cmp.Diff(printed["sub"], top["db"]); d != "" {
		t.Fatalf("the subchart sees other values (-sub +top)\n%s", d)
	}
	return top
}

func asJSON(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExplainNamesTheFilesOfAChart(t *testing.T) {
	dir := writeChart(t, map[string]string{
		"Chart.yaml":               "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- {name: db, version: '*', condition: db.enabled}\n- {name: spare, version: '*', condition: spare.enabled}\n",
		"values.yaml":              "a: 1\nspare: {enabled: false}\n",
		"charts/db/Chart.yaml":     "apiVersion: v2\nname: db\nversion: 2.0.0\n",
		"charts/db/values.yaml":    "\nsize: 1\n",
		"charts/spare/Chart.yaml":  "apiVersion: v2\nname: spare\nversion: 3.0.0\n",
		"charts/spare/values.yaml": "x: 1\n",
		"values.schema.json":       `{"type": "object", "properties": {"a": {"type": "string"}}}`,
	})
	found, err := offline(t).Explain(context.Background(), RenderInput{Release: releaseOf(dir, "web"), Offline: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range found.Explain(nil) {
		from := "nobody"
		if v.From != nil {
			l := found.Layers[v.From.Layer]
			from = fmt.Sprintf("%s:%d %s %s", v.From.Pos.File, v.From.Pos.Line, l.Kind, l.Chart)
		}
		got = append(got, v.Path.String()+" "+from)
	}
	want := []string{
		"a " + filepath.Join(dir, "values.yaml") + ":1 chart top 1.0.0",
		"db.size " + filepath.Join(dir, "charts", "db", "values.yaml") + ":2 subchart db 2.0.0",
		"spare.enabled " + filepath.Join(dir, "values.yaml") + ":2 chart top 1.0.0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("a chart that is switched off has no defaults, and a schema keeps nobody from looking (-want +got)\n%s", d)
	}
}

func TestExplainTellsOfSetsThatCannotBeRead(t *testing.T) {
	r := releaseOf(createdChart(t), "web")
	r.Set = []spec.SetValue{{Kind: spec.SetTyped, Name: "a[x]", Value: "x", Pos: spec.Pos{File: "helmfile.yaml", Line: 7}}}
	_, err := offline(t).Explain(context.Background(), RenderInput{Release: r, Offline: true}, []origin.Layer{{Kind: origin.KindSet}})
	if err == nil || !strings.Contains(err.Error(), "helmfile.yaml:7: set: setting a[x]") || !strings.Contains(err.Error(), "explaining") {
		t.Errorf("error %v", err)
	}
}

func TestSetLayersAreThoseAtTheEnd(t *testing.T) {
	layers := []origin.Layer{{Kind: origin.KindValues, Values: map[string]any{"v": 1}}, {}, {}}
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := SetLayers(layers, []spec.SetValue{{Kind: spec.SetTyped, Name: "a.b", Value: "1"}, {Kind: spec.SetFile, Name: "l[1]", Value: file}})
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	for _, l := range layers {
		got = append(got, l.Values)
	}
	want := []map[string]any{{"v": 1}, {"a": map[string]any{"b": int64(1)}}, {"l": []any{nil, "from a file"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
