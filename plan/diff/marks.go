package diff

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sergi/go-diff/diffmatchpatch"
)

// Mark is a part of a line that differs from the line it stands against, as
// byte offsets of its text.
type Mark struct{ From, To int }

// Row is one row of two columns: what was and what will be. A side that has
// nothing there has the Kind zero; both are LineGap where lines are left out.
type Row struct{ Left, Right Line }

// SideBySide sets the lines of a unified diff in two columns, each removed line
// beside the added one that stands for it.
func SideBySide(lines []Line) []Row {
	rows := make([]Row, 0, len(lines))
	for len(lines) > 0 {
		if k := lines[0].Kind; k == LineSame || k == LineGap {
			rows = append(rows, Row{lines[0], lines[0]})
			lines = lines[1:]
			continue
		}
		removed, added, rest := block(lines)
		lines = rest
		j := 0
		for i, p := range partners(removed, added) {
			if p < 0 {
				rows = append(rows, Row{Left: *removed[i]})
				continue
			}
			for ; j < p; j++ {
				rows = append(rows, Row{Right: *added[j]})
			}
			rows = append(rows, Row{*removed[i], *added[p]})
			j = p + 1
		}
		for ; j < len(added); j++ {
			rows = append(rows, Row{Right: *added[j]})
		}
	}
	return rows
}

// marked notes on each line that was replaced by another which of its words
// differ. It changes the lines it is given.
func marked(lines []Line) []Line {
	for rest := lines; len(rest) > 0; {
		if k := rest[0].Kind; k == LineSame || k == LineGap {
			rest = rest[1:]
			continue
		}
		var removed, added []*Line
		removed, added, rest = block(rest)
		for i, p := range partners(removed, added) {
			if p >= 0 {
				removed[i].Marks, added[p].Marks = words(removed[i].Text, added[p].Text)
			}
		}
	}
	return lines
}

// block gives the removed and the added lines that follow each other, and the
// lines after them.
func block(lines []Line) (removed, added []*Line, rest []Line) {
	for i := range lines {
		switch l := &lines[i]; l.Kind {
		case LineRemove:
			removed = append(removed, l)
		case LineAdd:
			added = append(added, l)
		case LineSame, LineGap:
			return removed, added, lines[i:]
		default:
			return removed, added, lines[i:]
		}
	}
	return removed, added, nil
}

// partners gives for each removed line the index of the added one that stands
// for it, or -1. Lines with the same key belong together, in order. Of lines
// without a key, such as elements of a list of texts, the n-th belongs to the
// n-th where both sides have as many between two that belong together.
func partners(removed, added []*Line) []int {
	byKey := make(map[string][]int, len(added))
	for j, a := range added {
		if k := keyOf(a.Text); k != "" {
			byKey[k] = append(byKey[k], j)
		}
	}
	found := make([]int, len(removed))
	from, next := 0, 0
	for i, r := range removed {
		found[i] = -1
		k := keyOf(r.Text)
		for len(byKey[k]) > 0 && found[i] < 0 {
			if j := byKey[k][0]; j >= next {
				found[i] = j
			}
			byKey[k] = byKey[k][1:]
		}
		if found[i] >= 0 {
			pairKeyless(removed[from:i], added[next:found[i]], found[from:i], next)
			from, next = i+1, found[i]+1
		}
	}
	pairKeyless(removed[from:], added[next:], found[from:], next)
	return found
}

// pairKeyless pairs the lines without a key if both sides have as many; first is
// the index of the first added one.
func pairKeyless(removed, added []*Line, found []int, first int) {
	without := func(lines []*Line) (at []int) {
		for n, l := range lines {
			if keyOf(l.Text) == "" {
				at = append(at, n)
			}
		}
		return at
	}
	old, wanted := without(removed), without(added)
	if len(old) != len(wanted) {
		return
	}
	for n := range old {
		found[old[n]] = first + wanted[n]
	}
}

// keyOf is the key of a line of YAML with its indentation; empty: it has none.
func keyOf(text string) string {
	key, _, found := strings.Cut(text, ": ")
	if !found {
		key, found = strings.CutSuffix(text, ":")
	}
	if !found {
		return ""
	}
	return key
}

// longestMarked is how long a line may be to be compared word by word, which
// costs the square of what differs.
const longestMarked = 2_000

// words compares two lines word by word. Lines with nothing but spaces and
// signs in common get no marks: all of them differs.
func words(before, after string) (removed, added []Mark) {
	if len(before) > longestMarked || len(after) > longestMarked {
		return nil, nil
	}
	tokens := map[string]rune{}
	dmp := diffmatchpatch.New()
	dmp.DiffTimeout = 0 // a timeout would make the result depend on the machine
	a, lengthsA := tokenized(before, tokens)
	b, lengthsB := tokenized(after, tokens)
	i, j, from, to, common := 0, 0, 0, 0, false
	advance := func(runes int, lengths []int, at, offset int) (int, int) {
		for range runes {
			offset += lengths[at]
			at++
		}
		return at, offset
	}
	for _, d := range dmp.DiffMainRunes(a, b, false) {
		n, startA, startB := len([]rune(d.Text)), from, to
		if d.Type != diffmatchpatch.DiffInsert {
			i, from = advance(n, lengthsA, i, from)
		}
		if d.Type != diffmatchpatch.DiffDelete {
			j, to = advance(n, lengthsB, j, to)
		}
		switch d.Type {
		case diffmatchpatch.DiffDelete:
			removed = joined(removed, Mark{startA, from}, before)
		case diffmatchpatch.DiffInsert:
			added = joined(added, Mark{startB, to}, after)
		case diffmatchpatch.DiffEqual:
			common = common || strings.ContainsFunc(before[startA:from], isWord)
		}
	}
	if !common {
		return nil, nil
	}
	return removed, added
}

// joined adds a mark without the spaces at its ends; one that only spaces keep
// from the last extends that.
func joined(marks []Mark, m Mark, text string) []Mark {
	if bare := strings.TrimSpace(text[m.From:m.To]); bare != "" {
		m.From += strings.Index(text[m.From:m.To], bare)
		m.To = m.From + len(bare)
	}
	if n := len(marks); n > 0 && strings.TrimSpace(text[marks[n-1].To:m.From]) == "" {
		marks[n-1].To = m.To
		return marks
	}
	return append(marks, m)
}

func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_' || r == '.'
}

// tokenized cuts a text into words and single other characters, gives each
// distinct one a rune, and tells how long each is in bytes.
func tokenized(text string, tokens map[string]rune) (runes []rune, lengths []int) {
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		for word := isWord(r); word && n < len(text); {
			next, size := utf8.DecodeRuneInString(text[n:])
			if word = isWord(next); word {
				n += size
			}
		}
		if _, known := tokens[text[:n]]; !known {
			tokens[text[:n]] = token(len(tokens))
		}
		runes, lengths = append(runes, tokens[text[:n]]), append(lengths, n)
		text = text[n:]
	}
	return runes, lengths
}

// token gives the n-th rune that stands for a token; those of the surrogates
// would not survive a string.
func token(n int) rune {
	const first, surrogates, after = 0x21, 0xD800, 0xE000
	r := rune(first + n)
	if r >= surrogates {
		r += after - surrogates
	}
	return r
}
