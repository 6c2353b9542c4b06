package promote

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/promote/edit"
	"github.com/flotilla-sh/flotilla/spec/schema"
)

// templated is the text of a template that makes a value, and its place.
type templated struct {
	pos schema.Pos
	raw string
}

// line gives a line of a text, counted from 1.
func line(text []byte, n int) string {
	lines := strings.Split(string(text), "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[n-1], "\r")
}

// keyBelow finds a key of the list element that begins in a line of a template,
// and what is written behind it; at is 0 where there is none. Templates have no
// tree, so that it goes by indentation.
func keyBelow(text []byte, from int, key string) (at int, raw string) {
	find := regexp.MustCompile(`^(\s*)(?:- +)?` + regexp.QuoteMeta(key) + `:(?:\s+(.*?))?\s*$`)
	lines := strings.Split(string(text), "\n")
	depth := -1
	for i := max(from-1, 0); i < len(lines); i++ {
		one := lines[i]
		bare := strings.TrimLeft(one, " ")
		if strings.TrimSpace(bare) == "" || strings.HasPrefix(bare, "#") || strings.HasPrefix(bare, "{{") {
			continue
		}
		indent := len(one) - len(bare)
		if strings.HasPrefix(bare, "- ") && i == from-1 {
			indent += len(bare) - len(strings.TrimLeft(bare[1:], " "))
		}
		if depth < 0 {
			depth = indent
		}
		if indent < depth {
			return 0, ""
		}
		if found := find.FindStringSubmatch(one); found != nil && indent == depth {
			return i + 1, found[2]
		}
	}
	return 0, ""
}

// reference finds the one state value that a text of a template names.
func reference(raw string) (origin.Path, bool) {
	root := `(?:\$|\.)?(?:\.?Environment)?\.?(?:State)?Values`
	dotted := regexp.MustCompile(root+`((?:\.[A-Za-z_][A-Za-z0-9_]*)+)`).FindAllStringSubmatch(raw, -1)
	got := regexp.MustCompile(root+`\s*\|\s*get(?:OrNil)?\s+"([^"]+)"`).FindAllStringSubmatch(raw, -1)
	got = append(got, regexp.MustCompile(`get(?:OrNil)?\s+"([^"]+)"[^}|]*`+root).FindAllStringSubmatch(raw, -1)...)
	text := ""
	switch {
	case len(dotted) == 1 && len(got) == 0:
		text = dotted[0][1]
	case len(got) == 1 && len(dotted) == 0:
		text = got[0][1]
	default:
		return nil, false
	}
	p, err := origin.ParsePath(text)
	return p, err == nil && len(p) > 0
}

// behind is for a value that a template makes. Where the template names one state
// value that the value holds, that is what has to change.
func (l *Locator) behind(ctx context.Context, r Release, m Move, t templated) (Place, error) {
	advice := "it comes out of a template"
	if !strings.Contains(t.raw, "{{") {
		advice = "the file is a template"
		if l.Shared(t.pos.File) {
			advice += ", and " + l.sharedWhy()
		}
		return l.hand(t.pos.File, t.pos.Line, advice), nil
	}
	path, ok := reference(t.raw)
	if !ok {
		return l.hand(t.pos.File, t.pos.Line, advice), nil
	}
	for file := r.File; file >= 0; file = l.Spec.Files[file].Parent {
		layers, err := l.Spec.StateLayersOf(ctx, file)
		if err != nil {
			return Place{}, err
		}
		if p, ok, err := l.inState(layers, stateValue{path, m, t.pos}); ok || err != nil {
			return p, err
		}
	}
	return l.hand(t.pos.File, t.pos.Line, fmt.Sprintf("%s that takes %s of the state values, and no values file of %s alone says that: list one below environments.%s", advice, path, l.Spec.Environment, l.Spec.Environment)), nil
}

// stateValue is a state value that has to change so that a release's value does.
type stateValue struct {
	path  origin.Path
	move  Move
	named schema.Pos // where a template names it
}

// inState finds the place of a state value in the layers of one file; ok is false
// where the file has neither it nor a place for it.
func (l *Locator) inState(layers []spec.StateLayer, v stateValue) (Place, bool, error) {
	to := v.move.To
	for i := len(layers) - 1; i >= 0; i-- {
		now, says := origin.Lookup(layers[i].Values, v.path)
		if !says {
			continue
		}
		if v.move.Had {
			var ok bool
			if to, ok = inPart(now, v.move.Was, v.move.To); !ok {
				return l.hand(v.named.File, v.named.Line, fmt.Sprintf("it comes out of a template that makes it of %s in a way that cannot be followed", v.path)), true, nil
			}
		}
		if p, ok, err := l.own(layers[i], v.path, to); ok || err != nil {
			return p, ok, err
		}
		break // it is shared: a layer of the target alone has to win over it
	}
	for i := len(layers) - 1; i >= 0; i-- {
		if p, ok, err := l.own(layers[i], v.path, to); err != nil || ok && p.Hand == "" {
			return p, ok, err
		}
	}
	return Place{}, false, nil
}

// own gives the place of a state value in a layer that is of the target alone.
func (l *Locator) own(layer spec.StateLayer, path origin.Path, to any) (Place, bool, error) {
	file := layer.File
	inline := file == ""
	if inline {
		file = layer.Listed.File
	}
	if !layer.Environment && inline || !inline && l.Shared(file) {
		return Place{}, false, nil
	}
	p := Place{File: file, Path: pathOf(path), To: to}
	switch text, err := os.ReadFile(file); {
	case err != nil:
		return Place{}, false, err
	case l.Fetched(file):
		p.Hand = "the file was fetched from elsewhere"
	case template(file):
		p.Hand = "the file is a template"
		if found, ok := origin.Find([]origin.Layer{layer.Layer}, path, nil); ok {
			p.Line = found.Pos.Line
		}
	default:
		if inline {
			doc, entry, ok, err := edit.PathAt(text, layer.Listed.Line, layer.Listed.Col)
			if err != nil || !ok {
				return Place{}, false, nil
			}
			p.Doc, p.Path = doc, append(entry, p.Path...)
		}
		_, p.Line, _, _ = edit.Value(text, p.Doc, p.Path)
	}
	return p, true, nil
}

// inPart gives what a part of a text has to become so that the whole becomes
// another one: v1 in web:v1 becomes v2 for web:v2.
func inPart(part, was, to any) (any, bool) {
	if origin.Equal(part, was) {
		return to, true
	}
	whole, piece, wanted := fmt.Sprint(was), fmt.Sprint(part), fmt.Sprint(to)
	if piece == "" || strings.Count(whole, piece) != 1 {
		return nil, false
	}
	before, after, _ := strings.Cut(whole, piece)
	if len(before)+len(after) > len(wanted) || !strings.HasPrefix(wanted, before) || !strings.HasSuffix(wanted, after) {
		return nil, false
	}
	return wanted[len(before) : len(wanted)-len(after)], true
}
