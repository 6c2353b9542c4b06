package edit

import (
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// spot is how far a path leads in a document.
type spot struct {
	doc    int
	path   Path       // the steps that were found, those into lists by number
	rest   Path       // the steps that were not
	node   *yaml.Node // the value found, aliases followed
	last   *yaml.Node // the same before its alias was followed
	key    *yaml.Node // of the last step into a map; nil: none
	parent *yaml.Node // the map that holds it, or merges in what does
	merged bool       // it is there through a merge key of parent
	own    bool       // no alias or merge key was followed on the way to last
	inFlow bool       // it stands inside brackets
}

func (at spot) line() int {
	if at.key != nil {
		return at.key.Line
	}
	return at.node.Line
}

// find follows a path as far as it leads.
func (s *source) find(doc int, path Path) (spot, error) {
	if len(s.docs) == 0 {
		return spot{node: &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: 1, Column: 1}, rest: path, own: true}, nil
	}
	if doc != LastDoc {
		if doc < 0 || doc >= len(s.docs) {
			return spot{}, fmt.Errorf("%s: there is no document %d", path, doc)
		}
		return s.follow(doc, path)
	}
	for i := len(s.docs) - 1; i >= 0; i-- {
		at, err := s.follow(i, path)
		if err != nil || len(at.rest) == 0 {
			return at, err
		}
	}
	return s.follow(len(s.docs)-1, path)
}

func (s *source) follow(doc int, path Path) (spot, error) {
	root := s.docs[doc]
	at := spot{doc: doc, node: schema.Resolve(root), last: root, own: true}
	for i, step := range path {
		next, ok, err := at.step(step)
		if err != nil {
			return spot{}, fmt.Errorf("%s: %w", path, err)
		}
		if !ok {
			at.rest = path[i:]
			return at, nil
		}
		at = next
	}
	return at, nil
}

// step follows one step; ok is false where there is no such value.
func (at spot) step(step Step) (next spot, ok bool, err error) {
	next = spot{doc: at.doc, own: at.own && at.last.Kind != yaml.AliasNode, parent: at.node}
	next.inFlow = at.inFlow || at.node.Style&yaml.FlowStyle != 0
	switch {
	case at.node.Kind == yaml.MappingNode && !step.list():
		pair, merged := pairOf(at.node, step.Key)
		if pair.Value == nil {
			return next, false, nil
		}
		next.key, next.last, next.merged = pair.Key, pair.Value, merged
		next.own = next.own && !merged
		next.path = at.path.With(Key(step.Key))
	case at.node.Kind == yaml.SequenceNode && step.list():
		i, err := element(at.node, step)
		if err != nil || i < 0 {
			return next, false, err
		}
		next.last = at.node.Content[i]
		next.path = at.path.With(Index(i))
	default:
		return next, false, nil
	}
	next.node = schema.Resolve(next.last)
	return next, true, nil
}

// pairOf finds a key of a map: its own, or else one that it merges in. The value
// is as it is written, an alias included.
func pairOf(m *yaml.Node, key string) (pair schema.Pair, merged bool) {
	var merges []*yaml.Node
	for i := 0; i+1 < len(m.Content); i += 2 {
		k, v := m.Content[i], m.Content[i+1]
		if k.ShortTag() == "!!merge" {
			merges = append(merges, schema.Resolve(v))
			continue
		}
		if schema.Resolve(k).Value == key {
			return schema.Pair{Key: k, Value: v}, false
		}
	}
	for _, from := range merges {
		maps := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			maps = from.Content
		}
		for _, one := range maps {
			if pair, _ = pairOf(schema.Resolve(one), key); pair.Value != nil {
				return pair, true
			}
		}
	}
	return schema.Pair{}, false
}

// element finds the number of an element; negative: there is none.
func element(list *yaml.Node, step Step) (int, error) {
	if step.Key == "" {
		if step.Index < 0 || step.Index >= len(list.Content) {
			return -1, nil
		}
		return step.Index, nil
	}
	found := -1
	for i, c := range list.Content {
		c = schema.Resolve(c)
		if c.Kind != yaml.MappingNode {
			continue
		}
		if pair, _ := pairOf(c, step.Key); pair.Value == nil || schema.Resolve(pair.Value).Value != step.Is {
			continue
		}
		if found >= 0 {
			return -1, fmt.Errorf("%w: two elements of the list have %s %s, in lines %d and %d", ErrHand, step.Key, step.Is, list.Content[found].Line, list.Content[i].Line)
		}
		found = i
	}
	return found, nil
}

// sharing lists the other paths of the document that lead to the very same node.
func (s *source) sharing(at spot, n *yaml.Node) []Path {
	if len(s.docs) == 0 || !aliased(s.docs[at.doc]) {
		return nil
	}
	self := at.path.String()
	var out []Path
	var walk func(c *yaml.Node, path Path)
	walk = func(c *yaml.Node, path Path) {
		c = schema.Resolve(c)
		if c == n && path.String() != self {
			out = append(out, path)
		}
		switch c.Kind {
		case yaml.SequenceNode:
			for i, e := range c.Content {
				walk(e, path.With(Index(i)))
			}
		case yaml.MappingNode:
			for _, pair := range schema.Pairs(c, func(*yaml.Node, error) {}) {
				walk(pair.Value, path.With(Key(schema.Resolve(pair.Key).Value)))
			}
			if c != n {
				s.merging(c, n, path, func(p Path) {
					if p.String() != self {
						out = append(out, p)
					}
				})
			}
		case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode: // nothing below
		}
	}
	walk(s.docs[at.doc], nil)
	return out
}

func aliased(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, aliased)
}

// merging finds a map that merges in n itself: a key that comes into n is one of
// that map, too.
func (s *source) merging(c, n *yaml.Node, path Path, found func(Path)) {
	for i := 0; i+1 < len(c.Content); i += 2 {
		if c.Content[i].ShortTag() != "!!merge" {
			continue
		}
		from := schema.Resolve(c.Content[i+1])
		maps := []*yaml.Node{from}
		if from.Kind == yaml.SequenceNode {
			maps = from.Content
		}
		for _, one := range maps {
			if one = schema.Resolve(one); one == n {
				found(path)
			} else if one.Kind == yaml.MappingNode {
				s.merging(one, n, path, found)
			}
		}
	}
}
