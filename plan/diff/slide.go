package diff

import "strings"

// slid moves runs of added or removed lines to where a reader expects them.
// Where the line after a run equals the first of it, as with elements that end
// alike, the run may as well begin a line later: of all places it takes the last
// one at which its first line stands farthest left, which is where an element
// begins. It changes the lines it is given.
func slid(lines []Line) []Line {
	for from := 0; from < len(lines); {
		kind := lines[from].Kind
		to := from + 1
		for to < len(lines) && lines[to].Kind == kind {
			to++
		}
		alone := (from == 0 || lines[from-1].Kind == LineSame) && (to == len(lines) || lines[to].Kind == LineSame)
		if kind != LineSame && alone {
			to += max(slide(lines, from, to), 0)
		}
		from = to
	}
	return lines
}

// slide moves the run of lines between two indexes and says by how much, which
// is less than nothing for a move up.
func slide(lines []Line, from, to int) int {
	up, down := 0, 0
	for from-up > 0 && lines[from-up-1].Kind == LineSame && lines[from-up-1].Text == lines[to-up-1].Text {
		up++
	}
	for to+down < len(lines) && lines[to+down].Kind == LineSame && lines[to+down].Text == lines[from+down].Text {
		down++
	}
	best, left := 0, -1
	for by := -up; by <= down; by++ {
		text := lines[from+by].Text
		if indent := len(text) - len(strings.TrimLeft(text, " ")); left < 0 || indent <= left {
			best, left = by, indent
		}
	}
	kind := lines[from].Kind
	for n := from - up; n < to+down; n++ {
		lines[n].Kind = LineSame
		if n >= from+best && n < to+best {
			lines[n].Kind = kind
		}
	}
	return best
}
