// Package edit changes single values in YAML texts in place. It splices the text
// where the value stands, so that all other bytes stay as they are: comments,
// order, quotes, anchors, indentation, line ends.
//
// # Decisions
//
// The parser says where a value begins, the text itself where it ends. Because
// the two may disagree in a corner of YAML that nobody thought of, every change
// is read again: what comes out has to be the tree that was there with only the
// wanted values in it, or else nothing is changed and the caller is told. An
// edit that is refused costs a minute, one that is wrong a production system.
//
// What anchors share is changed as one only where all that share it were asked
// for the same value, or where the caller allows it.
package edit

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// ErrHand says that a change has to be made by hand: the text has a form in
// which it cannot be made safely.
var ErrHand = errors.New("change it by hand")

// SharedError says that a change would change other values, too, because an
// anchor shares them.
type SharedError struct {
	Path   string   // what was to be changed
	Line   int      // where the shared value stands
	Others []string // paths that would change with it
}

// Error names the others and says what to do.
func (e *SharedError) Error() string {
	return fmt.Sprintf("%s is shared through an anchor, and changing it in line %d would change %s, too: give %s a value of its own, or change all of them",
		e.Path, e.Line, strings.Join(e.Others, ", "), e.Path)
}

// ChangeError says which change could not be made.
type ChangeError struct {
	Change int // index into the changes
	Err    error
}

// Error tells the cause, which names the path.
func (e *ChangeError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ChangeError) Unwrap() error { return e.Err }

// LastDoc stands for the last document that says the path, or for the last one
// where none does.
const LastDoc = -1

// Change is one value that a text should have.
type Change struct {
	Doc  int // the document, counted from 0 without those that hold nothing; or LastDoc
	Path Path
	// Value is a string, bool, int, int64, float64 or nil.
	Value any
	// Along lets values change with this one that an anchor shares with it. They
	// are told in Done.
	Along bool
}

// Done is what became of a change.
type Done struct {
	Line    int  // in the text as it came out: of the value, or of the key that was added
	Changed bool // false: the value was there already
	Added   bool // the key was not there
	Before  any  // the value that was there
	Also    []string
}

// Set gives the text with all the changes made, in their order, and one Done for
// each. A change that cannot be made fails all of them, with a *ChangeError. Making the same changes
// again gives the same text.
func Set(text []byte, changes ...Change) ([]byte, []Done, error) {
	done := make([]Done, len(changes))
	for i, c := range changes {
		s, err := parse(text)
		if err != nil {
			return nil, nil, err
		}
		before := text
		if text, done[i], err = s.set(c, changes); err != nil {
			return nil, nil, &ChangeError{Change: i, Err: err}
		}
		shift := strings.Count(string(text), "\n") - strings.Count(string(before), "\n")
		for j := range done[:i] {
			if shift != 0 && done[j].Line > done[i].Line {
				done[j].Line += shift
			}
		}
	}
	return text, done, nil
}

// Value gives the value at a path of the document that Change.Doc means, and its
// line. Found is false where there is none.
func Value(text []byte, doc int, path Path) (v any, line int, found bool, err error) {
	s, err := parse(text)
	if err != nil {
		return nil, 0, false, err
	}
	at, err := s.find(doc, path)
	if err != nil || len(at.rest) > 0 {
		return nil, 0, false, err
	}
	return plain(at.node), at.line(), true, nil
}

// PathAt gives the path of the value that begins at a place, or whose key does,
// and its document. Ok is false where none begins.
func PathAt(text []byte, line, col int) (doc int, path Path, ok bool, err error) {
	s, err := parse(text)
	if err != nil {
		return 0, nil, false, err
	}
	var walk func(n *yaml.Node, at Path) bool
	here := func(n *yaml.Node) bool { return n.Line == line && n.Column == col }
	walk = func(n *yaml.Node, at Path) bool {
		if here(n) && len(at) > 0 {
			path = at
			return true
		}
		for i, c := range n.Content {
			switch {
			case n.Kind == yaml.SequenceNode:
				if walk(c, at.With(Index(i))) {
					return true
				}
			case n.Kind == yaml.MappingNode && i%2 == 1:
				next := at.With(Key(schema.Resolve(n.Content[i-1]).Value))
				if here(n.Content[i-1]) {
					path = next
					return true
				}
				if walk(c, next) {
					return true
				}
			}
		}
		return false
	}
	for i, root := range s.docs {
		if walk(root, nil) {
			return i, path, true, nil
		}
	}
	return 0, nil, false, nil
}

