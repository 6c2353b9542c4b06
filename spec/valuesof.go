package spec

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// ValuesOf reads and merges the file layers of a release as Helm merges its -f
// files: a null stays, it deletes the chart's own value later. Templates are
// rendered with the release's data, encrypted layers are decrypted and secret
// references are resolved. What Release.Set says is not applied. Whole numbers are float64, as Helm reads
// them. It is safe for concurrent use; each call reads the files anew.
func (s *Spec) ValuesOf(ctx context.Context, r Release) (map[string]any, error) {
	read, err := s.readValues(ctx, r)
	if err != nil {
		return nil, err
	}
	return mergedValues(read), nil
}

// layerText is what one layer holds. Places are looked up only when asked for:
// who renders needs none.
type layerText struct {
	values map[string]any
	places func() *origin.Places
}

// readValues reads the file layers of a release, one for each of r.Values.
func (s *Spec) readValues(ctx context.Context, r Release) ([]layerText, error) {
	v, err := s.valuesReader(r)
	if err != nil {
		return nil, err
	}
	read := make([]layerText, len(r.Values))
	errs := make([]error, len(r.Values))
	for i, layer := range r.Values {
		read[i], errs[i] = v.layer(ctx, layer)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("reading the values of release %s: %w", r.ID, err)
	}
	return read, nil
}

func mergedValues(read []layerText) map[string]any {
	out := map[string]any{}
	for _, layer := range read {
		out = values.Helm(out, layer.values)
	}
	m, _ := values.AsJSON(out).(map[string]any)
	return m
}

// valuesReader reads the layers of one release.
type valuesReader struct {
	loader  *loader
	file    *stateFile
	raw     *schema.Release
	handler values.Handler
	data    func() any
}

func (s *Spec) valuesReader(r Release) (*valuesReader, error) {
	if s.loaded == nil || r.Index >= len(s.loaded.releases) || r.File >= len(s.loaded.files) {
		return nil, fmt.Errorf("release %s is not of this state", r.ID)
	}
	extra := s.loaded.releases[r.Index]
	l, f := s.loaded.loader, s.loaded.files[r.File].file
	missing := extra.raw.MissingFile
	if missing == nil {
		missing = f.state.MissingFile
	}
	handler, err := values.ParseHandler(missing)
	if err != nil {
		return nil, err
	}
	data := func() any {
		d := l.releaseTemplateData(f)
		declared := r
		declared.ID = ReleaseID{Context: extra.context, Namespace: extra.namespace, Name: r.ID.Name}
		d.Release = releaseView{
			Name: r.ID.Name, Namespace: extra.namespace, Labels: s.LabelsOf(declared),
			Chart: r.Chart.Declared, ChartVersion: r.Chart.Version, KubeContext: extra.context,
		}
		return d
	}
	return &valuesReader{loader: l, file: f, raw: extra.raw, handler: handler, data: data}, nil
}

func (v *valuesReader) layer(ctx context.Context, layer ValuesSource) (layerText, error) {
	ctx = withRefDir(ctx, v.file.dir)
	pos := schema.Pos{File: layer.Pos.File, Line: layer.Pos.Line, Col: layer.Pos.Col}
	if layer.Secret {
		return v.secret(ctx, layer, pos)
	}
	refs := v.loader.refs(v.file.dir)
	if layer.Path == "" {
		m, err := refs.Resolve(ctx, layer.Inline)
		if err != nil {
			return layerText{}, mistake(pos, "values", err)
		}
		out, _ := m.(map[string]any)
		return layerText{out, v.inline(pos)}, nil
	}
	path, err := refs.Text(ctx, layer.Path)
	if err != nil {
		return layerText{}, mistake(pos, "values", err)
	}
	file, err := v.one(ctx, path, place{pos, "values", v.handler})
	if file == "" || err != nil {
		return layerText{}, err
	}
	text, at, err := v.loader.read(ctx, file, v.data)
	if err != nil {
		return layerText{}, asErrors(err, pos, "values")
	}
	return v.decode(ctx, file, text, at)
}

