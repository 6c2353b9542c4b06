package lock

import (
	"fmt"
	"slices"
)

// Change is one difference between what was pinned and what is found.
type Change struct {
	What string // the chart or the source
	Was  string // empty: it was not pinned
	Is   string // empty: nothing asks for it any more
}

// String tells it in one line.
func (c Change) String() string {
	switch {
	case c.Was == "":
		return fmt.Sprintf("+ %s  %s", c.What, c.Is)
	case c.Is == "":
		return fmt.Sprintf("- %s  %s", c.What, c.Was)
	default:
		return fmt.Sprintf("~ %s  %s -> %s", c.What, c.Was, c.Is)
	}
}

// Changes says in what e differs from what was pinned before: charts first, each
// in the order of the file.
func (e Environment) Changes(before Environment) []Change {
	e, before = e.sorted(), before.sorted()
	var changes []Change
	for _, c := range e.Charts {
		was, known := before.Chart(c.Chart, c.Repository, c.Requested)
		switch {
		case !known:
			changes = append(changes, Change{What: c.name(), Is: c.content()})
		case was != c:
			changes = append(changes, Change{What: c.name(), Was: was.content(), Is: c.content()})
		}
	}
	for _, c := range before.Charts {
		if _, still := e.Chart(c.Chart, c.Repository, c.Requested); !still {
			changes = append(changes, Change{What: c.name(), Was: c.content()})
		}
	}
	return slices.Concat(changes, e.sources(before))
}

func (e Environment) sources(before Environment) []Change {
	var changes []Change
	for _, s := range e.Sources {
		was, known := before.Source(s.URL)
		switch {
		case !known:
			changes = append(changes, Change{What: s.URL, Is: s.content()})
		case was != s:
			changes = append(changes, Change{What: s.URL, Was: was.content(), Is: s.content()})
		}
	}
	for _, s := range before.Sources {
		if _, still := e.Source(s.URL); !still {
			changes = append(changes, Change{What: s.URL, Was: s.content()})
		}
	}
	return changes
}

func (c Chart) name() string {
	if c.Requested == "" {
		return c.Chart
	}
	return c.Chart + " (" + c.Requested + ")"
}

func (c Chart) content() string { return join(c.Version, short(c.Digest)) }

func (s Source) content() string {
	const shown = 10
	return join(s.Commit[:min(len(s.Commit), shown)], short(s.Digest))
}

func join(name, digest string) string {
	if name == "" {
		return digest
	}
	return name + " " + digest
}

// short is enough of a digest for people to see that it is another one.
func short(digest string) string {
	const shown = len("sha256:") + 12
	return digest[:min(len(digest), shown)]
}
