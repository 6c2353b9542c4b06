package diff

import (
	"cmp"
	"slices"
	"strings"
)

// How alike the texts of two objects must be to be shown as one that moved, in
// parts of their lines. Names that say it already ask for less.
const (
	alike      = 0.7
	alikeNamed = 0.5
)

// comparisons bounds the pairs of one kind whose texts are compared. Of more,
// only those with related names are: nobody reads hundreds of moves, and what
// they cost grows with the square.
const comparisons = 10_000

// moves makes items of changes. An object that goes and one of the same kind
// that comes with nearly the same content become one item, the most alike
// first, ties in the order of the objects. One that is kept when it goes from
// the release does not move.
//
// A masked value counts neither for nor against: equal masks are no equal
// values, and a reader must learn nothing of them. Of Secrets little but the
// names of keys is left, so only those with related names are paired.
func moves(changes []Change) []Item {
	from := paired(changes)
	gone := make([]bool, len(changes))
	for _, r := range from {
		gone[r] = true
	}
	items := make([]Item, 0, len(changes))
	for n, c := range changes {
		r, moved := from[n]
		switch {
		case gone[n]:
		case moved:
			items = append(items, moveOf(changes[r], c))
		default:
			items = append(items, Item{Change: c, before: c.Before, after: c.After})
		}
	}
	return items
}

// candidate is a pair of changes, by index.
type candidate struct {
	removed, added int
	score          float64
}

// paired gives for each added object that moved the one that it was.
func paired(changes []Change) map[int]int {
	var removed, added []int
	for n, c := range changes {
		switch {
		case c.Op == OpRemove && !strings.Contains(c.Before, "helm.sh/resource-policy: keep"):
			removed = append(removed, n)
		case c.Op == OpAdd:
			added = append(added, n)
		}
	}
	if len(removed) == 0 || len(added) == 0 {
		return nil
	}
	texts := map[int]content{}
	for _, n := range slices.Concat(removed, added) {
		texts[n] = contentOf(changes[n])
	}
	all := len(removed)*len(added) <= comparisons
	var pairs []candidate
	for _, r := range removed {
		for _, a := range added {
			old, wanted := changes[r], changes[a]
			if old.Object.Kind != wanted.Object.Kind || old.Object.Group != wanted.Object.Group || old.Hook != wanted.Hook {
				continue
			}
			named := related(old.Object.Name, wanted.Object.Name)
			if !named && (!all || old.Object.Kind == "Secret") {
				continue
			}
			least := alike
			if named {
				least = alikeNamed
			}
			if score := similarity(texts[r], texts[a]); score >= least {
				pairs = append(pairs, candidate{r, a, score})
			}
		}
	}
	return closest(pairs)
}

// closest takes pairs by their likeness until no object is left for one.
func closest(pairs []candidate) map[int]int {
	slices.SortFunc(pairs, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.removed, b.removed), cmp.Compare(a.added, b.added))
	})
	from, taken := map[int]int{}, map[int]bool{}
	for _, p := range pairs {
		if _, found := from[p.added]; !found && !taken[p.removed] {
			from[p.added], taken[p.removed] = p.removed, true
		}
	}
	return from
}

// related says whether two names are equal, or differ only in a hash of the
// content at their end.
func related(a, b string) bool {
	if a == b {
		return true
	}
	i, j := strings.LastIndexByte(a, '-'), strings.LastIndexByte(b, '-')
	return i > 0 && j > 0 && a[:i] == b[:j] && isHash(a[i+1:]) && isHash(b[j+1:])
}

// isHash says whether a part of a name is no word: those of Helm's sha256sum
// and of kustomize have digits, or at least no vowel.
func isHash(part string) bool {
	if len(part) < 5 || strings.ContainsFunc(part, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
		return false
	}
	return strings.ContainsAny(part, "0123456789") || !strings.ContainsAny(part, "aeiou")
}

// maskOpening is how all that stands in the place of a secret begins, such as
// spec.Masked.
const maskOpening = "(masked"

// content is what of an object is compared: how often it has which line, and
// how many there are.
type content struct {
	lines map[string]int
	count int
}

func contentOf(c Change) content {
	all := content{lines: map[string]int{}}
	for line := range strings.Lines(withName(c.Before+c.After, "", "")) {
		line, _, _ = strings.Cut(line, maskOpening)
		all.lines[line]++
		all.count++
	}
	return all
}

func similarity(a, b content) float64 {
	common := 0
	for line, n := range a.lines {
		common += min(n, b.lines[line])
	}
	return 2 * float64(common) / float64(max(a.count+b.count, 1))
}

func moveOf(removed, added Change) Item {
	i := Item{Change: added, From: removed.Object, Masked: strings.Contains(removed.Before+added.After, maskOpening)}
	i.Op, i.Before = OpMove, removed.Before
	i.before, i.after = withName(removed.Before, nameOf(added.After), namespaceOf(added.After)), added.After
	return i
}

func nameOf(text string) string      { return metadata(text, "name") }
func namespaceOf(text string) string { return metadata(text, "namespace") }

// metadata reads the line of a field of an object's own metadata.
func metadata(text, field string) string {
	found := ""
	eachLine(text, func(line string, own bool) {
		if own && strings.HasPrefix(line, "  "+field+": ") {
			found = line
		}
	})
	return found
}

// withName replaces the lines that name an object, which the title of a move
// says already.
func withName(text, name, namespace string) string {
	var b strings.Builder
	eachLine(text, func(line string, own bool) {
		switch {
		case own && strings.HasPrefix(line, "  name: "):
			b.WriteString(name)
		case own && strings.HasPrefix(line, "  namespace: "):
			b.WriteString(namespace)
		default:
			b.WriteString(line)
		}
	})
	return b.String()
}

// eachLine goes over the lines of an object and says of each whether it is in
// the object's own metadata.
func eachLine(text string, do func(line string, own bool)) {
	own := false
	for line := range strings.Lines(text) {
		if line[0] != ' ' {
			own = line == "metadata:\n"
		}
		do(line, own)
	}
}
