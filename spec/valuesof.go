package spec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// ErrSecrets says that a file needs a decryption that is not built in.
var ErrSecrets = errors.New("encrypted values (secrets:) are not supported yet")

// ValuesOf reads and merges the file layers of a release as Helm merges its -f
// files: a null stays, it deletes the chart's own value later. Templates are
// rendered with the release's data and secret references are resolved. What
// Release.Set says is not applied. Whole numbers are float64, as Helm reads
// them. It is safe for concurrent use; each call reads the files anew.
func (s *Spec) ValuesOf(ctx context.Context, r Release) (map[string]any, error) {
	v, err := s.valuesReader(r)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	var errs []error
	for _, layer := range r.Values {
		if layer.Secret {
			continue
		}
		m, err := v.layer(ctx, layer)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = values.Helm(out, m)
	}
	errs = append(errs, v.secrets(ctx))
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("reading the values of release %s: %w", r.ID, err)
	}
	m, _ := values.AsJSON(out).(map[string]any)
	return m, nil
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

func (v *valuesReader) layer(ctx context.Context, layer ValuesSource) (map[string]any, error) {
	pos := schema.Pos{File: layer.Pos.File, Line: layer.Pos.Line, Col: layer.Pos.Col}
	refs := v.loader.refs(v.file.dir)
	if layer.Path == "" {
		m, err := refs.Resolve(layer.Inline)
		if err != nil {
			return nil, mistake(pos, "values", err)
		}
		out, _ := m.(map[string]any)
		return out, nil
	}
	path, err := refs.Text(layer.Path)
	if err != nil {
		return nil, mistake(pos, "values", err)
	}
	files, err := v.loader.find(ctx, v.file.dir, path)
	switch {
	case err != nil:
		return nil, mistake(pos, "values", err)
	case len(files) == 0:
		return nil, v.loader.missing(v.handler, pos, "values", path)
	case len(files) > 1:
		return nil, mistake(pos, "values", fmt.Errorf("the pattern %s matches %d files, a release takes one", path, len(files)))
	}
	text, at, err := v.loader.read(ctx, files[0], v.data)
	if err != nil {
		return nil, asErrors(err, pos, "values")
	}
	docs, err := schema.HelmMaps(text, at)
	if err != nil {
		return nil, asErrors(err, pos, "values")
	}
	m := map[string]any{}
	for _, doc := range docs {
		m = values.Helm(m, doc)
	}
	if !values.Has(string(text)) {
		return m, nil
	}
	resolved, err := refs.Resolve(m)
	if err != nil {
		return nil, asErrors(err, schema.Pos{File: files[0]}, "")
	}
	m, _ = resolved.(map[string]any)
	return m, nil
}

// secrets refuses encrypted layers; one that is not there follows the handler.
func (v *valuesReader) secrets(ctx context.Context) error {
	var errs []error
	for _, e := range v.raw.Secrets {
		path, ok := e.Value.(string)
		if !ok {
			errs = append(errs, mistake(e.Pos, "secrets", ErrSecrets))
			continue
		}
		handler := string(v.handler)
		errs = append(errs, v.loader.refuseSecret(ctx, v.file.dir, schema.Text{Pos: e.Pos, Value: v.raw.ValuesPathPrefix + path}, &handler))
	}
	return errors.Join(errs...)
}

// refuseSecret tells that an encrypted file cannot be read, or does what the
// handler says about one that is not there.
func (l *loader) refuseSecret(ctx context.Context, dir string, s schema.Text, missing *string) error {
	handler, err := values.ParseHandler(missing)
	if err != nil {
		return mistake(s.Pos, "secrets", err)
	}
	if !source.IsRemote(s.Value) {
		path := s.Value
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		if _, err := os.Stat(path); err != nil {
			if files, _ := l.find(ctx, dir, s.Value); len(files) == 0 {
				return l.missing(handler, s.Pos, "secrets", s.Value)
			}
		}
	}
	return mistake(s.Pos, "secrets", fmt.Errorf("%s: %w", s.Value, ErrSecrets))
}
