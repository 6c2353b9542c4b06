package diff

import (
	"slices"
	"strings"
)

// mostCompared is how many lines of both sides are compared with each other at
// once, which costs the square of what differs.
const mostCompared = 2_000

// piecewise compares texts of any length, given as lines with their ends. It
// cuts them at the lines that each side has once, in the order that most of them
// have in both, until pieces are short enough to be compared line by line. What
// has no such line is replaced as a whole.
func piecewise(before, after []string) []Line {
	from := 0
	for from < min(len(before), len(after)) && before[from] == after[from] {
		from++
	}
	same, before, after := before[:from], before[from:], after[from:]
	to := 0
	for to < min(len(before), len(after)) && before[len(before)-1-to] == after[len(after)-1-to] {
		to++
	}
	ending := before[len(before)-to:]
	before, after = before[:len(before)-to], after[:len(after)-to]

	lines := allOf(LineSame, same)
	switch {
	case len(before) == 0 || len(after) == 0:
		lines = append(append(lines, allOf(LineRemove, before)...), allOf(LineAdd, after)...)
	case len(before)+len(after) <= mostCompared:
		lines = append(lines, exactly(strings.Join(before, ""), strings.Join(after, ""))...)
	default:
		anchors := anchored(before, after)
		if len(anchors) == 0 {
			lines = append(append(lines, allOf(LineRemove, before)...), allOf(LineAdd, after)...)
			break
		}
		var last anchor
		for _, a := range anchors {
			lines = append(lines, piecewise(before[last.before:a.before], after[last.after:a.after])...)
			lines = append(lines, allOf(LineSame, before[a.before:a.before+1])...)
			last = anchor{a.before + 1, a.after + 1}
		}
		lines = append(lines, piecewise(before[last.before:], after[last.after:])...)
	}
	return append(lines, allOf(LineSame, ending)...)
}

func allOf(kind LineKind, texts []string) []Line {
	lines := make([]Line, len(texts))
	for n, text := range texts {
		lines[n] = Line{Kind: kind, Text: strings.TrimSuffix(text, "\n")}
	}
	return lines
}

// anchor is a line that both sides have, by its indexes.
type anchor struct{ before, after int }

// anchored are the lines that each side has exactly once, of those the most that
// stand in the same order.
func anchored(before, after []string) []anchor {
	wanted := once(after)
	var both []anchor
	old := once(before)
	for n, text := range before {
		if at, unique := wanted[text]; unique && at >= 0 && old[text] >= 0 {
			both = append(both, anchor{n, at})
		}
	}
	// The longest row that ascends on the other side, too: ends holds, by length,
	// the row of that length that ends first.
	var ends []int
	previous := make([]int, len(both))
	for n, a := range both {
		at, _ := slices.BinarySearchFunc(ends, a.after, func(e, after int) int { return both[e].after - after })
		if previous[n] = -1; at > 0 {
			previous[n] = ends[at-1]
		}
		if at == len(ends) {
			ends = append(ends, n)
			continue
		}
		ends[at] = n
	}
	var row []anchor
	if len(ends) > 0 {
		for n := ends[len(ends)-1]; n >= 0; n = previous[n] {
			row = append(row, both[n])
		}
	}
	slices.Reverse(row)
	return row
}

// once gives the index of each line; -1 of one that is there more than once.
func once(lines []string) map[string]int {
	at := make(map[string]int, len(lines))
	for n, text := range lines {
		if _, twice := at[text]; twice {
			n = -1
		}
		at[text] = n
	}
	return at
}
