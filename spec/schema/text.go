package schema

import (
	"errors"
	"strings"

	"gopkg.in/yaml.v3"
)

// Text is a string with its place.
type Text struct {
	Pos   Pos
	Value string
}

// MarshalYAML prints the string alone.
func (t Text) MarshalYAML() (any, error) { return t.Value, nil }

// Entry is one entry of a values list with its place: a path or URL (string),
// or inline values (map[string]any).
type Entry struct {
	Pos   Pos
	Value any
	// Source is where inline values were read from; nil for other entries.
	Source *Source
}

// Source is a node of a text, kept to look up places in it later.
type Source struct {
	Node *Node
	At   Locate
}

// MarshalYAML prints the value alone.
func (e Entry) MarshalYAML() (any, error) { return e.Value, nil }

// Names is a list of names that may be written as a single string.
type Names []string

// Inherits is the list of templates of a release; helmfile also takes a single
// map, its form before 0.151.
type Inherits []Inherit

// custom is a type that reads itself.
type custom interface {
	read(d *decoder, n *yaml.Node, field string)
}

func (t *Text) read(d *decoder, n *yaml.Node, field string) {
	t.Pos = d.at(n.Line, n.Column)
	t.Value = d.text(n, field)
}

func (e *Entry) read(d *decoder, n *yaml.Node, field string) {
	e.Pos = d.at(n.Line, n.Column)
	n = Resolve(n)
	switch {
	case n.Kind == yaml.MappingNode:
		e.Value, e.Source = d.plain(n), &Source{n, d.at}
	case n.Kind == yaml.ScalarNode && !IsNull(n):
		e.Value = n.Value
	default:
		d.wrong(n, field, "a path or a map of values")
	}
}

func (names *Names) read(d *decoder, n *yaml.Node, field string) {
	n = Resolve(n)
	var all []string
	if n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			all = append(all, d.text(c, field))
		}
	} else {
		all = append(all, d.text(n, field))
	}
	for _, name := range all {
		if name = strings.TrimSpace(name); name != "" {
			*names = append(*names, name)
		}
	}
}

func (in *Inherits) read(d *decoder, n *yaml.Node, field string) {
	n = Resolve(n)
	if n.Kind == yaml.MappingNode {
		one := make([]Inherit, 1)
		d.structure(&one[0], n, field)
		*in = one
		return
	}
	var list []Inherit
	d.value(&list, n, field)
	*in = list
}

// nestedForm is the map form of Nested, without its own reader.
type nestedForm Nested

func (h *Nested) read(d *decoder, n *yaml.Node, field string) {
	h.Pos = d.at(n.Line, n.Column)
	n = Resolve(n)
	if n.Kind == yaml.ScalarNode && !IsNull(n) {
		h.Path = n.Value
		return
	}
	before := len(d.mistakes)
	d.structure((*nestedForm)(h), n, field)
	if len(d.mistakes) > before {
		return
	}
	switch {
	case h.Path == "" && h.Selectors != nil:
		d.report(n, field, errors.New("selectors without a path"))
	case h.Path == "" && len(h.Inherits) > 0:
		d.report(n, field, errors.New("inherits without a path"))
	case h.Path == "":
		d.report(n, field, errors.New("path is missing"))
	case h.SelectorsInherited && len(h.Selectors) > 0:
		d.report(n, field, errors.New("selectors and selectorsInherited: true exclude each other for path "+h.Path))
	}
}
