package spec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/tmpl"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// Patches are the loaded entries of a Customization. They are applied in the
// order of the fields and, in each, in the order of the list. The zero value
// changes nothing.
type Patches struct {
	JSON           []Patch
	StrategicMerge []Patch
	Transformers   []Patch
}

// Empty reports whether there is nothing to apply.
func (p Patches) Empty() bool {
	return len(p.JSON) == 0 && len(p.StrategicMerge) == 0 && len(p.Transformers) == 0
}

// Patch is one loaded entry: rendered, with its references resolved.
type Patch struct {
	Target map[string]string // JSON patches only: which objects it is for; empty: all
	Text   []byte            // YAML: operations of a JSON patch, else documents
	Files  map[string][]byte // what paths in Text name, by the name that Text has for it
	Pos    Pos               // the entry in the state file
}

// PatchesOf reads the patches and transformers of a release. Files ending in
// .gotmpl are rendered with the release's data; their .Values are the state
// values with the values of the release on top, which is what values must hold
// (as ValuesOf gives them). Paths inside of entries start at the folder of the
// state file or, if nothing is there, at that of the entry's file. All mistakes
// are reported, each with its place. Source of the rules: PrepareChartify in
// github.com/helmfile/helmfile/pkg/state and patch.go of helmfile/chartify.
func (s *Spec) PatchesOf(ctx context.Context, r Release, values map[string]any) (Patches, error) {
	if c := r.Customize; len(c.JSONPatches)+len(c.StrategicMergePatches)+len(c.Transformers) == 0 {
		return Patches{}, nil
	}
	v, err := s.valuesReader(r)
	if err != nil {
		return Patches{}, err
	}
	reader := &patchReader{valuesReader: v, data: patchData(v, values)}
	out := Patches{
		JSON:           reader.all(ctx, "jsonPatches", r.Customize.JSONPatches, reader.json),
		StrategicMerge: reader.all(ctx, "strategicMergePatches", r.Customize.StrategicMergePatches, reader.strategic),
		Transformers:   reader.all(ctx, "transformers", r.Customize.Transformers, reader.transformer),
	}
	if err := errors.Join(reader.errs...); err != nil {
		return Patches{}, fmt.Errorf("reading the patches of release %s: %w", r.ID, err)
	}
	return out, nil
}

// DeclaredNamespace is the namespace that the state file, or --namespace, gives
// to a release; empty if it is left to the context, also after Bind.
func (s *Spec) DeclaredNamespace(r Release) string {
	if s.loaded == nil || r.Index >= len(s.loaded.releases) {
		return r.ID.Namespace
	}
	return s.loaded.releases[r.Index].namespace
}

