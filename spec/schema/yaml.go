package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"gopkg.in/yaml.v3"
)

// The bounds of one text. They are far above what people write by hand and far
// below what makes the process fail.
const (
	MaxBytes = 32 << 20 // of one text
	MaxDepth = 200      // of nested maps and lists
	MaxNodes = 2 << 20  // after all aliases of a text are followed
)

// ErrTooLarge says that a text is over one of the bounds.
var ErrTooLarge = errors.New("too large")

// Pos is a place in a file, 1-based; zero fields are unknown.
type Pos struct {
	File string
	Line int
	Col  int
}

// IsZero says that nothing is known of the place.
func (p Pos) IsZero() bool { return p == Pos{} }

// Mistake is one mistake of the user, with its place.
type Mistake struct {
	Pos   Pos
	Field string // dotted path of the key; may be empty
	Err   error
}

// Error prints place, field and cause.
func (m *Mistake) Error() string {
	var b strings.Builder
	if m.Pos.File != "" {
		fmt.Fprintf(&b, "%s:", m.Pos.File)
		if m.Pos.Line > 0 {
			fmt.Fprintf(&b, "%d:", m.Pos.Line)
		}
		if m.Pos.Col > 0 {
			fmt.Fprintf(&b, "%d:", m.Pos.Col)
		}
		b.WriteByte(' ')
	}
	if m.Field != "" {
		b.WriteString(m.Field + ": ")
	}
	b.WriteString(m.Err.Error())
	return b.String()
}

// Unwrap gives the cause.
func (m *Mistake) Unwrap() error { return m.Err }

// Locate maps a line and column of a text to the place that the user wrote;
// they differ where the text was rendered from a template.
type Locate func(line, col int) Pos

// InFile is the Locate of a text that is the file itself.
func InFile(file string) Locate {
	return func(line, col int) Pos { return Pos{File: file, Line: line, Col: col} }
}

// Parse reads every document of a text. A document that holds nothing is left
// out. The error is a *Mistake.
func Parse(text []byte, at Locate) ([]*yaml.Node, error) {
	if len(text) > MaxBytes {
		return nil, &Mistake{Pos: at(1, 0), Err: fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxBytes)}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var docs []*yaml.Node
	for {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, syntaxMistake(err, at)
		}
		if n.Kind != yaml.DocumentNode || len(n.Content) == 0 || IsNull(n.Content[0]) {
			continue
		}
		root := n.Content[0]
		if m := checkSize(root, at); m != nil {
			return nil, m
		}
		docs = append(docs, root)
	}
}

// checkSize walks the tree as a decoder would, aliases followed, and stops at
// the bounds: this is what defuses a bomb of aliases.
func checkSize(root *yaml.Node, at Locate) *Mistake {
	left := MaxNodes
	var bad *yaml.Node
	var walk func(n *yaml.Node, depth int) bool
	walk = func(n *yaml.Node, depth int) bool {
		left--
		if left < 0 || depth > MaxDepth {
			bad = n
			return false
		}
		if n.Kind == yaml.AliasNode {
			return walk(n.Alias, depth+1)
		}
		for _, c := range n.Content {
			if !walk(c, depth+1) {
				return false
			}
		}
		return true
	}
	if walk(root, 0) {
		return nil
	}
	why := fmt.Errorf("%w: nested deeper than %d levels (or an anchor that holds itself)", ErrTooLarge, MaxDepth)
	if left < 0 {
		why = fmt.Errorf("%w: more than %d values once aliases are followed", ErrTooLarge, MaxNodes)
	}
	return &Mistake{Pos: at(bad.Line, bad.Column), Err: why}
}

// syntaxMistake gives a parser error its place. The library tells the line
// only inside its text, "yaml: line 3: did not find ...".
func syntaxMistake(err error, at Locate) *Mistake {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if _, scan := fmt.Sscanf(text, "line %d:", &line); scan == nil {
		text = strings.TrimSpace(text[strings.Index(text, ":")+1:])
	}
	if strings.HasPrefix(text, "did not find expected") {
		line++ // the library counts the lines of these from zero
	}
	return &Mistake{Pos: at(max(line, 1), 0), Err: fmt.Errorf("bad YAML: %s", text)}
}

