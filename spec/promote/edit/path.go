package edit

import (
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/origin"
)

// Step is one step of a path: a key of a map, or an element of a list, which is
// meant by its number or by one of its keys.
type Step struct {
	Key   string // of a map; or, with Is, of the element that is meant
	Is    string // InList only: the element whose Key has this value
	Index int    // InList only, where Key is empty
	In    Kind
}

// Kind says what a step leads into.
type Kind string

// What steps lead into.
const (
	InMap  Kind = ""
	InList Kind = "list"
)

// Path leads from the root of a document to a value.
type Path []Step

// Key makes a step into a map.
func Key(name string) Step { return Step{Key: name} }

// Index makes a step to an element of a list, counted from 0.
func Index(i int) Step { return Step{Index: i, In: InList} }

// Named makes a step to the element of a list of maps that has a value under a
// key, such as name.
func Named(key, value string) Step { return Step{Key: key, Is: value, In: InList} }

// Keys makes a path of keys alone.
func Keys(names ...string) Path {
	var p Path
	for _, name := range names {
		p = append(p, Key(name))
	}
	return p
}

// With gives the path one step longer; p stays as it is.
func (p Path) With(s Step) Path { return append(p[:len(p):len(p)], s) }

// String prints a path as people write it: a.b[0].c, a[name=web].c.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.list() && s.Key != "":
			fmt.Fprintf(&b, "[%s=%s]", s.Key, s.Is)
			continue
		case s.list():
			fmt.Fprintf(&b, "[%d]", s.Index)
			continue
		case i > 0:
			b.WriteByte('.')
		}
		b.WriteString(origin.KeyText(s.Key))
	}
	return b.String()
}

func (s Step) list() bool { return s.In == InList }
