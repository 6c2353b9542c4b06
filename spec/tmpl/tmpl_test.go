package tmpl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func renderer(env map[string]string) *Renderer {
	return New(Options{
		LookupEnv: func(name string) (string, bool) {
			v, ok := env[name]
			return v, ok
		},
		DecodeYAML: func(text string) (any, error) { return map[string]any{"yaml": text}, nil },
		EncodeYAML: func(any) (string, error) { return "yaml\n", nil },
		Secret: func(_ context.Context, v any) (any, error) {
			switch v := v.(type) {
			case string:
				if v == "number" {
					return 7, nil
				}
				return "<" + v + ">", nil
			default:
				return map[string]any{"k": "<v>"}, nil
			}
		},
	})
}

func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFunctions(t *testing.T) {
	dir := folderOf(t, map[string]string{"a.txt": "text a", "_p.tpl": `{{ define "hi" }}hi {{ . }}{{ end }}{{ define "loop" }}{{ include "loop" . }}{{ end }}`})
	data := map[string]any{"m": map[string]any{"k": "v", "n": nil}, "s": struct{ Name string }{"x"}}
	tests := []struct{ name, text, want string }{
		{"environment", `{{ env "SET" }}{{ env "NO" }}{{ expandenv "-$SET" }}{{ requiredEnv "SET" }}`, "v-vv"},
		{"a required variable", `{{ requiredEnv "EMPTY" }}`, "EMPTY is not set"},
		{"required", `{{ required "need it" 0 }}{{ required "need it" "" }}`, "need it"},
		{"files", `{{ isFile "a.txt" }} {{ isDir "." }} {{ isFile "no" }} {{ readFile "a.txt" }} {{ readDir "." }}`, "true true false text a [_p.tpl a.txt]"},
		{"a file that is not there", `{{ readFile "no.txt" }}`, "no.txt"},
		{"programs", `{{ exec "sh" (list "-c" "echo $PWD | wc -l; cat") "in" | replace "\n" " " | replace "  " "" }}`, "1 in"},
		{"programs with variables", `{{ envExec (dict "X" "y") "sh" (list "-c" "printf $X") }}`, "y"},
		{"a failing program tells stderr", `{{ exec "sh" (list "-c" "echo oops >&2; exit 3") }}`, "exit status 3: oops"},
		{"get walks maps and structs", `{{ get "m.k" . }} {{ get "m.no" "d" . }} {{ get "s.Name" . }} {{ getOrNil "m.no.x" . }}`, "v d x <no value>"},
		{"get without a default", `{{ get "m.no" . }}`, `missing key "no"`},
		{"sprig's own get", `{{ sprigGet .m "k" }}`, "v"},
		{"setValueAtPath", `{{ (setValueAtPath "m.new" 1 .).m.new }}`, "1"},
		{"setValueAtPath needs its parents", `{{ setValueAtPath "no.new" 1 . }}`, `there is no key "no"`},
		{"partials, include and tpl", `{{ include "hi" "x" }} {{ template "hi" "y" }} {{ tpl "{{ include \"hi\" .m.k }}" . }}`, "hi x hi y hi v"},
		{"include without end", `{{ include "loop" . }}`, "loop includes itself more than 1000 times"},
		{"secrets", `{{ fetchSecretValue "ref" }} {{ (expandSecretRefs .m).k }}`, "<ref> <v>"},
		{"a secret that is no text", `{{ fetchSecretValue "number" }}`, "the reference stands for a int, fetchSecretValue gives strings: use expandSecretRefs"},
		{"yaml", `{{ toYaml . }}{{ (fromYaml "x").yaml }}`, "yaml\nx"},
		{"a missing key", `{{ .m.no }}`, `map has no entry for key "no"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data["m"] = map[string]any{"k": "v"}
			got, err := renderer(map[string]string{"SET": "v", "EMPTY": ""}).String(context.Background(), Template{File: "f", Dir: dir, Text: []byte(tt.text)}, data)
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSwitchesForbidFunctions(t *testing.T) {
	insecure := []string{`{{ exec "true" (list) }}`, `{{ envExec (dict) "true" (list) }}`, `{{ readFile "a" }}`, `{{ readDir "." }}`, `{{ readDirEntries "." }}`}
	for _, name := range []string{"HELMFILE_DISABLE_INSECURE_FEATURES", "HELMFILE_DISABLE_INSECURE_TEMPLATE_FUNCTIONS"} {
		for _, text := range insecure {
			_, err := renderer(map[string]string{name: "true"}).String(context.Background(), Template{File: "f", Text: []byte(text)}, nil)
			if !errors.Is(err, ErrDisabled) {
				t.Errorf("%s with %s: error %v, want ErrDisabled", text, name, err)
			}
		}
	}
	r := New(Options{NoExec: true})
	for _, text := range insecure[:2] {
		if _, err := r.String(context.Background(), Template{File: "f", Text: []byte(text)}, nil); !errors.Is(err, ErrDisabled) {
			t.Errorf("%s with NoExec: error %v, want ErrDisabled", text, err)
		}
	}
}

func TestPositionsLeadBackToTheSource(t *testing.T) {
	dir := folderOf(t, map[string]string{"_p.tpl": "{{ define \"p\" }}from: partial\n{{ end }}"})
	text := "a: 1\n{{ range until 3 }}\nb{{ . }}: {{ . }}\n{{ end }}{{ template \"p\" }}last: x\n"
	out, err := renderer(nil).Render(context.Background(), Template{File: "f", Dir: dir, Line: 10, Text: []byte(text)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out.Bytes()), "\n")
	want := map[string]int{"a: 1": 10, "b0: 0": 12, "b2: 2": 12, "last: x": 13}
	for i, line := range lines {
		file, got, _ := out.Position(i+1, 1)
		if n, ok := want[line]; ok && (got != n || file != "f") {
			t.Errorf("%q is at %s:%d, want f:%d", line, file, got, n)
		}
		if line == "from: partial" && (filepath.Base(file) != "_p.tpl" || got != 1) {
			t.Errorf("%q is at %s:%d, want _p.tpl:1", line, file, got)
		}
	}
}

func TestErrorsHavePlaces(t *testing.T) {
	dir := folderOf(t, map[string]string{"_p.tpl": "{{ define \"p\" }}\n{{ .x.y }}{{ end }}"})
	tests := []struct {
		name, text, want string
		line             int
	}{
		{"in a later part", "a\n{{ .no }}", "f", 21},
		{"broken", "a\n{{ if }}", "f", 21},
		{"unknown function", "{{ nosuch }}", "f", 20},
		{"in a partial", "{{ template \"p\" (dict) }}", "_p.tpl", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := renderer(nil).Render(context.Background(), Template{File: "f", Dir: dir, Line: 20, Text: []byte(tt.text)}, map[string]any{})
			var at *Error
			if !errors.As(err, &at) || filepath.Base(at.File) != tt.want || at.Line != tt.line {
				t.Errorf("error %v, want it at %s:%d", err, tt.want, tt.line)
			}
		})
	}
}

// TestDerivePasswordIsComputedOnce: the memory must not change what sprig
// gives, and must tell calls apart that differ in one argument.
func TestDerivePasswordIsComputedOnce(t *testing.T) {
	calls := 0
	r := New(Options{})
	derive := r.remembering(func(counter uint32, kind, password, user, site string) string {
		calls++
		return fmt.Sprint(counter, kind, password, user, site)
	}).(func(uint32, string, string, string, string) string)
	for range 2 {
		for _, want := range []string{"1 a b c d", "2 a b c d"} {
			var n uint32
			if _, err := fmt.Sscan(want, &n); err != nil {
				t.Fatal(err)
			}
			if got := derive(n, "a", "b", "c", "d"); got != fmt.Sprint(n, "a", "b", "c", "d") {
				t.Errorf("got %q", got)
			}
		}
	}
	if calls != 2 {
		t.Errorf("computed %d times, want 2", calls)
	}
	got, err := r.String(t.Context(), Template{File: "f", Text: []byte(`{{ derivePassword 1 "long" "password" "user" "example.com" }}`)}, nil)
	if want := "ZedaFaxcZaso9*"; err != nil || got != want {
		t.Errorf("got %q, %v, want sprig's %q", got, err, want)
	}
}

func TestTemplatesStayUsableManyTimes(t *testing.T) {
	text := `{{ define "a" }}x{{ end }}{{ range until 3000 }}{{ template "a" }}{{ end }}`
	out, err := New(Options{}).String(t.Context(), Template{File: "f", Text: []byte(text)}, nil)
	if err != nil || out != strings.Repeat("x", 3000) {
		t.Errorf("%d bytes and %v, want 3000: calls one after the other are no recursion", len(out), err)
	}
}
