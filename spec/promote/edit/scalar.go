package edit

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// overwrite puts a value in place of a scalar, in the scalar's own style.
func (s *source) overwrite(n *yaml.Node, inFlow bool, c Change) (splice, error) {
	from, err := s.offset(n)
	if err != nil {
		return splice{}, err
	}
	from = s.afterProperties(from, n)
	to, err := s.scalarEnd(from, n, inFlow)
	if err != nil {
		return splice{}, err
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return s.overwriteBlock(n, splice{from: from, to: to}, c)
	}
	with, err := s.written(n.Style, c.Value, inFlow)
	if from == to && from > 0 && !strings.ContainsAny(s.body[from-1:from], " \t\n") {
		with = " " + with
	}
	return splice{from: from, to: to, with: with}, err
}

// overwriteAlias puts a value in place of an alias, which leaves alone what the
// alias names.
func (s *source) overwriteAlias(at spot, c Change) (splice, error) {
	from, err := s.offset(at.last)
	if err != nil {
		return splice{}, err
	}
	if !strings.HasPrefix(s.body[from:], "*"+at.last.Value) {
		return splice{}, lost(at.last)
	}
	with, err := s.written(0, c.Value, at.inFlow)
	return splice{from: from, to: from + 1 + len(at.last.Value), with: with}, err
}

// afterProperties skips the anchor and the tag before a scalar.
func (s *source) afterProperties(at int, n *yaml.Node) int {
	empty := n.Value == "" && n.Style&^yaml.TaggedStyle == 0
	for at < len(s.body) && (s.body[at] == '&' || s.body[at] == '!') {
		end := at
		for end < len(s.body) && !strings.ContainsRune(" \t\r\n,]}", rune(s.body[end])) {
			end++
		}
		next := s.blank(end)
		if empty && (next >= len(s.body) || s.body[next] != '&' && s.body[next] != '!') {
			return end
		}
		at = next
	}
	return at
}

// blank skips white space, line breaks and comments.
func (s *source) blank(at int) int {
	for at < len(s.body) {
		switch c := s.body[at]; {
		case c == ' ', c == '\t', c == '\r', c == '\n':
			at++
		case c == '#' && at > 0 && strings.ContainsRune(" \t\r\n", rune(s.body[at-1])):
			at = s.lineEnd(at)
		default:
			return at
		}
	}
	return at
}

// scalarEnd finds where a scalar ends that begins at a place.
func (s *source) scalarEnd(from int, n *yaml.Node, inFlow bool) (int, error) {
	switch style := n.Style &^ yaml.TaggedStyle; style {
	case yaml.DoubleQuotedStyle:
		if !strings.HasPrefix(s.body[from:], `"`) {
			return 0, lost(n)
		}
		for i := from + 1; i < len(s.body); i++ {
			switch s.body[i] {
			case '\\':
				i++
			case '"':
				return i + 1, nil
			}
		}
		return 0, lost(n)
	case yaml.SingleQuotedStyle:
		if !strings.HasPrefix(s.body[from:], `'`) {
			return 0, lost(n)
		}
		for i := from + 1; i < len(s.body); i++ {
			if s.body[i] != '\'' {
				continue
			}
			if !strings.HasPrefix(s.body[i+1:], `'`) {
				return i + 1, nil
			}
			i++
		}
		return 0, lost(n)
	case yaml.LiteralStyle, yaml.FoldedStyle:
		return s.blockOf(from, n).end, nil
	default:
		return s.plainEnd(from, n, inFlow)
	}
}

// plainEnd reads lines of a scalar without quotes until they make its value.
func (s *source) plainEnd(from int, n *yaml.Node, inFlow bool) (int, error) {
	if n.Value == "" {
		return from, nil
	}
	at, end, value, breaks := from, from, "", 0
	for at < len(s.body) {
		stop := s.plainLine(at, inFlow)
		part := strings.TrimRight(s.body[at:stop], " \t")
		switch {
		case part == "":
		case value == "" && breaks == 0:
			value = part
		case breaks == 1:
			value += " " + part
		default:
			value += strings.Repeat("\n", breaks-1) + part
		}
		if part != "" {
			end, breaks = at+len(part), 0
		}
		if value == n.Value {
			return end, nil
		}
		size := breakAt(s.body[min(stop, len(s.body)):])
		if size == 0 || len(value) > len(n.Value) {
			break
		}
		breaks++
		for at = stop + size; at < len(s.body) && (s.body[at] == ' ' || s.body[at] == '\t'); {
			at++
		}
	}
	return 0, lost(n)
}

