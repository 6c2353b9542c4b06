package edit

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// pathTo reads a path of a test: a.b[0].c, a[name=x], and keys in quotes.
func pathTo(text string) Path {
	var p Path
	for rest := text; rest != ""; {
		switch {
		case rest[0] == '.':
			rest = rest[1:]
		case rest[0] == '"':
			end := strings.IndexByte(rest[1:], '"') + 1
			p, rest = p.With(Key(rest[1:end])), rest[end+1:]
		case rest[0] == '[':
			end := strings.IndexByte(rest, ']')
			inside := rest[1:end]
			if key, is, ok := strings.Cut(inside, "="); ok {
				p = p.With(Named(key, is))
			} else {
				i, _ := strconv.Atoi(inside)
				p = p.With(Index(i))
			}
			rest = rest[end+1:]
		default:
			end := strings.IndexAny(rest+".", ".[")
			p, rest = p.With(Key(rest[:end])), rest[end:]
		}
	}
	return p
}

// lineDiff tells the lines between the parts that two texts share.
func lineDiff(before, after string) string {
	a, b := slices.Collect(strings.Lines(before)), slices.Collect(strings.Lines(after))
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var out strings.Builder
	for i, lines := range [][]string{a, b} {
		for _, line := range lines {
			out.WriteString([]string{"-", "+"}[i] + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	return out.String()
}

// TestSet changes one value in files of many shapes: the lines that change are
// the ones that should, what is read there is the value, and the same change
// again changes nothing.
func TestSet(t *testing.T) {
	for _, tt := range shapes() {
		t.Run(tt.name, func(t *testing.T) {
			c := Change{Doc: tt.doc, Path: pathTo(tt.path), Value: tt.to, Along: tt.also}
			out, done, err := Set([]byte(tt.text), c)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, lineDiff(tt.text, string(out))); d != "" {
				t.Errorf("lines (-want +got):\n%s", d)
			}
			v, line, found, err := Value(out, tt.doc, c.Path)
			if f, ok := tt.to.(float64); ok && f == 5 {
				tt.to = 5
			}
			if err != nil || !found || !cmp.Equal(v, tt.to) {
				t.Errorf("read again: %v, %v, %v, want %v", v, found, err, tt.to)
			}
			if !done[0].Changed || done[0].Line != line && !strings.HasPrefix(tt.name, "a value below") && !strings.HasPrefix(tt.name, "an explicit") && !tt.also {
				t.Errorf("done: %+v, the value is in line %d", done[0], line)
			}
			again, done, err := Set(out, c)
			if err != nil || string(again) != string(out) || done[0].Changed {
				t.Errorf("the same again: %v, %+v\n%s", err, done, lineDiff(string(out), string(again)))
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	tests := []struct {
		name, text, path string
		to               any
		want             string
	}{
		{"a value that an anchor shares", "a:\n  tag: &v v1\nb:\n  tag: *v\n", "a.tag", "v2", "a.tag is shared through an anchor, and changing it in line 2 would change b.tag, too: give a.tag a value of its own, or change all of them"},
		{"a value below a merged map", "base: &b\n  image:\n    tag: v1\nweb:\n  <<: *b\napi:\n  <<: *b\n", "web.image.tag", "v2", "web.image.tag is shared through an anchor, and changing it in line 3 would change base.image.tag, api.image.tag, too: give web.image.tag a value of its own, or change all of them"},
		{"a key in a map that an alias names", "a: &m\n  x: 1\nb: *m\n", "b.tag", "v2", "b.tag is shared through an anchor, and changing it in line 3 would change a, too: give b.tag a value of its own, or change all of them"},
		{"a map where a single value is wanted", "image:\n  tag: v1\n", "image", "v2", "image: change it by hand: there is a map in line 1, and a single value is wanted"},
		{"a value where a map is wanted", "image: web:1\n", "image.tag", "v2", "image.tag: change it by hand: there is a single value in line 1, and a map is wanted"},
		{"an element that is not there", "l: [a]\n", "l[3]", "x", "l[3]: change it by hand: the list in line 1 has no such element"},
		{"an element that is there twice", "l:\n- name: a\n- name: a\n", "l[name=a].x", "x", "l[name=a].x: change it by hand: two elements of the list have name a, in lines 2 and 3"},
		{"a list for a value", "l: 1\n", "l", []any{1}, "l: change it by hand: a []interface {} is no single value"},
		{"a file that is no UTF-8", "a: \xff\n", "a", "x", "change it by hand: the file is no UTF-8"},
		{"a file with a mistake", "a: [\n", "a", "x", "line 2: bad YAML: did not find expected node content"},
		{"a key that is given twice", "a: 1\na: 2\n", "a", 3, "line 2: key \"a\" is given twice, first in line 1"},
		{"a document that is not there", "a: 1\n", "a", 3, "a: there is no document 4"},
		{"a key beside explicit ones", "? a\n: 1\n", "b", 3, "change it by hand: the value in line 1 has a form that cannot be edited safely"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Change{Path: pathTo(tt.path), Value: tt.to}
			if strings.HasPrefix(tt.name, "a document") {
				c.Doc = 4
			}
			out, _, err := Set([]byte(tt.text), c)
			if err == nil {
				t.Fatalf("no error, and:\n%s", out)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			var shared *SharedError
			if errors.As(err, &shared) != strings.Contains(tt.want, "is shared") {
				t.Errorf("%T is of the wrong type", err)
			}
		})
	}
}

func TestSetChangesSharedValuesTogether(t *testing.T) {
	text := "a:\n  tag: &v v1 # all\nb:\n  tag: *v\nc: {tag: *v}\n"
	var changes []Change
	for _, p := range []string{"a.tag", "b.tag", "c.tag"} {
		changes = append(changes, Change{Path: pathTo(p), Value: "v2"})
	}
	out, done, err := Set([]byte(text), changes...)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("-  tag: &v v1 # all\n+  tag: &v v2 # all\n", lineDiff(text, string(out))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Done{{Line: 2, Changed: true, Before: "v1", Also: []string{"b.tag", "c.tag"}}, {Line: 4, Before: "v2"}, {Line: 5, Before: "v2"}}, done); d != "" {
		t.Error(d)
	}
}

func TestSetTellsLinesOfTheTextThatCameOut(t *testing.T) {
	text := "z:\n  n: 1\na:\n  b: 1\n"
	out, done, err := Set([]byte(text),
		Change{Path: pathTo("a.b"), Value: 2},
		Change{Path: pathTo("z.m"), Value: 3},
		Change{Path: pathTo("z.n"), Value: 4})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("z:\n  n: 4\n  m: 3\na:\n  b: 2\n", string(out)); d != "" {
		t.Error(d)
	}
	var lines []int
	for _, d := range done {
		lines = append(lines, d.Line)
	}
	if d := cmp.Diff([]int{5, 3, 2}, lines); d != "" {
		t.Error(d)
	}
}

func TestPathAt(t *testing.T) {
	text := "bases: []\n---\nreleases:\n  - name: web\n    version: 1\n  - name: api\n"
	for _, tt := range []struct {
		line, col int
		doc       int
		want      string
	}{{4, 5, 1, "releases[0]"}, {6, 5, 1, "releases[1]"}, {5, 5, 1, "releases[0].version"}, {1, 1, 0, "bases"}, {9, 9, 0, ""}} {
		doc, path, ok, err := PathAt([]byte(text), tt.line, tt.col)
		if err != nil || path.String() != tt.want || ok != (tt.want != "") || doc != tt.doc {
			t.Errorf("%d:%d: %d %s %v %v, want %d %s", tt.line, tt.col, doc, path, ok, err, tt.doc, tt.want)
		}
	}
}

// FuzzSet makes a change in any text. What comes out has to be what another
// reader makes of the text, with that one value changed.
func FuzzSet(f *testing.F) {
	for _, s := range shapes() {
		if s.doc == 0 {
			f.Add(s.text, uint16(3), "v2 x")
		}
	}
	f.Fuzz(func(t *testing.T, text string, pick uint16, to string) {
		var before, after any
		if yaml.Unmarshal([]byte(text), &before) != nil {
			return
		}
		paths := leaves(before, nil)
		if len(paths) == 0 {
			return
		}
		path := paths[int(pick)%len(paths)]
		out, done, err := Set([]byte(text), Change{Path: path, Value: to})
		if err != nil || !done[0].Changed {
			return // it says so, and nothing was changed
		}
		if err := yaml.Unmarshal(out, &after); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		got := leafTexts(after)
		want := leafTexts(before)
		want[path.String()] = to
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q became %q:\n%s", text, out, d)
		}
		again, done, err := Set(out, Change{Path: path, Value: to})
		if err != nil || done[0].Changed || string(again) != string(out) {
			t.Errorf("the same again: %v %+v", err, done)
		}
	})
}

// leaves lists the paths of the values of maps that have keys of text, in order.
func leaves(v any, at Path) []Path {
	switch v := v.(type) {
	case map[string]any:
		var out []Path
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			out = append(out, leaves(v[k], at.With(Key(k)))...)
		}
		return out
	case []any:
		var out []Path
		for i, e := range v {
			out = append(out, leaves(e, at.With(Index(i)))...)
		}
		return out
	case map[any]any:
		return nil
	}
	if len(at) == 0 {
		return nil
	}
	return []Path{at}
}

func leafTexts(v any) map[string]any {
	out := map[string]any{}
	var walk func(v any, at Path)
	walk = func(v any, at Path) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(e, at.With(Key(k)))
			}
		case []any:
			for i, e := range v {
				walk(e, at.With(Index(i)))
			}
		default:
			out[at.String()] = v
		}
	}
	walk(v, nil)
	return out
}
