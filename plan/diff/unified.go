package diff

import (
	"slices"
	"strings"

	"github.com/sergi/go-diff/diffmatchpatch"
)

// LineKind tells what a line of a unified diff is.
type LineKind byte

// The kinds of lines. LineGap stands for lines left out between two hunks; its
// text is the path of what the lines after it are in, empty at the top.
const (
	LineSame   LineKind = ' '
	LineAdd    LineKind = '+'
	LineRemove LineKind = '-'
	LineGap    LineKind = '@'
)

// Line is one line of a unified diff, without its line end.
type Line struct {
	Kind  LineKind
	Text  string
	Marks []Mark // what differs from the line it replaces or is replaced by; none: no line does, or all of it
}

// Unified gives the lines of a change with that many lines of context around
// each difference; a negative context gives everything.
func (c Change) Unified(context int) []Line {
	lines := lineDiff(c.Before, c.After)
	if context < 0 {
		return lines
	}
	return cut(lines, context)
}

func lineDiff(before, after string) []Line {
	switch {
	case before == "":
		return linesOf(LineAdd, after)
	case after == "":
		return linesOf(LineRemove, before)
	}
	if strings.Count(before, "\n")+strings.Count(after, "\n") > mostCompared {
		return slid(piecewise(slices.Collect(strings.Lines(before)), slices.Collect(strings.Lines(after))))
	}
	return slid(exactly(before, after))
}

// exactly gives the shortest way from one text to the other.
func exactly(before, after string) []Line {
	dmp := diffmatchpatch.New()
	dmp.DiffTimeout = 0 // a timeout would make the result depend on the machine
	a, b, table := dmp.DiffLinesToRunes(before, after)
	diffs := dmp.DiffCharsToLines(dmp.DiffMainRunes(a, b, false), table)
	var lines []Line
	for _, d := range diffs {
		kind := LineSame
		switch d.Type {
		case diffmatchpatch.DiffInsert:
			kind = LineAdd
		case diffmatchpatch.DiffDelete:
			kind = LineRemove
		case diffmatchpatch.DiffEqual:
		}
		lines = append(lines, linesOf(kind, d.Text)...)
	}
	return lines
}

func linesOf(kind LineKind, text string) []Line {
	var lines []Line
	for line := range strings.Lines(text) {
		lines = append(lines, Line{Kind: kind, Text: strings.TrimSuffix(line, "\n")})
	}
	return lines
}

// cut keeps the lines that are at most context lines away from a difference.
func cut(lines []Line, context int) []Line {
	keep := make([]bool, len(lines))
	for i, l := range lines {
		if l.Kind == LineSame {
			continue
		}
		for j := max(0, i-context); j <= min(len(lines)-1, i+context); j++ {
			keep[j] = true
		}
	}
	var kept []Line
	for i, l := range lines {
		if keep[i] {
			if n := len(kept); n > 0 && kept[n-1].Kind == LineGap {
				kept[n-1].Text = place(lines, i)
			}
			kept = append(kept, l)
			continue
		}
		if len(kept) == 0 || kept[len(kept)-1].Kind != LineGap {
			kept = append(kept, Line{Kind: LineGap})
		}
	}
	if len(kept) == 1 && kept[0].Kind == LineGap {
		return nil
	}
	return kept
}
