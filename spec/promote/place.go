package promote

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/promote/edit"
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// Place is where a move has to be made.
type Place struct {
	File string
	Line int       // where the value stands; zero: it is to be added
	Doc  int       // see edit.Change
	Path edit.Path // in the file
	To   any       // what has to stand there: a part of the value, behind some templates
	// Hand is why it has to be made by hand, and how; empty: it can be made here.
	Hand string
}

// Locator finds the places of moves in the files of the target.
type Locator struct {
	Spec *spec.Spec // of the target
	From string     // name of the source
	// Shared reports whether a file is read for the source, too.
	Shared func(file string) bool
	// Fetched reports whether a file was fetched from elsewhere.
	Fetched func(file string) bool
}

// Release is one release of the target.
type Release struct {
	spec.Release
	Sources origin.Sources // of its values
}

// Find finds the place of a move.
func (l *Locator) Find(ctx context.Context, r Release, m Move) (Place, error) {
	if _, single := m.To.(map[string]any); single {
		return l.hand(r.Pos.File, r.Pos.Line, "a whole map has to be put there"), nil
	}
	if _, list := m.To.([]any); list {
		p, err := l.value(ctx, r, m)
		if p.Hand == "" {
			p = l.hand(p.File, p.Line, "the lists differ in more than single elements: write the list as it is in "+l.From)
		}
		return p, err
	}
	if m.Kind == KindVersion {
		return l.version(ctx, r, m)
	}
	return l.value(ctx, r, m)
}

func (l *Locator) hand(file string, line int, why string) Place {
	return Place{File: file, Line: line, Hand: why}
}

// value finds the place of a value: where the target says it, if that is its
// own, or else where it can say it.
func (l *Locator) value(ctx context.Context, r Release, m Move) (Place, error) {
	if !m.Had {
		return l.added(r, m), nil
	}
	for _, v := range r.Sources.Explain(m.Path) {
		if v.From == nil || v.Path.String() != m.Path.String() || v.Deleted {
			continue
		}
		layer := r.Sources.Layers[v.From.Layer]
		switch layer.Kind {
		case origin.KindValues, origin.KindValuesTemplate:
			return l.inLayer(ctx, r, m, said{layer, *v.From})
		case origin.KindSet, origin.KindSetString, origin.KindSetTemplate, origin.KindEnv:
			return l.inSet(ctx, r, m, layer.Listed)
		case origin.KindSecrets:
			return l.hand(v.From.Pos.File, 0, "it is encrypted"), nil
		case origin.KindChart, origin.KindSubchart, origin.KindValuesFlag, origin.KindSetFlag:
			return l.added(r, m), nil
		default:
			return Place{}, fmt.Errorf("finding %s of %s: no kind of layer is named %q", m.Field(), r.ID, layer.Kind)
		}
	}
	return l.added(r, m), nil
}

// said is what a layer says about a value.
type said struct {
	layer origin.Layer
	from  origin.Source
}

// inLayer is for a value that values of the release say.
func (l *Locator) inLayer(ctx context.Context, r Release, m Move, s said) (Place, error) {
	pos := s.from.Pos
	if pos.File == "" {
		pos = s.layer.Listed
	}
	text, err := os.ReadFile(pos.File)
	switch {
	case err != nil:
		return Place{}, err
	case l.Fetched(pos.File):
		return l.elsewhere(r, m, pos, "the file was fetched from elsewhere"), nil
	case template(pos.File):
		return l.behind(ctx, r, m, templated{pos, line(text, pos.Line)})
	}
	p := Place{File: pos.File, Line: pos.Line, Doc: edit.LastDoc, Path: pathOf(s.from.Path), To: m.To}
	if pos.File == s.layer.Listed.File { // inline
		doc, entry, ok, err := edit.PathAt(text, s.layer.Listed.Line, s.layer.Listed.Col)
		if err != nil || !ok {
			return l.hand(pos.File, pos.Line, "its place cannot be told"), nil
		}
		p.Doc, p.Path = doc, append(entry, p.Path...)
		if raw, at, found, _ := edit.Value(text, doc, p.Path); found && strings.Contains(fmt.Sprint(raw), "{{") {
			return l.behind(ctx, r, m, templated{schema.Pos{File: pos.File, Line: at}, fmt.Sprint(raw)})
		}
	}
	if l.Shared(pos.File) {
		return l.elsewhere(r, m, pos, ""), nil
	}
	return p, nil
}

// inSet is for a value that an entry of set says.
func (l *Locator) inSet(ctx context.Context, r Release, m Move, listed schema.Pos) (Place, error) {
	text, err := os.ReadFile(listed.File)
	if err != nil {
		return Place{}, err
	}
	if template(listed.File) {
		at, raw := keyBelow(text, listed.Line, "value")
		return l.behind(ctx, r, m, templated{schema.Pos{File: listed.File, Line: at}, raw})
	}
	doc, entry, ok, err := edit.PathAt(text, listed.Line, listed.Col)
	if err != nil || !ok {
		return l.hand(listed.File, listed.Line, "its place cannot be told"), nil
	}
	path := entry.With(edit.Key("value"))
	raw, at, found, err := edit.Value(text, doc, path)
	switch {
	case err != nil || !found:
		return l.hand(listed.File, listed.Line, "the entry of set has no plain value"), nil
	case strings.Contains(fmt.Sprint(raw), "{{"):
		return l.behind(ctx, r, m, templated{schema.Pos{File: listed.File, Line: at}, fmt.Sprint(raw)})
	case l.Shared(listed.File):
		return l.hand(listed.File, at, l.sharedWhy()+", and set wins over all values files: write {{ .Values }} there, or move it to a values file"), nil
	}
	return Place{File: listed.File, Line: at, Doc: doc, Path: path, To: fmt.Sprint(m.To)}, nil
}