// inline finds the places of the values that stand in the state file itself.
func (v *valuesReader) inline(pos schema.Pos) func() *origin.Places {
	return func() *origin.Places {
		for _, e := range slices.Concat(v.raw.Values, v.raw.Secrets) {
			if e.Pos == pos && e.Source != nil {
				return origin.PlacesOf([]*schema.Node{e.Source.Node}, e.Source.At)
			}
		}
		return nil
	}
}

// place is where and how a file is named.
type place struct {
	pos     schema.Pos
	field   string
	handler values.Handler
}

// one finds the one file that a path stands for; empty: it is not there, which
// the handler allows.
func (v *valuesReader) one(ctx context.Context, path string, at place) (string, error) {
	files, err := v.loader.find(ctx, v.file.dir, path)
	err = forgive(err, missingConfig(v.raw.MissingConfig, &v.file.state))
	switch {
	case err != nil:
		return "", mistake(at.pos, at.field, err)
	case len(files) == 0:
		return "", v.loader.missing(at.handler, at.pos, at.field, path)
	case len(files) > 1:
		return "", mistake(at.pos, at.field, fmt.Errorf("the pattern %s matches %d files, a release takes one", path, len(files)))
	}
	return files[0], nil
}

// decode merges the documents of a text and resolves its references.
func (v *valuesReader) decode(ctx context.Context, file string, text []byte, at schema.Locate) (layerText, error) {
	pos := schema.Pos{File: file}
	docs, err := schema.HelmMaps(text, at)
	if err != nil {
		return layerText{}, asErrors(err, pos, "")
	}
	m := map[string]any{}
	for _, doc := range docs {
		m = values.Helm(m, doc)
	}
	places := func() *origin.Places { return origin.PlacesIn(text, at) }
	if !values.Has(string(text)) {
		return layerText{m, places}, nil
	}
	resolved, err := v.loader.refs(v.file.dir).Resolve(ctx, m)
	if err != nil {
		return layerText{}, asErrors(err, pos, "")
	}
	m, _ = resolved.(map[string]any)
	return layerText{m, places}, nil
}

// secret reads an encrypted layer: it is decrypted first, then it is as any
// other, a template when its name says so. As in helmfile, only the release's
// own missingFileHandler counts here, not the file's.
func (v *valuesReader) secret(ctx context.Context, layer ValuesSource, pos schema.Pos) (layerText, error) {
	store := v.loader.secrets
	if layer.Path == "" {
		text, err := schema.Marshal(layer.Inline)
		if err == nil {
			text, err = store.decryptInline(ctx, v.file.dir, text)
		}
		if err != nil {
			return layerText{}, mistake(pos, "secrets", fmt.Errorf("decrypting an inline map: %w", err))
		}
		read, err := v.decrypted(ctx, pos.File, text, schema.InFile(pos.File))
		read.places = v.inline(pos)
		return read, err
	}
	handler, err := values.ParseHandler(v.raw.MissingFile)
	if err != nil {
		return layerText{}, mistake(pos, "secrets", err)
	}
	file, err := v.one(ctx, layer.Path, place{pos, "secrets", handler})
	if file == "" || err != nil {
		return layerText{}, err
	}
	text, err := store.decrypt(ctx, v.file.dir, file)
	if err != nil {
		return layerText{}, mistake(pos, "secrets", fmt.Errorf("decrypting %s: %w", file, err))
	}
	text, at, err := v.loader.render(ctx, file, text, v.data)
	if err != nil {
		return layerText{}, asErrors(err, pos, "secrets")
	}
	return v.decrypted(ctx, file, text, at)
}

func (v *valuesReader) decrypted(ctx context.Context, file string, text []byte, at schema.Locate) (layerText, error) {
	read, err := v.decode(ctx, file, text, at)
	v.loader.secrets.learn(text, read.values, err)
	return read, err
}