// IsNull says that a node is null or an empty scalar.
func IsNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// Resolve follows an alias to what it names.
func Resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Node is a node of a YAML text.
type Node = yaml.Node

// Pair is one entry of a map.
type Pair struct {
	Key   *yaml.Node
	Value *yaml.Node
}

// Pairs lists the entries of a map with merge keys (<<) followed: own entries
// in written order, then those of merged maps that no earlier one names. Keys
// written twice are reported through bad.
func Pairs(n *yaml.Node, bad func(key *yaml.Node, err error)) []Pair {
	out := make([]Pair, 0, len(n.Content)/2)
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], Resolve(n.Content[i+1])
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		name := Resolve(key).Value
		if first := seen[name]; first != nil {
			bad(key, fmt.Errorf("key %q is given twice, first in line %d", name, first.Line))
			continue
		}
		seen[name] = key
		out = append(out, Pair{key, value})
	}
	for _, m := range merges {
		out = appendMerged(out, seen, m, bad)
	}
	return out
}

func appendMerged(out []Pair, seen map[string]*yaml.Node, m *yaml.Node, bad func(*yaml.Node, error)) []Pair {
	switch m.Kind {
	case yaml.MappingNode:
		for _, p := range Pairs(m, bad) {
			name := Resolve(p.Key).Value
			if seen[name] == nil {
				seen[name] = p.Key
				out = append(out, p)
			}
		}
	case yaml.SequenceNode:
		for _, c := range m.Content {
			out = appendMerged(out, seen, Resolve(c), bad)
		}
	default:
		bad(m, errors.New("a merge key (<<) takes a map or a list of maps"))
	}
	return out
}

// Value turns a node into plain data: map[string]any, []any, string, bool,
// int, float64 or nil. A date stays the string that was written, as Helm reads
// it. Mistakes (two equal keys, a map key that is no scalar, a bad tag) go to
// bad; the value is what is left.
func Value(n *yaml.Node, bad func(n *yaml.Node, err error)) any {
	n = Resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for _, p := range Pairs(n, bad) {
			key := Resolve(p.Key)
			if key.Kind != yaml.ScalarNode {
				bad(p.Key, errors.New("a key must be a string"))
				continue
			}
			out[key.Value] = Value(p.Value, bad)
		}
		return out
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			out = append(out, Value(c, bad))
		}
		return out
	case yaml.ScalarNode:
		return scalar(n, bad)
	default:
		return nil
	}
}

func scalar(n *yaml.Node, bad func(*yaml.Node, error)) any {
	switch n.ShortTag() {
	case "!!str":
		return n.Value
	case "!!null":
		return nil
	default:
		var v any
		if err := n.Decode(&v); err != nil {
			bad(n, fmt.Errorf("bad value %q", n.Value))
			return nil
		}
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return n.Value // JSON, which Helm passes values through, has no such number
		}
		return v
	}
}

// Map reads a text whose documents are maps and gives the first one; an empty
// text is an empty map. Files of state values are read so; HelmMaps reads those
// of releases.
func Map(text []byte, at Locate) (map[string]any, error) {
	docs, err := Parse(text, at)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return map[string]any{}, nil
	}
	root := docs[0]
	if root.Kind != yaml.MappingNode {
		return nil, &Mistake{Pos: at(root.Line, root.Column), Err: fmt.Errorf("expected a map of values, found %s", Kind(root))}
	}
	var errs []error
	v := Value(root, func(n *yaml.Node, err error) {
		errs = append(errs, &Mistake{Pos: at(n.Line, n.Column), Err: err})
	})
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	m, _ := v.(map[string]any)
	return m, nil
}

// Kind names what a node is, for messages.
func Kind(n *yaml.Node) string {
	n = Resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return "nothing"
		case "!!bool":
			return "the boolean " + n.Value
		case "!!int", "!!float":
			return "the number " + n.Value
		default:
			return fmt.Sprintf("the string %q", short(n.Value))
		}
	default:
		return "something else"
	}
}

func short(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// Marshal prints data as YAML with an indent of two, the form helmfile prints.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("printing YAML: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("printing YAML: %w", err)
	}
	return b.Bytes(), nil
}
