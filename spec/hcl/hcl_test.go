package hcl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func files(texts ...string) []File {
	var out []File
	for i, text := range texts {
		out = append(out, File{Name: fmt.Sprintf("%d.hcl", i+1), Text: []byte(text)})
	}
	return out
}

func TestValues(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  map[string]any
	}{
		{"an empty file", []string{""}, map[string]any{}},
		{"references in any order, also across files", []string{"values { a = \"${hv.b}!\" }", "values {\n b = hv.c\n c = 1 + 1 \n}"},
			map[string]any{"a": "2!", "b": 2.0, "c": 2.0}},
		{"locals belong to their file", []string{"locals { x = \"one\" }\nvalues { a = local.x }", "locals { x = \"two\" }\nvalues { b = local.x }"},
			map[string]any{"a": "one", "b": "two"}},
		{"locals refer to each other and may be taken whole", []string{"locals {\n y = local.x\n x = 1\n}\nvalues { all = local }"},
			map[string]any{"all": map[string]any{"x": 1.0, "y": 1.0}}},
		{"later objects merge by key", []string{"values { m = { a = 1, n = { x = 1 } } }", "values { m = { b = 2, n = { y = 2 } } }"},
			map[string]any{"m": map[string]any{"a": 1.0, "b": 2.0, "n": map[string]any{"x": 1.0, "y": 2.0}}}},
		{"a later null keeps, a later list replaces", []string{"values {\n a = 1\n l = [1, 2]\n}", "values {\n a = null\n l = [3]\n}"},
			map[string]any{"a": 1.0, "l": []any{3.0}}},
		{"two blocks of one file merge, too", []string{"values { m = { a = 1 } }\nvalues { m = { b = 2 } }"},
			map[string]any{"m": map[string]any{"a": 1.0, "b": 2.0}}},
		{"an overridden definition still has its order", []string{"values {\n image = \"app:${hv.tag}\"\n tag = \"1\"\n}", "values { image = \"app:fixed\" }"},
			map[string]any{"image": "app:fixed", "tag": "1"}},
		{"a for expression has names of its own", []string{"values {\n l = [1, 2]\n d = [for i in hv.l : i * 2]\n t = \"%{for i in hv.l}${i}%{endfor}\"\n}"},
			map[string]any{"l": []any{1.0, 2.0}, "d": []any{2.0, 4.0}, "t": "12"}},
		{"functions", []string{"values {\n s = cidrsubnet(\"10.0.0.0/8\", 8, 2)\n y = yamldecode(\"a: 1\")\n t = try(hv.y.b, \"none\")\n u = upper(\"x\")\n}"},
			map[string]any{"s": "10.2.0.0/16", "y": map[string]any{"a": 1.0}, "t": "none", "u": "X"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Values(files(tt.files...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValuesTellsMistakesWithTheirPlace(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  string
	}{
		{"syntax", []string{"values {\n  a =\n}\n"}, "1.hcl:2:"},
		{"mistakes of two files at once", []string{"values { a = }", "values { a = }"}, "2.hcl:1:"},
		{"an unknown block", []string{"nosuch { a = 1 }"}, "nosuch"},
		{"an unknown name", []string{"values {\n  a = hv.nosuch\n}"}, "1.hcl:2:7: hv.nosuch is not defined"},
		{"an unknown local", []string{"values {\n  a = local.x\n}"}, "1.hcl:2:12:"},
		{"an unknown root", []string{"values {\n  a = foo.x\n}"}, "1.hcl:2:7:"},
		{"a cycle", []string{"values {\n  a = hv.b\n  b = hv.a\n}"}, "cycle: a -> b -> a"},
		{"a cycle of locals", []string{"locals {\n  a = local.a\n}"}, "local.a: values refer to each other in a cycle: a -> a"},
		{"all values as one", []string{"values { a = hv }"}, "cannot be used as a whole"},
		{"two blocks of locals", []string{"locals { a = 1 }\nlocals { b = 1 }"}, "1.hcl:2:1: Second block of locals"},
		{"deep brackets", []string{"values { a = " + strings.Repeat("[", 5000) + "}"}, "too large: nested deeper"},
		{"a long row of operators", []string{"values { a = " + strings.Repeat("!", 50_000) + "true }"}, "too large: nested deeper"},
		{"a huge file", []string{strings.Repeat("#", maxBytes+1)}, "1.hcl: too large: more than 1048576 bytes"},
		{"a long chain", []string{"values {\n" + chain(2*maxDepth) + "}"}, "too large: references are chained"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Values(files(tt.files...))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to hold %q", err, tt.want)
			}
		})
	}
}

func chain(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%04d = hv.a%04d\n", i, i+1)
	}
	fmt.Fprintf(&b, "a%04d = 1\n", n)
	return b.String()
}

func FuzzValues(f *testing.F) {
	f.Add("values {\n a = hv.b\n b = [for i in [1] : i]\n}", "locals { x = 1 }\nvalues { b = { c = local.x } }")
	f.Add("values { a = ((((1)))) }", "values { a = !!!true }")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 4000 {
			return
		}
		v, err := Values(files(a, b))
		if err == nil && v == nil {
			t.Error("neither values nor an error")
		}
	})
}
