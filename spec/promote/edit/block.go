package edit

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// block is a literal or folded scalar in the text.
type block struct {
	header  string // its sign with what follows it, such as |2-; no comment
	comment string // what stands after the header in its line, with white space
	content int    // where its lines begin
	indent  int    // of its lines
	end     int    // behind its last line, whose break is not counted
}

// blockOf reads a block that begins at a place.
func (s *source) blockOf(from int, n *yaml.Node) block {
	stop := s.lineEnd(from)
	line := s.body[from:stop]
	size := len(line) - len(strings.TrimLeft(line, "|>+-0123456789"))
	b := block{header: line[:size], comment: line[size:], end: from + size, indent: -1}
	b.content = min(stop+breakAt(s.body[stop:]), len(s.body))
	end := stop
	for at := b.content; at < len(s.body); {
		stop := s.lineEnd(at)
		line := s.body[at:stop]
		text := strings.TrimLeft(line, " ")
		depth := len(line) - len(text)
		if text != "" {
			if b.indent < 0 {
				first := strings.TrimLeft(n.Value, "\n")
				b.indent = depth - (len(first) - len(strings.TrimLeft(first, " ")))
			}
			if depth < b.indent || first(n.Value) == "" {
				break
			}
			end = stop
		} else if strings.Contains(b.header, "+") {
			end = stop
		}
		at = stop + breakAt(s.body[stop:])
		if stop == len(s.body) {
			break
		}
	}
	b.end = end
	return b
}

func first(value string) string { return strings.TrimLeft(value, "\n") }

// overwriteBlock puts a value in place of a block: in its own form where that can
// hold it, otherwise in quotes.
func (s *source) overwriteBlock(n *yaml.Node, e splice, c Change) (splice, error) {
	b := s.blockOf(e.from, n)
	e.to = b.end
	text, isText := c.Value.(string)
	body := strings.TrimRight(text, "\n")
	ends := len(text) - len(body)
	if !isText || body == "" || b.indent < 1 || ends > 1 || strings.Contains(b.header, "+") || strings.ContainsAny(body[:1], " \t\n") ||
		strings.ContainsFunc(body, func(r rune) bool { return r != '\n' && r != '\t' && !printable(r) }) {
		with, err := s.written(yaml.DoubleQuotedStyle, c.Value, false)
		e.with = with + strings.TrimRight(b.comment, " \t")
		return e, err
	}
	sign := b.header[:1]
	if strings.Contains(body, "\n") {
		sign = "|" // a folded one would join the lines
	}
	digits := strings.Trim(b.header[1:], "+-")
	keep := map[int]string{0: "-", 1: ""}[ends]
	lines := strings.Split(body, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = strings.Repeat(" ", b.indent) + line
		}
	}
	header := b.header
	if sign != b.header[:1] || keep != strings.Trim(b.header[1:], "0123456789") {
		header = sign + digits + keep
	}
	e.with = header + b.comment + s.eol + strings.Join(lines, s.eol)
	if ends == 1 && b.end == len(s.body) {
		e.with += s.eol // its last line needs its break
	}
	return e, nil
}
