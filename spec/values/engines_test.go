package values

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// engine is a way to merge values, and what it makes of each row of inputs.
type engine struct {
	name  string
	where string // which of a user's files it merges
	why   string // why helmfile has it
	merge func(dst, src map[string]any) map[string]any
	want  map[string]m // by the name of the row
}

// inputs are the rows: what is there, and what is laid over it.
func inputs() map[string][2]m {
	return map[string][2]m{
		"maps":                        {{"k": m{"a": 1, "b": 1, "x": m{"y": 1}}}, {"k": m{"b": 2, "c": 2, "x": m{"z": 2}}}},
		"an empty map over a map":     {{"k": m{"a": 1}}, {"k": m{}}},
		"a number over a map":         {{"k": m{"a": 1}}, {"k": 2}},
		"a map over a number":         {{"k": 1}, {"k": m{"a": 2}}},
		"lists":                       {{"k": []any{1, 2, 3}}, {"k": []any{9}}},
		"an empty list over a list":   {{"k": []any{1}}, {"k": []any{}}},
		"a list that holds a null":    {{"k": []any{1, 2, 3}}, {"k": []any{nil, 8}}},
		"maps inside of lists":        {{"k": []any{m{"a": 1, "b": 1}, 1}}, {"k": []any{m{"b": 2}}}},
		"the same, and a null beside": {{"k": []any{m{"a": 1, "b": 1}, 1}}, {"k": []any{m{"b": 2}, nil}}},
		"null over a value":           {{"k": 1}, {"k": nil}},
		"null over a map":             {{"k": m{"a": 1}}, {"k": nil}},
		"null inside of a map":        {{"k": m{"a": 1}}, {"k": m{"a": nil, "b": nil}}},
		"null where nothing is":       {{}, {"k": nil}},
		"a value over null":           {{"k": nil}, {"k": 2}},
		"false over true":             {{"k": true}, {"k": false}},
		"zero over a number":          {{"k": 1}, {"k": 0}},
		"an empty text over a text":   {{"k": "x"}, {"k": ""}},
		"true over false":             {{"k": false}, {"k": true}},
	}
}

// replacing is what every engine agrees on, but for what it lists itself.
func replacing(own map[string]m) map[string]m {
	all := map[string]m{
		"maps":                        {"k": m{"a": 1, "b": 2, "c": 2, "x": m{"y": 1, "z": 2}}},
		"an empty map over a map":     {"k": m{"a": 1}},
		"a number over a map":         {"k": 2},
		"a map over a number":         {"k": m{"a": 2}},
		"lists":                       {"k": []any{9}},
		"an empty list over a list":   {"k": []any{}},
		"a list that holds a null":    {"k": []any{nil, 8}},
		"maps inside of lists":        {"k": []any{m{"b": 2}}},
		"the same, and a null beside": {"k": []any{m{"b": 2}, nil}},
		"null over a value":           {"k": nil},
		"null over a map":             {"k": nil},
		"null inside of a map":        {"k": m{"a": nil, "b": nil}},
		"null where nothing is":       {"k": nil},
		"a value over null":           {"k": 2},
		"false over true":             {"k": false},
		"zero over a number":          {"k": 0},
		"an empty text over a text":   {"k": ""},
		"true over false":             {"k": true},
	}
	for row, want := range own {
		all[row] = want
	}
	return all
}

// engines are helmfile's; each was seen with the same rows in helmfile 1.8.0.
func engines() []engine {
	nulls := map[string]m{
		"null over a value":    {"k": 1},
		"null over a map":      {"k": m{"a": 1}},
		"null inside of a map": {"k": m{"a": 1, "b": nil}},
	}
	with := func(more map[string]m) map[string]m {
		for row, want := range nulls {
			if _, ok := more[row]; !ok {
				more[row] = want
			}
		}
		return replacing(more)
	}
	return []engine{
		{
			name: "override", merge: Override,
			where: "the entries of one values list, environment secrets, top-level values of several parts",
			why:   "mergo with override over maps: a key that is written wins, even with nothing in it, but an empty map is no value",
			want:  replacing(nil),
		},
		{
			name: "sparse", merge: Sparse,
			where: "top-level values, environment values, parts, and what a parent file gives",
			why:   "a layer says only what it changes: null is a gap in it, and a list with a gap changes single elements",
			want: with(map[string]m{
				"a list that holds a null":    {"k": []any{1, 8, 3}},
				"the same, and a null beside": {"k": []any{m{"a": 1, "b": 2}, 1}},
			}),
		},
		{
			name: "elements", merge: Elements,
			where: "--state-values-set over everything",
			why:   "l[1]=x names one element, which must not cost the others",
			want: with(map[string]m{
				"lists":                       {"k": []any{9, 2, 3}},
				"an empty list over a list":   {"k": []any{1}},
				"a list that holds a null":    {"k": []any{1, 8, 3}},
				"maps inside of lists":        {"k": []any{m{"a": 1, "b": 2}, 1}},
				"the same, and a null beside": {"k": []any{m{"a": 1, "b": 2}, 1}},
			}),
		},
		{
			name: "fallback", merge: Fallback,
			where: "the entries of an environment with mergeStrategy fallback",
			why:   "the first file that says something wins, so that later files are defaults; null says nothing",
			want: map[string]m{
				"maps":                        {"k": m{"a": 1, "b": 1, "c": 2, "x": m{"y": 1, "z": 2}}},
				"an empty map over a map":     {"k": m{"a": 1}},
				"a number over a map":         {"k": m{"a": 1}},
				"a map over a number":         {"k": 1},
				"lists":                       {"k": []any{1, 2, 3}},
				"an empty list over a list":   {"k": []any{1}},
				"a list that holds a null":    {"k": []any{1, 2, 3}},
				"maps inside of lists":        {"k": []any{m{"a": 1, "b": 1}, 1}},
				"the same, and a null beside": {"k": []any{m{"a": 1, "b": 1}, 1}},
				"null over a value":           {"k": 1},
				"null over a map":             {"k": m{"a": 1}},
				"null inside of a map":        {"k": m{"a": 1, "b": nil}},
				"null where nothing is":       {"k": nil},
				"a value over null":           {"k": 2},
				"false over true":             {"k": true},
				"zero over a number":          {"k": 1},
				"an empty text over a text":   {"k": "x"},
				"true over false":             {"k": false},
			},
		},
		{
			name: "Helm", merge: Helm,
			where: "values files of a release, for the chart and for write-values",
			why:   "Helm's own merge of -f files; a null must stay in it, because it deletes what the chart sets",
			want:  replacing(nil),
		},
	}
}

func TestMergeEngines(t *testing.T) {
	for _, e := range engines() {
		for row, in := range inputs() {
			t.Run(e.name+": "+row, func(t *testing.T) {
				want, ok := e.want[row]
				if !ok {
					t.Fatal("the engine has no answer to this row")
				}
				dst, src := CopyMap(in[0]), CopyMap(in[1])
				if diff := cmp.Diff(want, e.merge(dst, src)); diff != "" {
					t.Errorf("merging %s: %s (-want +got)\n%s", e.where, e.why, diff)
				}
				if diff := cmp.Diff(in, [2]m{dst, src}); diff != "" {
					t.Errorf("the merge changed its arguments (-before +after)\n%s", diff)
				}
			})
		}
	}
}
