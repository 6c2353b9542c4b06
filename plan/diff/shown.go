package diff

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/state"
)

// Selection says what of the changes of a release is shown. The zero value
// shows everything.
type Selection struct {
	Kinds      []string // of objects that are not shown
	Lines      []string // regular expressions of differing lines that are not shown; what is none is ignored
	FoldLabels bool     // tell changes of version labels once for all objects
}

// Shown is what a reader sees of the changes of a release. Each change is in
// exactly one of its parts.
type Shown struct {
	Items []Item // in the order of the changes; a move stands where the new object does
	Folds []Fold // what FoldLabels took together

	HiddenKinds []string // suppressed kinds that have changes, sorted
	ByKind      int      // changes that are not shown for their kind
	ByLine      int      // changes of which every differing line is suppressed
}

// Hidden counts the changes that are suppressed as a whole.
func (s Shown) Hidden() int { return s.ByKind + s.ByLine }

// Item is a change as it is shown, or two that are shown as a move.
type Item struct {
	Change                // of a move: the object that comes, and the text of the one that goes as Before
	From   state.ObjectID // of a move: the object that goes
	Masked bool           // of a move: masked values of the two were not compared
	Labels []string       // version labels that are left out of the lines and told in a Fold, sorted

	before, after string // what is compared: the texts without what the title or a fold says
	lines         []Line // of before and after, without those that are not to be shown
	hide          []*regexp.Regexp
}

// Show arranges the changes of one release. It compares nothing anew: what the
// changes say, masked as they are, is all that it knows.
func Show(changes []Change, want Selection) Shown {
	var s Shown
	hidden := map[string]bool{}
	changes = slices.DeleteFunc(slices.Clone(changes), func(c Change) bool {
		suppressed := slices.Contains(want.Kinds, c.Object.Kind)
		if suppressed {
			hidden[c.Object.Kind] = true
			s.ByKind++
		}
		return suppressed
	})
	s.HiddenKinds = slices.Sorted(maps.Keys(hidden))
	items := moves(changes)
	if want.FoldLabels {
		items, s.Folds = fold(items)
	}
	expressions := compiled(want.Lines)
	for _, i := range items {
		i.lines, i.hide = withoutFolded(lineDiff(i.before, i.after)), expressions
		if len(expressions) > 0 {
			i.lines = withoutSuppressed(i.lines, expressions)
			if len(i.lines) == 0 {
				s.ByLine++
				continue
			}
		}
		s.Items = append(s.Items, i)
	}
	return s
}

// Unified gives the lines of an item as Change.Unified does, without those
// that are not to be shown.
func (i Item) Unified(context int) []Line {
	if context < 0 {
		return marked(i.lines)
	}
	return marked(cut(i.lines, context))
}

// Same says that nothing differs but what the title or a fold tells, as far as
// it is not masked.
func (i Item) Same() bool { return i.before == i.after }

// Texts gives Before and After without the lines that are not to be shown.
func (i Item) Texts() (before, after string) { return i.readable(i.Before), i.readable(i.After) }

func (i Item) readable(text string) string {
	if len(i.hide) == 0 {
		return text
	}
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !matches(i.hide, strings.TrimSuffix(line, "\n")) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// compiled leaves out what is no regular expression; whoever reads them refuses
// it.
func compiled(patterns []string) []*regexp.Regexp {
	var expressions []*regexp.Regexp
	for _, p := range patterns {
		if re, err := regexp.Compile(p); err == nil {
			expressions = append(expressions, re)
		}
	}
	return expressions
}

// withoutSuppressed drops differing lines that match; if no difference is left
// nothing is.
func withoutSuppressed(lines []Line, expressions []*regexp.Regexp) []Line {
	different := false
	kept := slices.DeleteFunc(slices.Clone(lines), func(l Line) bool {
		if l.Kind != LineAdd && l.Kind != LineRemove {
			return false
		}
		hide := matches(expressions, l.Text)
		different = different || !hide
		return hide
	})
	if !different {
		return nil
	}
	return kept
}

func matches(expressions []*regexp.Regexp, line string) bool {
	return slices.ContainsFunc(expressions, func(re *regexp.Regexp) bool { return re.MatchString(line) })
}