// set makes one change.
func (s *source) set(c Change, all []Change) ([]byte, Done, error) {
	if _, ok := scalarText(c.Value); !ok {
		return nil, Done{}, fmt.Errorf("%s: %w: a %T is no single value", c.Path, ErrHand, c.Value)
	}
	at, err := s.find(c.Doc, c.Path)
	if err != nil {
		return nil, Done{}, err
	}
	var e splice
	var also []Path
	done := Done{Changed: true, Line: at.line(), Added: len(at.rest) > 0}
	if done.Added {
		e, also, err = s.add(at, c)
	} else {
		done.Before = plain(at.node)
		if same(done.Before, at.node, c.Value) {
			done.Changed = false
			return s.text, done, nil
		}
		e, also, err = s.replace(at, c, all)
	}
	if err != nil {
		return nil, Done{}, err
	}
	out := s.spliced(e)
	if err := s.check(out, at, c, also); err != nil {
		return nil, Done{}, err
	}
	done.Line, done.Also = s.lineOf(e), names(also)
	return out, done, nil
}

// replace finds out where the value of an existing path has to be changed.
func (s *source) replace(at spot, c Change, all []Change) (splice, []Path, error) {
	if at.node.Kind != yaml.ScalarNode {
		return splice{}, nil, fmt.Errorf("%s: %w: there is %s in line %d, and a single value is wanted", c.Path, ErrHand, kind(at.node), at.line())
	}
	others := s.sharing(at, at.node)
	switch {
	case len(others) == 0, asked(others, c, all):
		e, err := s.overwrite(at.node, at.inFlow, c)
		return e, others, err
	case at.own && at.last.Kind == yaml.AliasNode:
		e, err := s.overwriteAlias(at, c)
		return e, nil, err
	case at.merged && len(s.sharing(spot{doc: at.doc, path: at.path[:len(at.path)-1]}, at.parent)) == 0:
		e, err := s.insert(at.parent, []string{at.path[len(at.path)-1].Key}, c)
		return e, nil, err
	case c.Along:
		e, err := s.overwrite(at.node, at.inFlow, c)
		return e, others, err
	}
	return splice{}, nil, &SharedError{Path: c.Path.String(), Line: at.node.Line, Others: names(others)}
}

// add finds out where a key that is not there has to be put.
func (s *source) add(at spot, c Change) (splice, []Path, error) {
	keys := make([]string, 0, len(at.rest))
	for _, step := range at.rest {
		if step.list() {
			return splice{}, nil, fmt.Errorf("%s: %w: the list in line %d has no such element", c.Path, ErrHand, at.line())
		}
		keys = append(keys, step.Key)
	}
	if at.node.Kind != yaml.MappingNode && !schema.IsNull(at.node) {
		return splice{}, nil, fmt.Errorf("%s: %w: there is %s in line %d, and a map is wanted", c.Path, ErrHand, kind(at.node), at.line())
	}
	others := s.sharing(at, at.node)
	if len(others) > 0 && !c.Along {
		return splice{}, nil, &SharedError{Path: c.Path.String(), Line: at.line(), Others: names(others)}
	}
	var also []Path
	for _, o := range others {
		also = append(also, append(o[:len(o):len(o)], at.rest...))
	}
	if at.node.Kind != yaml.MappingNode {
		e, err := s.fill(at, keys, c)
		return e, also, err
	}
	e, err := s.insert(at.node, keys, c)
	return e, also, err
}

// asked reports whether all of the paths are to get the value of the change.
func asked(paths []Path, c Change, all []Change) bool {
	for _, p := range paths {
		found := false
		for _, other := range all {
			found = found || other.Path.String() == p.String() && other.Value == c.Value
		}
		if !found {
			return false
		}
	}
	return true
}

// kind names what a node is, without its value, which may be a secret.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

func names(paths []Path) []string {
	var out []string
	for _, p := range paths {
		out = append(out, p.String())
	}
	return out
}
