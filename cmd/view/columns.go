package view

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"

	"github.com/flotilla-sh/flotilla/plan/diff"
)

const (
	fixedWidth   = 130 // of two columns where there is no terminal, as of diff -y
	narrowest    = 20  // of the text of one column, however small the terminal is
	tabWidth     = 8
	columnGutter = " │ "
)

// columns prints what was and what will be side by side, in the width of the
// terminal. What does not fit into a column goes on below.
func (h *human) columns(b *strings.Builder, rows []diff.Row) {
	total := 0
	if h.streams.Columns != nil {
		total = h.streams.Columns()
	}
	if total <= 0 {
		total = fixedWidth
	}
	one := max((total-len(pad)-utf8.RuneCountInString(columnGutter))/2-len("- "), narrowest)
	for _, r := range rows {
		if r.Left.Kind == diff.LineGap {
			b.WriteString(pad + h.paint(dim, gap(r.Left)) + "\n")
			continue
		}
		left, right := wrapped(r.Left, one), wrapped(r.Right, one)
		for n := range max(len(left), len(right)) {
			l, r := h.cell(r.Left.Kind, left, n), h.cell(r.Right.Kind, right, n)
			fill := strings.Repeat(" ", one+len("- ")-l.width)
			line := pad + l.text + fill + h.paint(dim, columnGutter) + r.text
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
}

// cell is one line of one column.
type cell struct {
	text  string
	width int // in columns of the terminal
}

// cell prints the n-th line of what a row says on one side.
func (h *human) cell(kind diff.LineKind, lines []diff.Line, n int) cell {
	if n >= len(lines) {
		return cell{}
	}
	sign := "  "
	if n == 0 && kind != diff.LineSame {
		sign = string(rune(kind)) + " "
	}
	w := len(sign) + columnsOf(lines[n].Text)
	switch kind {
	case diff.LineAdd:
		return cell{h.paintLine(green, sign, lines[n]), w}
	case diff.LineRemove:
		return cell{h.paintLine(red, sign, lines[n]), w}
	case diff.LineSame, diff.LineGap:
		return cell{sign + lines[n].Text, w}
	default:
		return cell{sign + lines[n].Text, w}
	}
}

// wrapped cuts a line into pieces that fit, with tabs as spaces and each piece
// with its marks. A side without a line has no piece.
func wrapped(l diff.Line, columns int) []diff.Line {
	if l.Kind == 0 {
		return nil
	}
	var pieces []diff.Line
	var text strings.Builder
	var marks []diff.Mark
	at := 0
	for offset, r := range l.Text {
		piece := string(r)
		w := runeColumns(r)
		if r == '\t' {
			w = min(tabWidth-at%tabWidth, columns)
			piece = strings.Repeat(" ", w)
		}
		if at+w > columns {
			pieces = append(pieces, diff.Line{Kind: l.Kind, Text: text.String(), Marks: marks})
			text.Reset()
			marks, at = nil, 0
		}
		if isMarked(l.Marks, offset) {
			marks = extended(marks, diff.Mark{From: text.Len(), To: text.Len() + len(piece)})
		}
		text.WriteString(piece)
		at += w
	}
	return append(pieces, diff.Line{Kind: l.Kind, Text: text.String(), Marks: marks})
}

func isMarked(marks []diff.Mark, offset int) bool {
	for _, m := range marks {
		if m.From <= offset && offset < m.To {
			return true
		}
	}
	return false
}

func extended(marks []diff.Mark, m diff.Mark) []diff.Mark {
	if n := len(marks); n > 0 && marks[n-1].To == m.From {
		marks[n-1].To = m.To
		return marks
	}
	return append(marks, m)
}

// columnsOf is how many columns of a terminal a text without tabs takes.
func columnsOf(text string) int {
	n := 0
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case r < 0x80:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
		return 2
	}
	return 1
}
