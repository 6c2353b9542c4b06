package report

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan/diff"
)

// text makes a text that every format can hold: valid UTF-8 without control
// characters but line ends and tabs. What it replaces stays visible as U+FFFD.
func text(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if utf8.ValidString(s) && strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// unprintable are control characters, those that turn the direction of what
// follows, and what XML 1.0 has no place for.
func unprintable(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return true
	default:
		return r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF
	}
}

// line is a text on one line.
func line(s string) string { return strings.Join(strings.Fields(text(s)), " ") }

// filled is a line that is not empty.
func filled(s string) string {
	if s = line(s); s == "" {
		return "-"
	}
	return s
}

// text writes a description without any layout.
func (d words) text() string {
	var b strings.Builder
	put := func(lines ...string) {
		for _, l := range lines {
			if l != "" {
				b.WriteString(l + "\n")
			}
		}
	}
	put(d.Headline)
	if d.Because != "" {
		put("because " + d.Because)
	}
	put(d.Drift...)
	for _, o := range d.Objects {
		put(o.Sign + " " + o.Title)
		put(o.Notes...)
		for _, l := range diffLines(o.Lines) {
			put("  " + l)
		}
	}
	put(d.Folds...)
	put(d.Hidden)
	put(d.Objections...)
	return strings.TrimRight(b.String(), "\n")
}

// words are a description of a step.
type words view.Description

// diffLines are the lines as diff -u marks them.
func diffLines(lines []diff.Line) []string {
	all := make([]string, 0, len(lines))
	for _, l := range lines {
		switch l.Kind {
		case diff.LineGap:
			all = append(all, strings.TrimRight("@@ "+text(l.Text), " ")+" @@")
		case diff.LineAdd, diff.LineRemove, diff.LineSame:
			all = append(all, string(rune(l.Kind))+" "+text(l.Text))
		}
	}
	return all
}
