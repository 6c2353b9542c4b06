package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
)

// checkMarkdown reads a report as GitHub does, as far as the report's own markup
// goes: fences that open and close, details that nest well, rows with as many
// cells as their header, and outside of fences no HTML but its own.
func checkMarkdown(t *testing.T, text string) {
	t.Helper()
	fence, cells, open := "", 0, 0
	html := regexp.MustCompile(`</?(code|summary)>|<details( open)?>|</details>`)
	for i, l := range strings.Split(text, "\n") {
		if fence != "" {
			if strings.TrimRight(l, " ") == fence {
				fence = ""
			}
			continue
		}
		if run := len(l) - len(strings.TrimLeft(l, "`")); run >= 3 {
			fence = l[:run]
			continue
		}
		if i == 0 {
			if !strings.HasPrefix(l, "<!-- flotilla report ") || strings.Index(l, "--") != 2 || strings.Index(l, "-->") != len(l)-3 || strings.Count(l, "--") != 2 {
				t.Errorf("marker %q", l)
			}
			continue
		}
		open += strings.Count(l, "<details") - strings.Count(l, "</details>")
		plain := html.ReplaceAllString(strings.ReplaceAll(l, "> Warning: ", ""), "")
		plain = strings.TrimPrefix(plain, "> ")
		if strings.ContainsAny(plain, "<>`[]$") && !strings.HasPrefix(plain, "```") {
			t.Errorf("line %d has markup: %s", i+1, l)
		}
		if regexp.MustCompile(`(^|[^\pL\pN])@\pL`).MatchString(plain) {
			t.Errorf("line %d calls somebody: %s", i+1, l)
		}
		switch n := strings.Count(l, "|"); {
		case n == 0:
			cells = 0
		case cells == 0:
			cells = n
		case n != cells:
			t.Errorf("line %d has %d cells, not %d: %s", i+1, n, cells, l)
		}
	}
	if fence != "" || open != 0 {
		t.Errorf("a fence %q, or %d details, do not end", fence, open)
	}
}

func TestMarkdownIsNothingButItsOwnMarkup(t *testing.T) {
	for name, r := range runs() {
		t.Run(name, func(t *testing.T) { checkMarkdown(t, written(t, FormatMarkdown, r)) })
	}
}

// large has many releases with long differences.
func large(releases int) Run {
	r := compared()
	r.Plan.Steps = nil
	for n := range releases {
		s := planned(fmt.Sprintf("app-%04d", n), plan.ActionUpgrade)
		s.Changes = []diff.Change{{Object: state.ObjectID{Kind: "ConfigMap", Namespace: "shop", Name: "web"}, Op: diff.OpAdd,
			After: strings.Repeat("key: `value`\n", 1+n%7*40)}}
		r.Plan.Steps = append(r.Plan.Steps, s)
	}
	return r
}

func TestMarkdownIsCutInWholePieces(t *testing.T) {
	leftOut := regexp.MustCompile(`_Left out for (its|their) size: (details of )?(\d+) (release|row)s?\._`)
	for _, releases := range []int{1, 5, 50, 400} {
		for _, limit := range []int{2000, 10_000, 60_000, 1_000_000} {
			t.Run(fmt.Sprintf("%d releases in %d bytes", releases, limit), func(t *testing.T) {
				var b bytes.Buffer
				if err := Write(&b, FormatMarkdown, large(releases), Options{Limit: limit}); err != nil {
					t.Fatal(err)
				}
				text := b.String()
				if len(text) > limit {
					t.Errorf("%d bytes", len(text))
				}
				checkMarkdown(t, text)
				told := map[string]int{"row": strings.Count(text, "| upgrade |"), "release": strings.Count(text, "</details>")}
				for _, m := range leftOut.FindAllStringSubmatch(text, -1) {
					var n int
					fmt.Sscan(m[3], &n)
					told[m[4]] += n
				}
				if told["row"] != releases || told["release"] != releases {
					t.Errorf("of %d releases %d rows and %d details are there or counted", releases, told["row"], told["release"])
				}
			})
		}
	}
}

func TestFencesAreLongerThanWhatTheyHold(t *testing.T) {
	for _, inside := range []string{"", "a", "```", "a ```` b", "`````\n``", strings.Repeat("`", 50)} {
		lines := strings.Split(strings.TrimSuffix(fenced("diff", inside), "\n"), "\n")
		last := lines[len(lines)-1]
		if lines[0] != last+"diff" || len(last) < 3 || strings.Trim(last, "`") != "" || inside != "" && strings.Contains(inside, last) {
			t.Errorf("%q in %q", inside, lines)
		}
	}
}

func TestTextsAreEscapedOnlyWhereTheyMustBe(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain words", "upgrade, chart app-1.0.0 -> app-1.1.0", "upgrade, chart app-1.0.0 -&#62; app-1.1.0"},
		{"a pipe in a cell", "a|b", "a&#124;b"},
		{"what looks like a list", "- a", "&#45; a"},
		{"what looks like a numbered list", "1. a 2. b", "1&#46; a 2. b"},
		{"several lines", "a\n\n# b\tc", "a &#35;&#8203; b c"},
		{"a digest behind a name", "nginx@sha256:12", "nginx&#64;sha256:12"},
		{"a mention", "ask @team (@me)", "ask &#64;&#8203;team (&#64;&#8203;me)"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := escaped(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
