package origin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// layer reads a text as a layer of that kind, in a file of that name.
func layer(t *testing.T, kind Kind, file, text string) Layer {
	t.Helper()
	v, places, err := Read([]byte(text), file)
	if err != nil {
		t.Fatal(err)
	}
	return Layer{Kind: kind, Listed: schema.Pos{File: "helmfile.yaml", Line: 1}, Values: v, Places: places}
}

// sources merges layers of the user by the rule of rendering, over defaults
// that need no nulls removed.
func sources(layers ...Layer) Sources {
	user, all := map[string]any{}, map[string]any{}
	for _, l := range layers {
		if l.User() {
			user = values.Helm(user, l.Values)
		}
		all = values.Helm(all, l.Values)
	}
	return Sources{Layers: layers, User: user, Final: all}
}

// told prints values as one line each: path, value, place; what they override.
func told(s Sources, found []Value) string {
	var b strings.Builder
	say := func(from Source) string {
		secret := ""
		if from.Secret {
			secret = " secret"
		}
		return fmt.Sprintf("%v %s:%d %s%s", from.Value, from.Pos.File, from.Pos.Line, s.Layers[from.Layer].Kind, secret)
	}
	for _, v := range found {
		fmt.Fprintf(&b, "%s:", v.Path)
		if v.Deleted {
			b.WriteString(" deleted")
		}
		if v.From == nil {
			b.WriteString(" unknown")
		} else {
			b.WriteString(" " + say(*v.From))
		}
		for _, o := range v.Overrides {
			b.WriteString(" < " + say(o))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestExplain(t *testing.T) {
	chart := func(text string) Layer { return layer(t, KindChart, "chart", text) }
	one := func(text string) Layer { return layer(t, KindValues, "one", text) }
	two := func(text string) Layer { return layer(t, KindValues, "two", text) }
	set := func(text string) Layer {
		l := layer(t, KindSet, "", text)
		l.Places = nil
		return l
	}
	tests := []struct {
		name    string
		sources Sources
		path    string
		want    string
	}{
		{
			name:    "the highest layer that says a value wins, and tells what it overrides",
			sources: sources(chart("a: 1\nb: 2\n"), one("a: 3\n"), two("\na: 4\n")),
			want:    "a: 4 two:2 values < 3 one:1 values < 1 chart:1 chart\nb: 2 chart:2 chart\n",
		},
		{
			name:    "a set stands where it is listed",
			sources: sources(one("a: {b: 1}\n"), set("a: {b: 2}\n")),
			want:    "a.b: 2 helmfile.yaml:1 set < 1 one:1 values\n",
		},
		{
			name:    "a path tells what is below it and nothing else",
			sources: sources(one("a:\n  b: 1\n  c:\n    d: 2\nab: 3\n")),
			path:    "a",
			want:    "a.b: 1 one:2 values\na.c.d: 2 one:4 values\n",
		},
		{
			name:    "a list is one value of the layer that says it",
			sources: sources(one("l:\n- 1\n- 2\n"), two("l: [3]\n")),
			want:    "l: [3] two:1 values < [1 2] one:1 values\n",
		},
		{
			name:    "an element of a list stands in its own line",
			sources: sources(one("hosts:\n- host: a\n- host: b\n  paths:\n  - /\n")),
			path:    "hosts[1].host",
			want:    "hosts[1].host: b one:3 values\n",
		},
		{
			name: "a list of which a set changes an element is told by elements",
			sources: Sources{
				Layers: []Layer{one("hosts:\n- host: a\n- host: b\n"), set("hosts: [null, {host: c}]\n")},
				User:   map[string]any{"hosts": []any{map[string]any{"host": "a"}, map[string]any{"host": "c"}}},
				Final:  map[string]any{"hosts": []any{map[string]any{"host": "a"}, map[string]any{"host": "c"}}},
			},
			want: "hosts[0].host: a one:2 values\nhosts[1].host: c helmfile.yaml:1 set < b one:3 values\n",
		},
		{
			name: "a null deletes a default and tells which",
			sources: Sources{
				Layers: []Layer{chart("a:\n  b: 1\n  c: 2\n"), one("a:\n  b: null\n")},
				User:   map[string]any{"a": map[string]any{"b": nil}},
				Final:  map[string]any{"a": map[string]any{"c": 2}},
			},
			want: "a.b: deleted <nil> one:2 values < 1 chart:2 chart\na.c: 2 chart:3 chart\n",
		},
		{
			name:    "what a null of the user took away is nobody's, though it is equal to a default",
			sources: Sources{Layers: []Layer{chart("a: {x: 1}\n"), one("a: {x: 1}\n"), two("a: null\n"), layer(t, KindValues, "three", "a: {z: 2}\n")}, User: map[string]any{"a": map[string]any{"z": 2}}, Final: map[string]any{"a": map[string]any{"x": 1, "z": 2}}},
			want:    "a.x: 1 chart:1 chart\na.z: 2 three:1 values\n",
		},
		{
			name:    "a null that took nothing away is not told",
			sources: Sources{Layers: []Layer{one("a: null\nb: 1\n")}, User: map[string]any{"a": nil, "b": 1}, Final: map[string]any{"b": 1}},
			want:    "b: 1 one:2 values\n",
		},
		{
			name:    "a value that no layer says is unknown",
			sources: Sources{Layers: []Layer{one("a: 1\n")}, Final: map[string]any{"b": 2}},
			want:    "b: unknown\n",
		},
		{
			name:    "an empty map is a value",
			sources: sources(one("a: {}\n")),
			want:    "a: map[] one:1 values\n",
		},
		{
			name: "defaults of a subchart stand below its name, under those of its parent",
			sources: Sources{
				Layers: []Layer{{Kind: KindSubchart, Prefix: Keys("db"), Values: map[string]any{"size": 1, "user": "u"}}, chart("db: {size: 2}\n")},
				Final:  map[string]any{"db": map[string]any{"size": 2, "user": "u"}},
			},
			want: "db.size: 2 chart:1 chart < 1 :0 subchart\ndb.user: u :0 subchart\n",
		},
		{
			name: "a global of a subchart is that of its parent, which wins",
			sources: Sources{
				Layers: []Layer{{Kind: KindSubchart, Prefix: Keys("db"), Values: map[string]any{"global": map[string]any{"r": "sub"}}}, chart("global: {r: top}\n")},
				Links:  []Link{{From: Keys("global"), To: Keys("db", "global"), Over: true}},
				Final:  map[string]any{"global": map[string]any{"r": "top"}, "db": map[string]any{"global": map[string]any{"r": "top"}}},
			},
			want: "db.global.r: top chart:1 chart < sub :0 subchart\nglobal.r: top chart:1 chart\n",
		},
		{
			name: "an imported value is below the parent's own",
			sources: Sources{
				Layers: []Layer{{Kind: KindSubchart, Prefix: Keys("db"), Values: map[string]any{"exports": map[string]any{"x": map[string]any{"a": 1, "b": 2}}}}, chart("a: 3\n")},
				Links:  []Link{{From: Keys("db", "exports", "x"), To: nil}},
				Final:  map[string]any{"a": 3, "b": 2},
			},
			want: "a: 3 chart:1 chart < 1 :0 subchart\nb: 2 :0 subchart\n",
		},
		{
			name:    "links that lead back to where they started end",
			sources: Sources{Layers: []Layer{one("a: 1\n")}, Links: []Link{{From: Keys("a"), To: Keys("b")}, {From: Keys("b"), To: Keys("a")}}, User: map[string]any{"a": 1}, Final: map[string]any{"a": 1, "b": 1}},
			want:    "a: 1 one:1 values\nb: 1 one:1 values\n",
		},
		{
			name:    "a reference is secret, and so is a map that a reference stands for",
			sources: Sources{Layers: []Layer{one("a: ref+echo://x\nb:\n  ref+echo://m: {}\n  c: 1\nd: 1\n")}, User: map[string]any{"a": "ref+echo://x", "b": map[string]any{"c": 1.0, "ref+echo://m": map[string]any{}}, "d": 1.0}, Final: map[string]any{"a": "ref+echo://x", "b": map[string]any{"c": 1.0, "ref+echo://m": map[string]any{}}, "d": 1.0}},
			want:    "a: ref+echo://x one:1 values secret\nb.c: 1 one:4 values\nb.ref+echo://m: map[] one:3 values\nd: 1 one:5 values\n",
		},
		{
			name:    "of several documents the later one says it",
			sources: sources(one("a: 1\nb: {c: 1, d: 1}\n---\nb: {c: 2}\n")),
			want:    "a: 1 one:1 values\nb.c: 2 one:4 values\nb.d: 1 one:2 values\n",
		},
		{
			name:    "an anchor stands where it is used, a merged map where it is written",
			sources: sources(one("x: &x\n  a: 1\nw: *x\nz:\n  <<: *x\n  b: 2\n")),
			want:    "w.a: 1 one:2 values\nx.a: 1 one:2 values\nz.a: 1 one:2 values\nz.b: 2 one:6 values\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path, err := ParsePath(tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, told(tt.sources, tt.sources.Explain(path))); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestASecretLayerSaysSecretsOnly(t *testing.T) {
	l := layer(t, KindSecrets, "secrets", "a: x\n")
	l.Secret = true
	s := sources(layer(t, KindValues, "one", "a: z\n"), l)
	want := "a: x secrets:1 secrets secret < z one:1 values\n"
	if d := cmp.Diff(want, told(s, s.Explain(nil))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestFind(t *testing.T) {
	layers := []Layer{
		layer(t, KindValues, "one", "a: 1\nb: 1\n"), layer(t, KindValues, "two", "a: 2\n"),
	}
	tests := []struct {
		name  string
		path  Path
		value any
		want  string
	}{
		{"the highest layer that says the value", Keys("a"), 2.0, "two"},
		{"a lower one that says it, when the higher says something else", Keys("a"), int64(1), "one"},
		{"the highest that says anything, when none says it", Keys("a"), 3.0, "two"},
		{"the only one", Keys("b"), 1.0, "one"},
		{"nobody", Keys("c"), 1.0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Find(layers, tt.path, tt.value)
			if got.Pos.File != tt.want || ok != (tt.want != "") {
				t.Errorf("%+v, %v", got, ok)
			}
		})
	}
}

func TestNumbersAreEqualWhateverReadThem(t *testing.T) {
	same := [][2]any{{1, 1.0}, {int64(3), 3}, {uint64(3), 3.0}, {[]any{1}, []any{1.0}}, {map[string]any{"a": 1}, map[string]any{"a": 1.0}}, {nil, nil}, {"x", "x"}}
	for _, p := range same {
		if !Equal(p[0], p[1]) {
			t.Errorf("%v and %v", p[0], p[1])
		}
	}
	other := [][2]any{{1, "1"}, {1, true}, {nil, ""}, {nil, map[string]any{}}, {[]any{}, []any{1}}, {map[string]any{"a": 1}, map[string]any{"b": 1}}, {0, nil}}
	for _, p := range other {
		if Equal(p[0], p[1]) {
			t.Errorf("%v and %v are taken for equal", p[0], p[1])
		}
	}
}
