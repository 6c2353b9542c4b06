package diff

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields(t *testing.T) {
	tests := []struct {
		name          string
		before, after string
		want          string
	}{
		{"a value", "spec: {replicas: 1}\n", "spec: {replicas: 2}\n", "spec.replicas value 0\n-1\n+2\n"},
		{"a value of another type", "a: 1\n", "a: \"1\"\n", "a type 0\n-1\n+\"1\"\n"},
		{"an element has the name that its list gives it", "containers: [{name: web, image: 'nginx:1.1'}, {name: b}]\n", "containers: [{name: web, image: 'nginx:1.2'}, {name: b}]\n",
			"containers.web.image value 0\n-nginx:1.1\n+nginx:1.2\n"},
		{"elements with another key", "ports: [{port: 80, to: a}]\n", "ports: [{port: 80, to: b}]\n", "ports.80.to value 0\n-a\n+b\n"},
		{"elements that come and go", "env: [{name: A, value: x}, {name: B}]\n", "env: [{name: B}, {name: C}, {name: D}]\n",
			"env removed 1\n-- name: A\n-  value: x\nenv added 2\n+- name: C\n+- name: D\n"},
		{"another order", "args: [a, b, c]\n", "args: [c, a, b]\n", "args order 0\n-a, b, c\n+c, a, b\n"},
		{"scalars come and go by their value", "args: [a, b]\n", "args: [b, c]\n", "args removed 1\n-- a\nargs added 1\n+- c\n"},
		{"elements without names go by their index", "l: [{a: [1]}, {a: [2]}, {b: 1}]\n", "l: [{a: [1]}, {a: [3]}]\n", "l.1.a removed 1\n-- 2\nl.1.a added 1\n+- 3\nl removed 1\n-- b: 1\n"},
		{"names that are not unique are none", "l: [{name: a, v: 1}, {name: a, v: 2}]\n", "l: [{name: a, v: 1}, {name: a, v: 3}]\n", "l.1.v value 0\n-2\n+3\n"},
		{"entries that come and go", "a: {x: 1, z: 2}\n", "a: {x: 1, w: {v: 3}}\n", "a removed 1\n-z: 2\na added 1\n+w:\n+  v: 3\n"},
		{"an entry of the object itself", "a: 1\n", "a: 1\nb: 2\n", " added 1\n+b: 2\n"},
		{"a text of several lines", "f: |\n  one\n  two\n  three\n  four\n", "f: |\n  one\n  two\n  3\n  four\n", "f text 0\n@\n two\n-three\n+3\n four\n"},
		{"a text that loses its last line end", "f: \"a\\nb\\n\"\n", "f: \"a\\nb\"\n", "f value 0\n-|\n-  a\n-  b\n+|-\n+  a\n+  b\n"},
		{"what a terminal would obey is escaped", "f: \"a\\nb\\e[2J\"\nl: [{name: \"\\e[1m\", v: 1}]\n", "f: \"a\\nc\\e[2J\"\nl: [{name: \"\\e[1m\", v: 2}]\n",
			"f value 0\n-\"a\\nb\\e[2J\"\n+\"a\\nc\\e[2J\"\nl.\"\\x1b[1m\".v value 0\n-1\n+2\n"},
		{"nothing", "a: 1\n", "a: 1\n", ""},
		{"what is no YAML", "a: [\n", "a: 1\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			for _, f := range (Item{before: tt.before, after: tt.after}).Fields(1) {
				fmt.Fprintf(&b, "%s %s %d\n", f.Path, f.Change, f.Count)
				for _, l := range f.Lines {
					fmt.Fprintf(&b, "%c%s\n", l.Kind, l.Text)
				}
			}
			if d := cmp.Diff(tt.want, b.String()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestMarks(t *testing.T) {
	tests := []struct {
		name          string
		before, after string
		want          string // marks in brackets
	}{
		{"a word", "image: nginx:1.1\n", "image: nginx:1.2\n", "-image: nginx:[1.1]\n+image: nginx:[1.2]\n"},
		{"several words", "say: one two three\n", "say: one 2 three four\n", "-say: one [two] three\n+say: one [2] three [four]\n"},
		{"words that only spaces part are one mark", "say: a b c\n", "say: x y c\n", "-say: [a b] c\n+say: [x y] c\n"},
		{"letters that are not of this alphabet", "say: eins zwölf\n", "say: eins 十二 drei\n", "-say: eins [zwölf]\n+say: eins [十二 drei]\n"},
		{"lines with the same key belong together", "a: 1\nb: 2\n", "b: 3\n", "-[]a: 1\n-b: [2]\n+b: [3]\n"},
		{"lines with nothing in common have none", "- one\n", "- two\n", "-[]- one\n+[]- two\n"},
		{"bytes that are no text", "a: \xff b\n", "a: \xfe b\n", "-a: [\xff] b\n+a: [\xfe] b\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			for _, l := range Show([]Change{{Op: OpChange, Before: tt.before, After: tt.after}}, Selection{}).Items[0].Unified(0) {
				b.WriteRune(rune(l.Kind))
				at := 0
				for _, m := range l.Marks {
					b.WriteString(l.Text[at:m.From] + "[" + l.Text[m.From:m.To] + "]")
					at = m.To
				}
				if len(l.Marks) == 0 {
					b.WriteString("[]")
				}
				b.WriteString(l.Text[at:] + "\n")
			}
			if d := cmp.Diff(tt.want, b.String()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestRunsOfLinesBeginWhereAnElementDoes(t *testing.T) {
	tests := []struct {
		name          string
		before, after string
		want          string
	}{
		{"an element that comes before one that ends alike", "l:\n- name: b\n  v: x\n", "l:\n- name: a\n  v: x\n- name: b\n  v: x\n", " l:\n+- name: a\n+  v: x\n - name: b\n   v: x\n"},
		{"after one", "l:\n- name: a\n  v: x\nz: 1\n", "l:\n- name: a\n  v: x\n- name: b\n  v: x\nz: 1\n", " l:\n - name: a\n   v: x\n+- name: b\n+  v: x\n z: 1\n"},
		{"of equal elements the last", "- a: 1\n", "- a: 1\n- a: 1\n- a: 1\n", " - a: 1\n+- a: 1\n+- a: 1\n"},
		{"an element that goes", "l:\n- k: x\n  v: 1\n- k: y\n  v: 1\n- k: z\n  v: 1\n", "l:\n- k: x\n  v: 1\n- k: z\n  v: 1\n", " l:\n - k: x\n   v: 1\n-- k: y\n-  v: 1\n - k: z\n   v: 1\n"},
		{"a replaced line stays", "a: 1\nb: 1\n", "a: 2\nb: 1\n", "-a: 1\n+a: 2\n b: 1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			for _, l := range (Change{Before: tt.before, After: tt.after}).Unified(-1) {
				fmt.Fprintf(&b, "%c%s\n", l.Kind, l.Text)
			}
			if d := cmp.Diff(tt.want, b.String()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	const doc = `apiVersion: v1
data:
  app.yaml: |
    server:
      port: 1
      host: a
  other: x
spec:
  containers:
  - args:
    - one
    - two
    image: web:1
    name: web
  - image: db:1
    name: db
    ports:
    - containerPort: 1
      protocol: TCP
`
	tests := []struct{ name, from, to, want string }{
		{"the top", "apiVersion: v1", "apiVersion: v2", ""},
		{"a map", "other: x", "other: y", "... data"},
		{"a text that looks like a map", "port: 1", "port: 2", "... data.app.yaml.server"},
		{"an element by the name that comes later", "image: web:1", "image: web:2", "... spec.containers.web"},
		{"a list in an element", "- two", "- three", "... spec.containers.web.args"},
		{"where an element begins", "- image: db:1", "- image: db:2", "... spec.containers"},
		{"an element without a name", "protocol: TCP", "protocol: UDP", "... spec.containers.db.ports"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines := Change{Before: doc, After: strings.Replace(doc, tt.from, tt.to, 1)}.Unified(0)
			got := ""
			if lines[0].Kind == LineGap {
				got = strings.TrimSpace("... " + lines[0].Text)
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestSideBySide(t *testing.T) {
	before, after := "a: 1\nb: 2\nc: 3\nd: 4\nz: 9\n", "a: 1\nb: 3\nn: 0\nd: 5\nz: 9\n"
	var b strings.Builder
	for _, r := range SideBySide((Change{Before: before, After: after}).Unified(1)) {
		fmt.Fprintf(&b, "%s|%s\n", r.Left.Text, r.Right.Text)
	}
	want := "a: 1|a: 1\nb: 2|b: 3\nc: 3|\n|n: 0\nd: 4|d: 5\nz: 9|z: 9\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