// plainLine finds where the plain text of a line ends: at a comment, at what ends
// a key, at the end of the line, and between brackets at what ends an element.
func (s *source) plainLine(at int, inFlow bool) int {
	for i := at; i < len(s.body); i++ {
		switch c := s.body[i]; {
		case breakAt(s.body[i:]) > 0:
			return i
		case c == '#' && i > at && (s.body[i-1] == ' ' || s.body[i-1] == '\t'):
			return i
		case c == ':' && (i+1 == len(s.body) || strings.ContainsRune(" \t\r\n", rune(s.body[i+1]))):
			return i
		case inFlow && strings.IndexByte(",[]{}", c) >= 0:
			return i
		}
	}
	return len(s.body)
}

// written gives a value in the style of a scalar, or in another one where the
// value needs that.
func (s *source) written(style yaml.Style, v any, inFlow bool) (string, error) {
	text, ok := scalarText(v)
	if !ok {
		return "", fmt.Errorf("%w: a value that YAML cannot hold", ErrHand)
	}
	if _, isText := v.(string); !isText {
		return text, nil
	}
	switch style &^ yaml.TaggedStyle {
	case yaml.DoubleQuotedStyle:
		return doubleQuoted(text), nil
	case yaml.SingleQuotedStyle:
		return singleQuoted(text), nil
	default:
		if plainSafe(text, inFlow) {
			return text, nil
		}
		return s.quoted(text), nil
	}
}

// quoted quotes a text as most of the file's texts are, with " where none is.
func (s *source) quoted(text string) string {
	single, double := 0, 0
	var count func(n *yaml.Node)
	count = func(n *yaml.Node) {
		if n.Style&yaml.SingleQuotedStyle != 0 {
			single++
		} else if n.Style&yaml.DoubleQuotedStyle != 0 {
			double++
		}
		for _, c := range n.Content {
			count(c)
		}
	}
	for _, doc := range s.docs {
		count(doc)
	}
	if single > double {
		return singleQuoted(text)
	}
	return doubleQuoted(text)
}

func singleQuoted(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !printable(r) }) {
		return doubleQuoted(text)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

func doubleQuoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case printable(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02X`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable says which characters may stand between quotes as they are.
func printable(r rune) bool { return r == ' ' || unicode.IsPrint(r) && r != '\uFEFF' }

// plainSafe reports whether every reader takes a text without quotes for that
// very text: the ones of YAML 1.2, and Helm's, which still speaks 1.1.
func plainSafe(text string, inFlow bool) bool {
	if text == "" || strings.TrimSpace(text) != text || strings.Contains(text, "{{") ||
		strings.ContainsFunc(text, func(r rune) bool { return !printable(r) }) {
		return false
	}
	if slices.Contains([]string{"y", "yes", "on", "n", "no", "off", "true", "false", "null", "nan", "inf", ".nan", ".inf"}, strings.ToLower(text)) ||
		strings.ContainsAny(text[:1], "=<") || oldNumber(text) {
		return false
	}
	frame := "k: %s\n"
	if inFlow {
		frame = "{k: %s, l: m}\n"
	}
	docs, err := schema.HelmNodes(fmt.Appendf(nil, frame, text), schema.InFile(""))
	if err != nil || len(docs) != 1 || docs[0].Kind != yaml.MappingNode || len(docs[0].Content) < 2 {
		return false
	}
	n := docs[0].Content[1]
	return n.Kind == yaml.ScalarNode && n.Style == 0 && n.ShortTag() == "!!str" && n.Value == text && n.Anchor == "" &&
		n.LineComment == "" && !looksDated(text)
}

// oldNumber reports whether some reader of YAML takes a text for a number, such
// as 1_000, 0x1F, 12e3, +1 or 12:30:45.
func oldNumber(text string) bool {
	if !strings.ContainsRune("0123456789+-.", rune(text[0])) {
		return false
	}
	bare := strings.ReplaceAll(text, "_", "")
	if _, err := strconv.ParseFloat(bare, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return true
	}
	if _, err := strconv.ParseInt(bare, 0, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return true
	}
	return strings.Trim(bare, "0123456789:+-.") == "" && strings.Contains(bare, ":")
}

// looksDated reports whether some reader of YAML takes a text for a date.
func looksDated(text string) bool {
	return len(text) >= 8 && text[4] == '-' && strings.Trim(text[:4], "0123456789") == "" && strings.Trim(text, "0123456789-:.tTzZ+ ") == ""
}

// number writes a number as short as it can be and keeps it one.
func number(f float64) string {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if strings.Contains(text, "e") && !strings.Contains(text, ".") {
		text = strings.Replace(text, "e", ".0e", 1) // YAML 1.1 wants the point
	}
	return text
}
