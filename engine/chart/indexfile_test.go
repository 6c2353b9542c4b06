package chart

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseIndexReadsEveryLayout(t *testing.T) {
	const helm = `apiVersion: v1
entries:
  alpine:
  - annotations:
      images: |
        - name: a

        # not a comment
        version: 9.9.9
    created: "2024-01-01T00:00:00Z"
    description: "spans

      lines"
    urls:
    - a-1.0.0.tgz
    version: 1.0.0
  - version: 1.10.0
    urls: [a-1.10.0.tgz]
    digest: abc
  "quoted-name":
  - version: "1.0"
    urls: [q.tgz]
  # a comment
  empty: 
generated: "2024-01-01T00:00:00Z"
`
	alpine := []indexed{{Version: "1.10.0", URLs: []string{"a-1.10.0.tgz"}, Digest: "abc"}, {Version: "1.0.0", URLs: []string{"a-1.0.0.tgz"}}}
	one := map[string][]indexed{"a": {{Version: "1.0.0", URLs: []string{"a.tgz"}}}}
	tests := []struct {
		name string
		text string
		want map[string][]indexed
		cut  bool
	}{
		{"as Helm writes it", helm, map[string][]indexed{"alpine": alpine, "quoted-name": {{Version: "1.0", URLs: []string{"q.tgz"}}}, "empty": nil}, true},
		{"with Windows line ends", strings.ReplaceAll(helm, "\n", "\r\n"), map[string][]indexed{"alpine": alpine, "quoted-name": {{Version: "1.0", URLs: []string{"q.tgz"}}}, "empty": nil}, true},
		{"lists indented below their key", "entries:\n    a:\n      - version: 1.0.0\n        urls: [a.tgz]\napiVersion: v1\n", one, true},
		{"without a last line end", "apiVersion: v1\nentries:\n  a:\n  - version: 1.0.0\n    urls: [a.tgz]", one, true},
		{"in flow style", "apiVersion: v1\nentries: {a: [{version: 1.0.0, urls: [a.tgz]}]}\n", one, false},
		{"one chart in flow style", "apiVersion: v1\nentries:\n  a: [{version: 1.0.0, urls: [a.tgz]}]\n", one, false},
		{"as JSON", `{"apiVersion":"v1","entries":{"a":[{"version":"1.0.0","urls":["a.tgz"]}]}}`, one, false},
		{"with an anchor", "apiVersion: v1\nentries:\n  a: &x\n  - version: 1.0.0\n    urls: [a.tgz]\n", one, false},
		{"without charts", "apiVersion: v1\nentries: {}\n", map[string][]indexed{}, false},
		{"entries that cannot be downloaded", "apiVersion: v1\nentries:\n  a:\n  - version: 1.0.0\n    urls: [a.tgz]\n  - version: 2.0.0\n  - urls: [b.tgz]\n", one, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parsed, err := parseIndex(endpoint{}, []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string][]indexed{}
			for name, decode := range parsed {
				if got[name], err = decode(); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			c := &cutter{body: []byte(tt.text), charts: map[string][]byte{}}
			if cut := c.run(); cut != tt.cut {
				t.Errorf("cut by indentation: %v, want %v", cut, tt.cut)
			}
		})
	}
}

func FuzzParseIndex(f *testing.F) {
	f.Add("apiVersion: v1\nentries:\n  a:\n  - version: 1.0.0\n    urls: [a.tgz]\n")
	f.Add("entries:\n a:\n  - b\n  c:\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := &cutter{body: []byte(text), charts: map[string][]byte{}}
		if !c.run() {
			return
		}
		for name, list := range c.charts {
			if name == "" || !strings.Contains(text, string(list)) {
				t.Errorf("chart %q is cut out as %q", name, list)
			}
		}
	})
}

func BenchmarkIndex(b *testing.B) {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nentries:\n")
	entry := "  - annotations:\n      images: |\n        - name: a\n    apiVersion: v2\n    description: " + strings.Repeat("long ", 60) + "\n    urls:\n    - a.tgz\n    version: 1.0.0\n"
	for i := range 100 {
		fmt.Fprintf(&text, "  chart-%d:\n%s", i, strings.Repeat(entry, 200))
	}
	body := []byte(text.String())
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		parsed, err := parseIndex(endpoint{}, body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := parsed["chart-50"](); err != nil {
			b.Fatal(err)
		}
	}
}
