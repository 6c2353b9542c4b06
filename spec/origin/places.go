package origin

import (
	"gopkg.in/yaml.v3"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// Places are the places of the values of a text. Nil knows no places.
type Places struct {
	root *place
	at   schema.Locate
}

// place is where one value stands, and where the values in it do.
type place struct {
	line, col int
	ref       bool // a secret reference stands here or below
	keys      map[string]*place
	items     []*place
}

// PlacesOf notes the places of the documents of one text, which merge in their
// order: what a later one says stands there. A value of a map stands where its
// key does.
func PlacesOf(docs []*schema.Node, at schema.Locate) *Places {
	root := &place{}
	for _, doc := range docs {
		root = over(root, placeOf(doc, doc))
	}
	return &Places{root: root, at: at}
}

func placeOf(key, n *schema.Node) *place {
	p := &place{line: key.Line, col: key.Column}
	n = schema.Resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		p.keys = map[string]*place{}
		for _, pair := range schema.Pairs(n, func(*schema.Node, error) {}) {
			name := schema.Resolve(pair.Key).Value
			child := placeOf(pair.Key, pair.Value)
			p.keys[name] = child
			p.ref = p.ref || child.ref || values.Has(name)
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			child := placeOf(c, c)
			p.items = append(p.items, child)
			p.ref = p.ref || child.ref
		}
	case yaml.ScalarNode:
		p.ref = values.Has(n.Value)
	case yaml.DocumentNode, yaml.AliasNode: // Resolve has gone through them
	}
	return p
}

func over(under, top *place) *place {
	if under.keys == nil || top.keys == nil {
		return top
	}
	out := *top
	out.ref, out.keys = under.ref || top.ref, map[string]*place{}
	for name, p := range under.keys {
		out.keys[name] = p
	}
	for name, p := range top.keys {
		if below := under.keys[name]; below != nil {
			p = over(below, p)
		}
		out.keys[name] = p
	}
	return &out
}

// find gives the place of a value; of one that has none itself, because a
// reference stands for a map that holds it, the place of that. Secret: what
// stands there, or in it, comes from a reference.
func (p *Places) find(path Path) (pos schema.Pos, secret bool) {
	at := p.root
	for _, s := range path {
		var next *place
		switch {
		case !s.InList:
			next = at.keys[s.Key]
		case s.Index < len(at.items):
			next = at.items[s.Index]
		}
		if next == nil {
			return p.place(at), at.ref
		}
		at = next
	}
	return p.place(at), at.ref
}

func (p *Places) place(at *place) schema.Pos {
	if at.line == 0 {
		return p.at(1, 0)
	}
	return p.at(at.line, at.col)
}