// version finds the place of the chart's version.
func (l *Locator) version(ctx context.Context, r Release, m Move) (Place, error) {
	if local(r.Chart) {
		return l.hand(r.Pos.File, r.Pos.Line, fmt.Sprintf("the chart %s is a folder of these files, which holds another version than %s runs: apply the files there first", r.Chart.Declared, l.From)), nil
	}
	text, err := os.ReadFile(r.Pos.File)
	if err != nil {
		return Place{}, err
	}
	if template(r.Pos.File) {
		at, raw := keyBelow(text, r.Pos.Line, "version")
		if at == 0 {
			return l.hand(r.Pos.File, r.Pos.Line, "it has no version here: write version: {{ .Values }} with a value for each environment"), nil
		}
		return l.behind(ctx, r, m, templated{schema.Pos{File: r.Pos.File, Line: at}, raw})
	}
	doc, entry, ok, err := edit.PathAt(text, r.Pos.Line, r.Pos.Col)
	if err != nil || !ok {
		return l.hand(r.Pos.File, r.Pos.Line, "its place cannot be told"), nil
	}
	path := entry.With(edit.Key("version"))
	raw, at, found, err := edit.Value(text, doc, path)
	written := fmt.Sprint(raw)
	switch {
	case err != nil:
		return l.hand(r.Pos.File, r.Pos.Line, err.Error()), nil
	case found && strings.Contains(written, "{{"):
		return l.behind(ctx, r, m, templated{schema.Pos{File: r.Pos.File, Line: at}, written})
	case found && l.Shared(r.Pos.File):
		return l.hand(r.Pos.File, at, l.sharedWhy()+": write a template there, such as version: {{ .Values."+r.ID.Name+".version }}, and the version into the values of each environment"), nil
	case !found && l.Shared(r.Pos.File):
		return l.hand(r.Pos.File, r.Pos.Line, "it has no version here, and "+l.sharedWhy()), nil
	}
	return Place{File: r.Pos.File, Line: at, Doc: doc, Path: path, To: m.To}, nil
}

// added finds a file of the target alone that can say a value of the release:
// the highest one.
func (l *Locator) added(r Release, m Move) Place {
	for i := len(r.Values) - 1; i >= 0; i-- {
		v := r.Values[i]
		if v.Secret || v.Path == "" || !filepath.IsAbs(v.Path) || source.IsRemote(v.Path) || values.Has(v.Path) || template(v.Path) {
			continue
		}
		if info, err := os.Stat(v.Path); err != nil || !info.Mode().IsRegular() || l.Shared(v.Path) || l.Fetched(v.Path) {
			continue
		}
		return Place{File: v.Path, Doc: edit.LastDoc, Path: pathOf(m.Path), To: m.To}
	}
	return l.hand(r.Pos.File, r.Pos.Line, fmt.Sprintf("no values file of it is of %s alone: list one such as environments/%s/%s.yaml and say %s there", l.Spec.Environment, l.Spec.Environment, r.ID.Name, m.Path))
}

// elsewhere is for a value that stands where it may not be changed: a file of the
// target alone may say it, too, and win.
func (l *Locator) elsewhere(r Release, m Move, pos schema.Pos, why string) Place {
	if p := l.added(r, m); p.Hand == "" {
		return p
	}
	if why == "" {
		why = l.sharedWhy()
	}
	return l.hand(pos.File, pos.Line, fmt.Sprintf("%s, and no values file of %s is of %s alone: list one such as environments/%s/%s.yaml and say %s there",
		why, r.ID.Name, l.Spec.Environment, l.Spec.Environment, r.ID.Name, m.Path))
}

func (l *Locator) sharedWhy() string {
	return fmt.Sprintf("the file is one of %s, too, so that changing it would change that", l.From)
}

func template(file string) bool { return filepath.Ext(file) == ".gotmpl" }

// local reports whether a chart is a folder or archive, whose version nobody
// writes into a state file.
func local(c spec.Chart) bool {
	if source.IsRemote(c.Ref) || c.Repository != nil || strings.Contains(c.Ref, "://") {
		return false
	}
	path := c.Ref
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.Dir, path)
	}
	_, err := os.Stat(path)
	return err == nil
}

// pathOf turns a path of values into one of a file.
func pathOf(p origin.Path) edit.Path {
	var out edit.Path
	for _, s := range p {
		if s.InList {
			out = append(out, edit.Index(s.Index))
			continue
		}
		out = append(out, edit.Key(s.Key))
	}
	return out
}
