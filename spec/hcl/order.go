package hcl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// sorted orders names so that each comes after all that it refers to below
// root. Equal choices go by name.
func sorted(byName map[string][]definition, root string) ([]string, error) {
	s := sorter{byName: byName, root: root, done: map[string]bool{}}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		errs = append(errs, s.visit(name, nil))
	}
	return s.order, errors.Join(errs...)
}

type sorter struct {
	byName map[string][]definition
	root   string
	done   map[string]bool
	order  []string
}

// visit puts a name behind what it needs; path leads to it.
func (s *sorter) visit(name string, path []string) error {
	if s.done[name] {
		return nil
	}
	through := append(slices.Clone(path), name)
	if len(through) > maxDepth {
		return s.mistake(name, fmt.Errorf("%w: references are chained deeper than %d", schema.ErrTooLarge, maxDepth))
	}
	if at := slices.Index(path, name); at >= 0 {
		s.done[name] = true // told once
		return s.mistake(name, fmt.Errorf("values refer to each other in a cycle: %s", strings.Join(through[at:], " -> ")))
	}
	var errs []error
	for _, d := range s.byName[name] {
		for _, traversal := range d.expr.Variables() {
			errs = append(errs, s.follow(traversal, through))
		}
	}
	if !s.done[name] {
		s.done[name] = true
		s.order = append(s.order, name)
	}
	return errors.Join(errs...)
}

// follow visits what a reference names. A reference to another root is left to
// the evaluation, which knows whether there is such a root.
func (s *sorter) follow(t hcl.Traversal, path []string) error {
	if t.RootName() != s.root {
		return nil
	}
	at := t.SourceRange()
	bad := func(text string) error {
		return &schema.Mistake{
			Pos: schema.Pos{File: at.Filename, Line: at.Start.Line, Col: at.Start.Column}, Err: errors.New(text),
		}
	}
	if len(t) < 2 {
		return bad(s.root + " cannot be used as a whole: refer to " + s.root + ".NAME")
	}
	attribute, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return bad(s.root + " takes a name: refer to " + s.root + ".NAME")
	}
	if _, ok := s.byName[attribute.Name]; !ok {
		return bad(fmt.Sprintf("%s.%s is not defined in any file of the environment", s.root, attribute.Name))
	}
	return s.visit(attribute.Name, path)
}

func (s *sorter) mistake(name string, err error) error {
	at := s.byName[name][0].at
	return &schema.Mistake{Pos: schema.Pos{File: at.Filename, Line: at.Start.Line, Col: at.Start.Column}, Field: s.root + "." + name, Err: err}
}
