package edit

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// insert puts keys, one below the other, after the last entry of a map.
func (s *source) insert(m *yaml.Node, keys []string, c Change) (splice, error) {
	if m.Style&yaml.FlowStyle != 0 {
		return s.insertFlow(m, keys, c)
	}
	if len(m.Content) == 0 {
		return splice{}, lost(m)
	}
	end, err := s.end(m, false)
	if err != nil {
		return splice{}, err
	}
	column, err := s.column(m)
	if err != nil {
		return splice{}, err
	}
	lines, err := s.lined(keys, c, style(m), column)
	if err != nil {
		return splice{}, err
	}
	return s.below(end, lines), nil
}

// below puts lines under the line that a place is in.
func (s *source) below(at int, lines []string) splice {
	at = s.lineEnd(at)
	e := splice{from: at, to: at}
	for i, line := range lines {
		if i == len(lines)-1 {
			e.mark = len(e.with) + len(s.eol)
		}
		e.with += s.eol + line
	}
	return e
}

// lined gives the lines of keys, one below the other, the last with the value.
func (s *source) lined(keys []string, c Change, style yaml.Style, column int) ([]string, error) {
	value, err := s.written(style, c.Value, false)
	if err != nil {
		return nil, err
	}
	step := s.step()
	var lines []string
	for i, key := range keys {
		line := strings.Repeat(" ", column+i*step) + s.keyText(key, false) + ":"
		if i == len(keys)-1 {
			line += " " + value
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// column gives how far the keys of a block map are indented.
func (s *source) column(m *yaml.Node) (int, error) {
	key := m.Content[0]
	at, err := s.offset(key)
	if err != nil {
		return 0, err
	}
	before := s.body[s.lineStart(at):at]
	if strings.Contains(before, "?") || strings.Contains(before, "\t") {
		return 0, lost(key)
	}
	return key.Column - 1, nil
}

// style is the one that the texts of a map have, where all have the same.
func style(m *yaml.Node) yaml.Style {
	var all yaml.Style
	found := false
	for i := 1; i < len(m.Content); i += 2 {
		n := m.Content[i]
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
			continue
		}
		own := n.Style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
		if found && own != all {
			return 0
		}
		all, found = own, true
	}
	return all
}

// step is how far the file indents a map in a map.
func (s *source) step() int {
	found := 0
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i, c := range n.Content {
			if found > 0 {
				return
			}
			if n.Kind == yaml.MappingNode && i%2 == 1 && c.Kind == yaml.MappingNode && c.Style&yaml.FlowStyle == 0 && len(c.Content) > 0 {
				found = max(c.Content[0].Column-n.Content[i-1].Column, 0)
			}
			walk(c)
		}
	}
	for _, doc := range s.docs {
		walk(doc)
	}
	if found == 0 {
		return 2
	}
	return found
}

func (s *source) keyText(key string, inFlow bool) string {
	if plainSafe(key, inFlow) && !strings.Contains(key, ": ") {
		return key
	}
	return s.quoted(key)
}

// insertFlow puts keys before the bracket that closes a map.
func (s *source) insertFlow(m *yaml.Node, keys []string, c Change) (splice, error) {
	from, err := s.offset(m)
	if err != nil {
		return splice{}, err
	}
	closing, err := s.closing(s.afterProperties(from, m))
	if err != nil {
		return splice{}, err
	}
	entry, err := s.flowEntry(keys, c, style(m))
	if err != nil || len(m.Content) == 0 {
		return splice{from: closing, to: closing, with: entry}, err
	}
	end, err := s.end(m.Content[len(m.Content)-1], true)
	if err != nil {
		return splice{}, err
	}
	comma := ","
	if next := s.blank(end); strings.HasPrefix(s.body[next:], ",") {
		end, comma = next+1, ""
	}
	key := m.Content[len(m.Content)-2]
	start, err := s.offset(key)
	if err != nil {
		return splice{}, err
	}
	indent := s.body[s.lineStart(start):start]
	if strings.Trim(indent, " ") != "" || s.lineStart(start) <= from {
		return splice{from: end, to: end, with: comma + " " + entry}, nil
	}
	// One entry a line: what stands behind the last one stays there.
	rest := s.body[end:s.lineEnd(end)]
	if s.lineEnd(end) > closing {
		rest = ""
	}
	e := splice{from: end, to: end + len(rest), with: comma + rest + s.eol}
	e.mark = len(e.with)
	e.with += indent + entry
	return e, nil
}

func (s *source) flowEntry(keys []string, c Change, style yaml.Style) (string, error) {
	value, err := s.written(style, c.Value, true)
	if err != nil {
		return "", err
	}
	for i := len(keys) - 1; i >= 0; i-- {
		value = s.keyText(keys[i], true) + ": " + value
		if i > 0 {
			value = "{" + value + "}"
		}
	}
	return value, nil
}

// closing finds the bracket that closes the one at a place.
func (s *source) closing(at int) (int, error) {
	depth := 0
	for i := at; i < len(s.body); i++ {
		switch c := s.body[i]; c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i, nil
			}
		case '#':
			if strings.ContainsRune(" \t\r\n", rune(s.body[i-1])) {
				i = s.lineEnd(i)
			}
		case '"', '\'':
			// A quote that begins no text is one of a plain text.
			if before := strings.TrimRight(s.body[:i], " \t\r\n"); before != "" && !strings.ContainsRune("{[,:", rune(before[len(before)-1])) {
				continue
			}
			style := map[byte]yaml.Style{'"': yaml.DoubleQuotedStyle, '\'': yaml.SingleQuotedStyle}[c]
			end, err := s.scalarEnd(i, &yaml.Node{Style: style}, true)
			if err != nil {
				return 0, err
			}
			i = end - 1
		}
	}
	return 0, fmt.Errorf("%w: a bracket is not closed", ErrHand)
}