// RenderManifest renders a template file that lies in dir, a folder of
// manifests that is used as a chart, with the data that release templates see.
func (s *Spec) RenderManifest(ctx context.Context, r Release, dir, file string) ([]byte, error) {
	v, err := s.valuesReader(r)
	if err != nil {
		return nil, err
	}
	text, err := v.loader.opts.read(file)
	if err != nil {
		return nil, err
	}
	out, err := v.loader.tmpl.Render(ctx, tmpl.Template{File: file, Dir: dir, Text: text}, v.data())
	if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// patchData is what templates of patches see: as those of values, with the
// values of the release over the state's.
func patchData(v *valuesReader, release map[string]any) func() any {
	return func() any {
		d, ok := v.data().(releaseData)
		if !ok {
			return v.data()
		}
		whole, _ := wholeNumbers(release).(map[string]any)
		d.Values = values.Sparse(d.Values, whole)
		d.StateValues = d.Values
		return d
	}
}

// wholeNumbers turns floats without a fraction into integers: values have the
// numbers of JSON, of which templates print the large ones with an exponent.
func wholeNumbers(v any) any {
	const exact = 1 << 53
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < exact {
			return int(v)
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = wholeNumbers(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = wholeNumbers(e)
		}
		return out
	default:
		return v
	}
}

// patchReader reads the entries of one release.
type patchReader struct {
	*valuesReader
	data  func() any
	files int // of transformers: their names are unique in a release
	errs  []error
}

// entry is one entry as read: documents as the user wrote them.
type entry struct {
	text  []byte
	docs  []*schema.Node
	at    schema.Locate
	dir   string // of the file; empty: inline
	pos   Pos
	field string
}

func (e entry) fail(n *schema.Node, format string, args ...any) error {
	return mistake(e.at(n.Line, n.Column), e.field, fmt.Errorf(format, args...))
}

func (p *patchReader) all(ctx context.Context, field string, list []ValuesSource, parse func(entry) ([]Patch, error)) []Patch {
	var out []Patch
	for _, source := range list {
		e, err := p.read(ctx, field, source)
		if err == nil && len(e.docs) > 0 {
			var found []Patch
			found, err = parse(e)
			out = append(out, found...)
		}
		p.errs = append(p.errs, err)
	}
	return out
}

// read gives an entry without documents for a file that may be missing and is.
func (p *patchReader) read(ctx context.Context, field string, source ValuesSource) (entry, error) {
	pos := schema.Pos{File: source.Pos.File, Line: source.Pos.Line, Col: source.Pos.Col}
	e := entry{pos: source.Pos, field: field, at: func(int, int) schema.Pos { return pos }}
	if source.Path == "" {
		resolved, err := p.loader.refs(p.file.dir).Resolve(ctx, source.Inline)
		if err != nil {
			return e, mistake(pos, field, err)
		}
		text, err := schema.Marshal(resolved)
		if err != nil {
			return e, mistake(pos, field, err)
		}
		return e.parsed(text)
	}
	files, err := p.loader.find(ctx, p.file.dir, source.Path)
	switch {
	case err != nil:
		return e, mistake(pos, field, err)
	case len(files) == 0:
		return e, p.loader.missing(p.handler, pos, field, source.Path)
	case len(files) > 1:
		return e, mistake(pos, field, fmt.Errorf("the pattern %s matches %d files, an entry takes one", source.Path, len(files)))
	}
	text, at, err := p.loader.read(ctx, files[0], p.data)
	if err != nil {
		return e, asErrors(err, pos, field)
	}
	e.at, e.dir = at, filepath.Dir(files[0])
	if e, err = e.parsed(text); err != nil || !values.Has(string(text)) {
		return e, err
	}
	return p.resolved(ctx, e)
}

func (e entry) parsed(text []byte) (entry, error) {
	docs, err := schema.Parse(text, e.at)
	if err != nil {
		return e, asErrors(err, e.at(0, 0), e.field)
	}
	e.text, e.docs = text, docs
	return e, nil
}

// resolved resolves secret references. Lines are those of the resolved text
// then, so only the file is told from there on.
func (p *patchReader) resolved(ctx context.Context, e entry) (entry, error) {
	refs := p.loader.refs(p.file.dir)
	var texts []string
	var errs []error
	for _, doc := range e.docs {
		v, err := refs.Resolve(ctx, value(doc))
		if err != nil {
			errs = append(errs, asErrors(err, e.at(doc.Line, doc.Column), e.field))
			continue
		}
		text, err := schema.Marshal(v)
		errs = append(errs, err)
		texts = append(texts, string(text))
	}
	if err := errors.Join(errs...); err != nil {
		return e, err
	}
	first := e.at(1, 1)
	e.at = func(int, int) schema.Pos { return schema.Pos{File: first.File} }
	return e.parsed([]byte(strings.Join(texts, "---\n")))
}

// value decodes a node of YAML; what cannot be decoded is left to kustomize.
func value(n *schema.Node) any { return schema.Value(n, func(*schema.Node, error) {}) }

// json reads a JSON patch: a target, without which it is for all objects, and
// operations in patch or in the file
// that path names. What follows the first document is not read, as helmfile
// does not.
func (p *patchReader) json(e entry) ([]Patch, error) {
	doc := e.docs[0]
	m, ok := value(doc).(map[string]any)
	if !ok {
		return nil, e.fail(doc, "expected a map with target and patch, found %s", schema.Kind(doc))
	}
	out := Patch{Target: map[string]string{}, Pos: e.pos}
	switch target := m["target"].(type) {
	case nil:
	case map[string]any:
		for k, v := range target {
			out.Target[k] = fmt.Sprint(v)
		}
	default:
		return nil, e.fail(doc, "target: expected a map, found %T", target)
	}
	path, _ := m["path"].(string)
	switch ops := m["patch"].(type) {
	case nil:
	case string:
		out.Text = []byte(ops)
	case []any:
		text, err := schema.Marshal(ops)
		if err != nil {
			return nil, e.fail(doc, "patch: %w", err)
		}
		out.Text = text
	default:
		return nil, e.fail(doc, "patch: expected a list of operations, found %T", ops)
	}
	if path == "" && len(out.Text) == 0 {
		return nil, e.fail(doc, `either "path" or "patch" must be set`)
	}
	if path == "" {
		return []Patch{out}, nil
	}
	text, found, err := p.beside(e, path)
	switch {
	case err != nil:
		return nil, e.fail(doc, "path: %w", err)
	case !found:
		return nil, e.fail(doc, "path: there is no file %s", path)
	}
	out.Text = text
	return []Patch{out}, nil
}

// strategic checks what kustomize would only complain of without a place.
func (p *patchReader) strategic(e entry) ([]Patch, error) {
	var errs []error
	for _, doc := range e.docs {
		m, ok := value(doc).(map[string]any)
		if !ok {
			errs = append(errs, e.fail(doc, "expected an object, found %s", schema.Kind(doc)))
			continue
		}
		metadata, _ := m["metadata"].(map[string]any)
		if m["kind"] == nil || metadata["name"] == nil {
			errs = append(errs, e.fail(doc, "a strategic merge patch needs kind and metadata.name, which say what it is for"))
		}
	}
	return []Patch{{Text: e.text, Pos: e.pos}}, errors.Join(errs...)
}

// transformer brings along the files that path fields name: kustomize looks
// for them where the patched documents are.
func (p *patchReader) transformer(e entry) ([]Patch, error) {
	out := Patch{Text: e.text, Pos: e.pos}
	var texts []string
	for _, doc := range e.docs {
		v := value(doc)
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		for _, item := range list {
			m, ok := item.(map[string]any)
			if !ok {
				return nil, e.fail(doc, "expected a transformer, found %s", schema.Kind(doc))
			}
			path, _ := m["path"].(string)
			text, found, err := p.beside(e, path)
			if err != nil {
				return nil, e.fail(doc, "path: %w", err)
			}
			if !found {
				continue
			}
			if out.Files == nil {
				out.Files = map[string][]byte{}
			}
			name := fmt.Sprintf("transformer-file-%d.yaml", p.files)
			p.files++
			out.Files[name], m["path"] = text, name
		}
		text, err := schema.Marshal(v)
		if err != nil {
			return nil, e.fail(doc, "%w", err)
		}
		texts = append(texts, string(text))
	}
	if len(out.Files) > 0 {
		out.Text = []byte(strings.Join(texts, "---\n"))
	}
	return []Patch{out}, nil
}

// beside reads a file that an entry names; not found is no error.
func (p *patchReader) beside(e entry, path string) (text []byte, found bool, err error) {
	if path == "" {
		return nil, false, nil
	}
	candidates := []string{path}
	if !filepath.IsAbs(path) {
		candidates = []string{filepath.Join(p.file.dir, path)}
		if e.dir != "" {
			candidates = append(candidates, filepath.Join(e.dir, path))
		}
	}
	for _, c := range candidates {
		if info, err := os.Stat(c); err != nil || info.IsDir() {
			continue
		}
		text, err := p.loader.opts.read(c)
		return text, err == nil, err
	}
	return nil, false, nil
}
