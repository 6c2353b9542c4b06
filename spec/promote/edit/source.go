package edit

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/schema"
)

// bom is the mark that some editors put before a text.
const bom = "\uFEFF"

// source is a text with its documents.
type source struct {
	text  []byte
	body  string // without the mark at its start
	lines []int  // where each line of body starts
	docs  []*yaml.Node
	eol   string // what ends most lines
}

// splice puts a text in place of a part of the body.
type splice struct {
	from, to int
	with     string
	mark     int // where in with the value's own line begins
}

func parse(text []byte) (*source, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%w: the file is no UTF-8", ErrHand)
	}
	s := &source{text: text, body: strings.TrimPrefix(string(text), bom), eol: "\n"}
	var err error
	if s.docs, err = schema.Parse([]byte(s.body), schema.InFile("")); err != nil {
		return nil, located(err)
	}
	if i := strings.IndexAny(s.body, "\r\n"); i >= 0 && strings.HasPrefix(s.body[i:], "\r\n") {
		s.eol = "\r\n"
	}
	s.lines = []int{0}
	for i := 0; i < len(s.body); {
		if n := breakAt(s.body[i:]); n > 0 {
			i += n
			s.lines = append(s.lines, i)
			continue
		}
		i++
	}
	_, err = s.values()
	return s, err
}

// located says the line of a mistake: the caller knows the file.
func located(err error) error {
	var at *schema.Mistake
	if errors.As(err, &at) && at.Pos.Line > 0 {
		return fmt.Errorf("line %d: %w", at.Pos.Line, at.Err)
	}
	return err
}

// breakAt gives the length of the line break that a text begins with, as the
// parser counts lines; 0: none.
func breakAt(text string) int {
	for _, b := range []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"} {
		if strings.HasPrefix(text, b) {
			return len(b)
		}
	}
	return 0
}

// offset gives where in the body a node begins.
func (s *source) offset(n *yaml.Node) (int, error) {
	if n.Line < 1 || n.Line > len(s.lines) {
		return 0, lost(n)
	}
	at := s.lines[n.Line-1]
	for range n.Column - 1 {
		if at >= len(s.body) {
			return 0, lost(n)
		}
		_, size := utf8.DecodeRuneInString(s.body[at:])
		at += size
	}
	return at, nil
}

// lost says that the text is not where the parser says.
func lost(n *yaml.Node) error {
	return fmt.Errorf("%w: the value in line %d has a form that cannot be edited safely", ErrHand, n.Line)
}

// lineEnd gives where the line ends that a place is in, its break not counted.
func (s *source) lineEnd(at int) int {
	for at < len(s.body) && breakAt(s.body[at:]) == 0 {
		at++
	}
	return at
}

func (s *source) lineStart(at int) int {
	i, found := slices.BinarySearch(s.lines, at)
	if !found {
		i--
	}
	return s.lines[i]
}

func (s *source) spliced(e splice) []byte {
	mark := s.text[:len(s.text)-len(s.body)]
	return slices.Concat(mark, []byte(s.body[:e.from]), []byte(e.with), []byte(s.body[e.to:]))
}

// lineOf gives the line of a splice in the text that comes out.
func (s *source) lineOf(e splice) int {
	i, found := slices.BinarySearch(s.lines, e.from)
	if !found {
		i--
	}
	return i + 1 + strings.Count(e.with[:e.mark], "\n")
}

// values decodes the documents.
func (s *source) values() ([]any, error) {
	var out []any
	var errs []error
	for _, doc := range s.docs {
		out = append(out, schema.Value(doc, func(n *yaml.Node, err error) {
			errs = append(errs, fmt.Errorf("line %d: %w", n.Line, err))
		}))
	}
	return out, errors.Join(errs...)
}

// check reads a changed text and compares it with what was to come out.
func (s *source) check(out []byte, at spot, c Change, also []Path) error {
	now, err := parse(out)
	if err != nil {
		return fmt.Errorf("%s: %w: the text would not be read as it should", c.Path, ErrHand)
	}
	want, err := s.values()
	if err != nil {
		return err
	}
	if len(want) == 0 {
		want = []any{nil}
	}
	for _, path := range append(also, append(at.path[:len(at.path):len(at.path)], at.rest...)) {
		want[at.doc] = put(want[at.doc], path, c.Value)
	}
	got, err := now.values()
	if err != nil || !origin.Equal(got, want) {
		return fmt.Errorf("%s: %w: more than this value would change", c.Path, ErrHand)
	}
	if bytes.Equal(out, s.text) {
		return fmt.Errorf("%s: %w: nothing would change", c.Path, ErrHand)
	}
	return nil
}

// put gives a tree with one value in it; paths into lists have numbers.
func put(tree any, path Path, v any) any {
	if len(path) == 0 {
		return v
	}
	if list, ok := tree.([]any); ok && path[0].list() {
		list[path[0].Index] = put(list[path[0].Index], path[1:], v)
		return list
	}
	m, ok := tree.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	m[path[0].Key] = put(m[path[0].Key], path[1:], v)
	return m
}

// plain gives the value of a node.
func plain(n *yaml.Node) any { return schema.Value(n, func(*yaml.Node, error) {}) }

// same reports whether a value is there already, of the same type. The words
// that Helm still takes for booleans are.
func same(have any, n *yaml.Node, want any) bool {
	if n.Kind != yaml.ScalarNode {
		return false
	}
	if want, ok := want.(bool); ok && n.Style == 0 {
		switch strings.ToLower(n.Value) {
		case "yes", "on", "y":
			return want
		case "no", "off", "n":
			return !want
		}
	}
	return origin.Equal(have, want)
}

// scalarText gives a value as YAML writes it plain; ok is false of what is no
// single value.
func scalarText(v any) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case string:
		return v, utf8.ValidString(v)
	case bool, int, int64:
		return fmt.Sprint(v), true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "", false
		}
		return number(v), true
	default:
		return "", false
	}
}