// fill puts keys where there is nothing yet: an empty text, or a key without a
// value.
func (s *source) fill(at spot, keys []string, c Change) (splice, error) {
	if len(s.docs) == 0 {
		lines, err := s.lined(keys, c, 0, 0)
		e := splice{from: len(s.body), to: len(s.body)}
		e.with = strings.Join(lines, s.eol) + s.eol
		if s.body != "" && !strings.HasSuffix(s.body, "\n") {
			e.with = s.eol + e.with
		}
		e.mark = strings.LastIndex(strings.TrimSuffix(e.with, s.eol), s.eol) + 1
		return e, err
	}
	from, err := s.offset(at.node)
	if err != nil || at.last.Kind == yaml.AliasNode {
		return splice{}, lost(at.node)
	}
	from = s.afterProperties(from, at.node)
	if at.node.Value != "" || at.inFlow || at.key == nil {
		entry, err := s.flowEntry(keys, c, 0)
		e := splice{from: from, to: from + len(at.node.Value), with: "{" + entry + "}"}
		if at.node.Value == "" && from > 0 && s.body[from-1] == ':' {
			e.with = " " + e.with
		}
		return e, err
	}
	lines, err := s.lined(keys, c, 0, at.key.Column-1+s.step())
	return s.below(from, lines), err
}

// end finds where a node ends, comments not counted.
func (s *source) end(n *yaml.Node, inFlow bool) (int, error) {
	from, err := s.offset(n)
	if err != nil {
		return 0, err
	}
	switch n.Kind {
	case yaml.AliasNode:
		return from + 1 + len(n.Value), nil
	case yaml.ScalarNode:
		return s.scalarEnd(s.afterProperties(from, n), n, inFlow)
	default:
		if n.Style&yaml.FlowStyle != 0 {
			at, err := s.closing(s.afterProperties(from, n))
			return at + 1, err
		}
		if len(n.Content) == 0 {
			return 0, lost(n)
		}
		last := n.Content[len(n.Content)-1]
		if n.Kind == yaml.MappingNode && last.Line < n.Content[len(n.Content)-2].Line {
			last = n.Content[len(n.Content)-2]
		}
		return s.end(last, inFlow)
	}
}
