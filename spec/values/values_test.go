package values

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

type m = map[string]any

func TestMergeRules(t *testing.T) {
	tests := []struct {
		name     string
		merge    func(dst, src map[string]any) map[string]any
		dst, src m
		want     m
	}{
		{"in one list null, false, zero and an empty list replace", Override, m{"a": 1, "b": true, "c": "x", "l": []any{1}}, m{"a": nil, "b": false, "c": "", "l": []any{}}, m{"a": nil, "b": false, "c": "", "l": []any{}}},
		{"in one list an empty map keeps the old one", Override, m{"m": m{"a": 1}}, m{"m": m{}}, m{"m": m{"a": 1}}},
		{"in one list a scalar replaces a map and a map a scalar", Override, m{"a": m{"x": 1}, "b": 1}, m{"a": 1, "b": m{"x": 1}}, m{"a": 1, "b": m{"x": 1}}},
		{"in one list a list with null replaces", Override, m{"l": []any{1, 2}}, m{"l": []any{nil, 9}}, m{"l": []any{nil, 9}}},
		{"across layers null does not replace", Sparse, m{"a": 1}, m{"a": nil}, m{"a": 1}},
		{"across layers null adds a key", Sparse, m{}, m{"a": nil}, m{"a": nil}},
		{"across layers false, zero and the empty string replace", Sparse, m{"a": true, "b": 1, "c": "x"}, m{"a": false, "b": 0, "c": ""}, m{"a": false, "b": 0, "c": ""}},
		{"across layers a list replaces", Sparse, m{"l": []any{1, 2, 3}}, m{"l": []any{9}}, m{"l": []any{9}}},
		{"across layers an empty list replaces", Sparse, m{"l": []any{1}}, m{"l": []any{}}, m{"l": []any{}}},
		{"across layers a list with null merges by element", Sparse, m{"l": []any{1, 2, 3}}, m{"l": []any{nil, 8}}, m{"l": []any{1, 8, 3}}},
		{"elements merge maps inside lists", Elements, m{"l": []any{m{"a": 1, "b": 1}, 2}}, m{"l": []any{m{"b": 2}}}, m{"l": []any{m{"a": 1, "b": 2}, 2}}},
		{"fallback keeps explicit zero values", Fallback, m{"a": false, "b": 0, "c": ""}, m{"a": true, "b": 1, "c": "x", "d": 1}, m{"a": false, "b": 0, "c": "", "d": 1}},
		{"fallback fills an earlier null", Fallback, m{"a": nil}, m{"a": 1}, m{"a": 1}},
		{"Helm keeps a null", Helm, m{"a": m{"b": 1}}, m{"a": nil}, m{"a": nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst, src := CopyMap(tt.dst), CopyMap(tt.src)
			if diff := cmp.Diff(tt.want, tt.merge(dst, src)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tt.dst, dst); diff != "" {
				t.Errorf("the merge changed its argument (-before +after)\n%s", diff)
			}
		})
	}
}

func TestParseSet(t *testing.T) {
	tests := []struct {
		name        string
		typed, text []string
		want        m
		err         string
	}{
		{"types", []string{"q=null,t=1.5,u=-3,w=TRUE,o=0x1f,e=,y=yes,z=007,n=12,zero=0"}, nil, m{"q": nil, "t": "1.5", "u": -3, "w": true, "o": "0x1f", "e": "", "y": "yes", "z": "007", "n": 12, "zero": 0}, ""},
		{"an index into nothing fills with null", []string{"a=b=c,x[2]=z"}, nil, m{"a": "b=c", "x": []any{nil, nil, "z"}}, ""},
		{"paths through lists", []string{"l[0].a=1,l[0].b=2"}, nil, m{"l": []any{m{"a": 1, "b": 2}}}, ""},
		{"an escaped dot is part of the key", []string{`a\.b.c=1`}, nil, m{"a.b": m{"c": 1}}, ""},
		{"text stays text and an empty text drops the key", nil, []string{"b=true,n=12,e="}, m{"b": "true", "n": "12"}, ""},
		{"typed flags win over text ones", []string{"b=false"}, []string{"b=true"}, m{"b": false}, ""},
		{"a token without = is an error", []string{"a"}, nil, nil, `--state-values-set "a": expected name=value`},
		{"a huge index is an error", []string{"a[99999999]=1"}, nil, nil, `--state-values-set a[99999999]: bad index in "a[99999999]": expected name[N] with N from 0 to 65536`},
		{"a key of a scalar is an error", []string{"a=1,a.b=2"}, nil, nil, "--state-values-set a.b: a is set to a int and cannot have keys"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseSet(tt.typed, tt.text)
			if text := errText(err); text != tt.err {
				t.Fatalf("error %q, want %q", text, tt.err)
			}
			if diff := cmp.Diff(tt.want, m(got)); diff != "" && tt.err == "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzParseSet(f *testing.F) {
	f.Add("a.b[0]=1,c=true")
	f.Add(`a\.b=,[1]=x`)
	f.Fuzz(func(t *testing.T, flag string) {
		got, err := ParseSet([]string{flag}, []string{flag})
		if err == nil && got == nil {
			t.Error("neither a map nor an error")
		}
	})
}

func FuzzMerges(f *testing.F) {
	f.Add("a=1,l[1]=x", "a=null,l[0]=y")
	f.Fuzz(func(t *testing.T, left, right string) {
		a, errA := ParseSet([]string{left}, nil)
		b, errB := ParseSet([]string{right}, nil)
		if errA != nil || errB != nil {
			return
		}
		before, beforeB := CopyMap(a), CopyMap(b)
		merges := map[string]func(dst, src map[string]any) map[string]any{
			"override": Override, "helm": Helm, "sparse": Sparse, "elements": Elements, "fallback": Fallback,
		}
		for name, merge := range merges {
			out := merge(a, b)
			for k := range b {
				if _, ok := out[k]; !ok {
					t.Errorf("%s loses the key %q", name, k)
				}
			}
			if diff := cmp.Diff(out, merge(out, b)); diff != "" {
				t.Errorf("%s changes something when it is done twice\n%s", name, diff)
			}
			if diff := cmp.Diff(out, merge(CopyMap(a), CopyMap(b))); diff != "" {
				t.Errorf("%s gives two results\n%s", name, diff)
			}
		}
		if diff := cmp.Diff(beforeB, b); diff != "" {
			t.Errorf("a merge changed its second argument\n%s", diff)
		}
		if diff := cmp.Diff(before, a); diff != "" {
			t.Errorf("a merge changed its argument\n%s", diff)
		}
	})
}
