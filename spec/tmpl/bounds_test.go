package tmpl

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestTemplatesThatMakeTooMuchAreErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a long count", "{{ until 2000000000 }}", "until makes 2000000000 numbers: more than 1048576"},
		{"a long count downwards", "{{ until -2000000000 }}", "until makes 2000000000 numbers"},
		{"a long count by steps", "{{ untilStep -9223372036854775807 9223372036854775807 2 }}", "untilStep makes 9223372036854775808 numbers"},
		{"a long sequence", "{{ seq 2000000000 }}", "seq makes 1999999999 numbers"},
		{"a long sequence from one to another", "{{ seq 0 -2000000000 }}", "seq makes 2000000000 numbers"},
		{"a long sequence by steps", "{{ seq 0 2 2000000000 }}", "seq makes 1000000000 numbers"},
		{"a repeated text", `{{ repeat 2000000000 "x" }}`, "repeat: the template makes more than 64 MiB"},
		{"a large indent", `{{ indent 2000000000 "x" }}`, "indent: the template makes more than 64 MiB"},
		{"a large indent of many lines", `{{ nindent 1000 (repeat 70000 "x\n") }}`, "nindent: the template makes more than 64 MiB"},
		{"random text", `{{ randAlphaNum 2000000000 }}`, "randAlphaNum: the template makes more than 64 MiB"},
		{"random bytes", `{{ randBytes 2000000000 }}`, "randBytes: the template makes more than 64 MiB"},
		{"a text that doubles", `{{ $x := "x" }}{{ range until 64 }}{{ $x = print $x $x }}{{ end }}`, "the template makes more than 64 MiB"},
		{"a text that doubles by its form", `{{ $x := "x" }}{{ range until 64 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`, "the template makes more than 64 MiB"},
		{"a list that doubles", `{{ $x := list 1 }}{{ range until 64 }}{{ $x = concat $x $x }}{{ end }}`, "concat makes 2097152 items: more than 1048576"},
		{"endless output", `{{ range until 1000000 }}{{ repeat 100 "x" }}{{ end }}`, "the template makes more than 64 MiB"},
		{"include without end", `{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`, "a includes itself more than 1000 times"},
		{"tpl without end", `{{ $t := "{{ tpl .t . }}" }}{{ tpl $t (dict "t" $t) }}`, "tpl includes itself more than 1000 times"},
		{"a template in itself", `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`, "f:1:29: a includes itself more than 1000 times"},
		{"a template in itself, in loops and conditions", `{{ define "a" }}{{ range . }}{{ with . }}{{ if true }}{{ template "a" $ }}{{ end }}{{ end }}{{ end }}{{ end }}{{ template "a" (list 1) }}`, "a includes itself more than 1000 times"},
		{"a template in itself, in a text", `{{ tpl "{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}" . }}`, "a includes itself more than 1000 times"},
	}
	r := New(Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := r.Render(t.Context(), Template{File: "f", Text: []byte(tt.text)}, nil)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
			if len(err.Error()) > 500 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 700 {
				t.Errorf("it took %d MiB", made)
			}
		})
	}
}

func TestBoundedFunctionsGiveWhatSprigGives(t *testing.T) {
	text := `{{ until 3 }} {{ until -2 }} {{ untilStep 1 9 4 }} {{ untilStep 1 2 0 }} {{ seq 3 }} {{ seq 3 1 }} {{ seq 0 2 4 }} {{ repeat 2 "ab" }}` +
		` {{ indent 1 "x\ny" }}{{ nindent 1 "z" }} {{ len (randAlpha 5) }} {{ len (randBytes 3) }} {{ print 1 2 "x" }} {{ printf "%03d" 7 }} {{ concat (list 1) (list 2) }}`
	out, err := New(Options{}).Render(t.Context(), Template{File: "f", Text: []byte(text)}, nil)
	want := "[0 1 2] [0 -1] [1 5] [] 1 2 3 3 2 1 0 2 4 abab  x\n y\n z 5 4 1 2x 007 [1 2]"
	if err != nil || string(out.Bytes()) != want {
		t.Errorf("%v, got %q, want %q", err, out.Bytes(), want)
	}
}

func TestALoopThatPrintsNothingIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	// Some seconds of work, so that what is left behind ends, too.
	text := Template{File: "f", Text: []byte("{{ range until 5000 }}{{ range until 5000 }}{{ end }}{{ end }}")}
	began := time.Now()
	_, err := New(Options{}).Render(ctx, text, nil)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Second {
		t.Errorf("error %v after %s", err, time.Since(began))
	}
	if _, err = New(Options{}).String(ctx, text, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}
