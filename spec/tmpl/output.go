package tmpl

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// Output is a rendered text that remembers where each of its pieces came from.
type Output struct {
	buf    bytes.Buffer
	run    *run
	texts  map[*byte]origin
	lines  map[int][]int // by number of the file: where its lines start
	pieces []piece
}

type origin struct {
	file      string
	line, col int
}

// piece is a run of output bytes from start on. Literal text knows its own
// place; what an action printed has the place of the end of the text before.
type piece struct {
	start   int
	from    origin
	literal bool
}

// newOutput collects the literal texts of all templates of the run. The
// library writes a literal as the very slice that the parse tree holds, so the
// address of its first byte identifies it.
func newOutput(r *run, main *template.Template) *Output {
	out := &Output{run: r, texts: map[*byte]origin{}, lines: map[int][]int{}}
	for _, t := range main.Templates() {
		if t.Tree != nil && t.Tree.Root != nil {
			out.collect(t.Tree, t.Tree.Root)
		}
	}
	return out
}

func (o *Output) collect(tree *parse.Tree, n parse.Node) {
	switch n := n.(type) {
	case *parse.TextNode:
		if len(n.Text) > 0 {
			o.texts[&n.Text[0]] = o.origin(tree, n)
		}
	case *parse.ListNode:
		if n != nil {
			for _, c := range n.Nodes {
				o.collect(tree, c)
			}
		}
	case *parse.IfNode:
		o.collect(tree, n.List)
		o.collect(tree, n.ElseList)
	case *parse.RangeNode:
		o.collect(tree, n.List)
		o.collect(tree, n.ElseList)
	case *parse.WithNode:
		o.collect(tree, n.List)
		o.collect(tree, n.ElseList)
	}
}

func (o *Output) origin(tree *parse.Tree, n parse.Node) origin {
	index, err := strconv.Atoi(strings.TrimPrefix(tree.ParseName, "#"))
	if err != nil || index >= len(o.run.files) {
		return origin{}
	}
	starts := o.lines[index]
	if starts == nil {
		starts = []int{0}
		for i, c := range []byte(o.run.files[index].text) {
			if c == '\n' {
				starts = append(starts, i+1)
			}
		}
		o.lines[index] = starts
	}
	offset := int(n.Position())
	line, found := slices.BinarySearch(starts, offset)
	if found {
		line++
	}
	from := origin{file: o.run.files[index].name, line: line, col: offset - starts[line-1] + 1}
	if index == o.run.main() {
		from.line += o.run.first - 1
	}
	return from
}

// Write takes output of the template library.
func (o *Output) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if o.buf.Len()+len(p) > maxOutput {
		return 0, ErrTooLarge
	}
	if err := o.run.ctx.Err(); err != nil {
		return 0, err
	}
	if from, ok := o.texts[&p[0]]; ok {
		o.pieces = append(o.pieces, piece{start: o.buf.Len(), from: from, literal: true})
	} else {
		o.pieces = append(o.pieces, piece{start: o.buf.Len(), from: o.end()})
	}
	return o.buf.Write(p)
}

// end is the place right behind the last piece.
func (o *Output) end() origin {
	if len(o.pieces) == 0 {
		return origin{file: o.run.files[o.run.main()].name, line: o.run.first, col: 1}
	}
	last := o.pieces[len(o.pieces)-1]
	if !last.literal {
		return last.from
	}
	return advance(last.from, o.buf.Bytes()[last.start:])
}

func advance(from origin, text []byte) origin {
	if n := bytes.Count(text, []byte("\n")); n > 0 {
		from.line += n
		from.col = len(text) - bytes.LastIndexByte(text, '\n')
		return from
	}
	from.col += len(text)
	return from
}

// Bytes is the rendered text.
func (o *Output) Bytes() []byte { return o.buf.Bytes() }

// Position tells which file, line and column the user wrote for a place of the
// rendered text. For what an action printed it is the place of the action.
func (o *Output) Position(line, col int) (file string, srcLine, srcCol int) {
	text := o.buf.Bytes()
	offset := 0
	for range line - 1 {
		i := bytes.IndexByte(text[offset:], '\n')
		if i < 0 {
			break
		}
		offset += i + 1
	}
	offset = min(offset+max(col-1, 0), len(text))
	i, found := slices.BinarySearchFunc(o.pieces, offset, func(p piece, at int) int { return p.start - at })
	if !found {
		i--
	}
	if i < 0 {
		from := o.end()
		return from.file, from.line, from.col
	}
	from := o.pieces[i].from
	if o.pieces[i].literal {
		from = advance(from, text[o.pieces[i].start:offset])
	}
	return from.file, from.line, from.col
}
