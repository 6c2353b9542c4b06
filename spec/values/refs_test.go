package values

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// localOnly resolves with LocalRefs alone and counts the batches.
func localOnly(t *testing.T, batches *[][]string) Refs {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"s.txt": "text", "s.yaml": "a: {b: 7, l: [x]}\nf: 1.5\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	local := LocalRefs{
		Dir:       dir,
		LookupEnv: func(name string) (string, bool) { return "v-" + name, name != "UNSET" },
		DecodeYAML: func(text []byte) (v any, err error) {
			err = yaml.Unmarshal(text, &v)
			return v, err
		},
	}
	return Refs{Fetch: func(_ context.Context, refs []string) []Fetched {
		*batches = append(*batches, refs)
		out := make([]Fetched, len(refs))
		for i, text := range refs {
			ref := ParseRef(text)
			v, known, err := local.Get(ref)
			if !known {
				err = ErrUnsupportedRef
			}
			if err == nil {
				v, _, err = Descend(v, ref.Fragment)
			}
			out[i] = Fetched{Value: v, Err: err}
		}
		return out
	}}
}

func TestRefsInOneText(t *testing.T) {
	tests := []struct {
		name, in string
		want     any
		err      string
	}{
		{"plain text stays", "a+b", "a+b", ""},
		{"a variable", "ref+env://NAME", "v-NAME", ""},
		{"an echo", "ref+echo://foo/bar", "foo/bar", ""},
		{"an echo with a key", "ref+echo://foo/bar/baz#/foo/bar", "baz", ""},
		{"an echo with a key above the last gives a map", "ref+echo://foo/bar/baz#/foo", m{"bar": "baz"}, ""},
		{"embedded references end at a plus", "x-ref+echo://aa+-y-secretref+env://BB+", "x-aa-y-v-BB", ""},
		{"an embedded reference ends at a space", "ref+echo://aa bb", "aa bb", ""},
		{"a path of one character is no reference, as in vals", "ref+echo://a", "ref+echo://a", ""},
		{"a reference inside another", "ref+file://ref+echo://s.yaml+#/a/b", 7, ""},
		{"variables inside a path", "ref+envsubst://$AA/${BB}", "v-AA/v-BB", ""},
		{"a file", "ref+file://s.txt", "text", ""},
		{"a file by an absolute path with a query", "ref+file://./s.txt?encode=base64", "dGV4dA==", ""},
		{"a value of a file keeps its type", "ref+file://s.yaml#/f", 1.5, ""},
		{"a map of a file", "ref+file://s.yaml#/a", m{"b": 7, "l": []any{"x"}}, ""},
		{"a key that is not there is null", "ref+file://s.yaml#/none/at/all", nil, ""},
		{"a key below what is no map", "ref+file://s.yaml#/f/x", nil, `resolving ref+file://s.yaml#/f/x: there is no key "x": what is above it is no map`},
		{"null inside a text", "x ref+file://s.yaml#/none", nil, "resolving ref+file://s.yaml#/none: it stands for null, which cannot be part of a text"},
		{"a missing variable names it", "ref+env://UNSET", nil, "resolving ref+env://UNSET: the environment variable UNSET is not set"},
		{"a default is for the library of vals", "ref+envsubst://${UNSET:-x}", nil, "resolving ref+envsubst://${UNSET:-x}: " + ErrUnsupportedRef.Error()},
		{"another back end is refused without its query", "ref+vault://p?token=t#/k", nil, "resolving ref+vault://p: " + ErrUnsupportedRef.Error()},
		{"an unknown encoding", "ref+file://s.txt?encode=rot13", nil, "resolving ref+file://s.txt: encode=rot13 is unknown, expected raw or base64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var batches [][]string
			got, err := localOnly(t, &batches).Resolve(context.Background(), tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" && tt.err == "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if errText(err) != tt.err {
				t.Errorf("error %q, want %q", errText(err), tt.err)
			}
		})
	}
}

func TestRefsOfATreeAreFetchedInOneBatch(t *testing.T) {
	var batches [][]string
	in := m{
		"a":                   "ref+env://AA",
		"l":                   []any{"ref+env://BB+/ref+env://AA+", 1},
		"ref+file://s.yaml":   m{},
		"ref+env://NOT_A_MAP": "stays",
	}
	got, err := localOnly(t, &batches).Resolve(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := m{"a": "v-AA", "l": []any{"v-BB/v-AA", 1}, "f": 1.5, "a ": nil, "ref+env://NOT_A_MAP": "stays"}
	delete(want, "a ")
	want["a"] = m{"b": 7, "l": []any{"x"}} // the map that the key stands for comes last, as in vals
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"env://AA", "env://BB", "file://s.yaml"}}, batches); diff != "" {
		t.Errorf("batches (-want +got)\n%s", diff)
	}
	if in["a"] != "ref+env://AA" {
		t.Error("the values given were changed")
	}
}

func TestRefsTellEveryFailureWithItsPlace(t *testing.T) {
	var batches [][]string
	_, err := localOnly(t, &batches).Resolve(context.Background(), m{"l": []any{"ref+awssm://xx"}, "k": m{"e": "ref+env://UNSET"}})
	if !errors.Is(err, ErrUnsupportedRef) {
		t.Errorf("error %v, want ErrUnsupportedRef in it", err)
	}
	for _, want := range []string{"k: e: resolving ref+env://UNSET", "l: [0]: resolving ref+awssm://xx"} {
		if !strings.Contains(errText(err), want) {
			t.Errorf("error %q, want %q in it", errText(err), want)
		}
	}
}

func TestRefsEnd(t *testing.T) {
	deep := strings.Repeat("ref+echo://", 14) + "x"
	var batches [][]string
	if _, err := localOnly(t, &batches).Resolve(context.Background(), deep); err == nil || !strings.Contains(err.Error(), "deeper than 10") {
		t.Errorf("error %v, want one about the depth", err)
	}
}

func FuzzRefs(f *testing.F) {
	f.Add("x-ref+echo://aa+-y-secretref+env://BB+ ref+echo://ref+env://CC+/d")
	f.Fuzz(func(t *testing.T, text string) {
		var batches [][]string
		r := Refs{Fetch: func(_ context.Context, refs []string) []Fetched {
			batches = append(batches, refs)
			out := make([]Fetched, len(refs))
			for i := range refs {
				out[i].Value = "v"
			}
			return out
		}}
		got, err := r.Resolve(context.Background(), text)
		if err == nil && got == nil {
			t.Errorf("neither a value nor an error for %q", text)
		}
		if !Has(text) && got != text {
			t.Errorf("%q became %v", text, got)
		}
	})
}

func FuzzParseRef(f *testing.F) {
	f.Add("echo://a/b?x=y#/c/0")
	f.Add("file://../x%2f.yaml#//")
	f.Fuzz(func(t *testing.T, text string) {
		r := ParseRef(text)
		v := map[string]any{"a": []any{"x", map[string]any{"b": nil}}}
		if _, found, err := Descend(v, r.Fragment); found && err != nil {
			t.Errorf("%q leads to a value and to the error %v", text, err)
		}
		if again := ParseRef(text); !cmp.Equal(r, again) {
			t.Errorf("%q is read as %v and as %v", text, r, again)
		}
	})
}
