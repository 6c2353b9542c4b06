package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/schema"
)

type explainCmd struct {
	overlay
	rawArgs
	Release string `arg:"" help:"Release: NAME, NAMESPACE/NAME or CONTEXT/NAMESPACE/NAME."`
	Path    string `arg:"" optional:"" help:"Path of a value, such as image.tag, ingress.hosts[0].host or 'annotations.\"a.b/c\"'; all values below it are told. Default: all that the state files set."`
	All     bool   `help:"Also tell the values that only the chart's defaults set."`
	Output  string `short:"o" enum:"text,json,yaml" default:"text" help:"Output format (text, json, yaml)."`
}

// Run tells where the values of one release come from, without a cluster.
func (c *explainCmd) Run(ctx context.Context, s *session) error {
	path, err := origin.ParsePath(c.Path)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	f, err := c.load(ctx, s)
	if err != nil {
		return err
	}
	t := s.tools(f)
	return t.around(ctx, f, func(f *fleet) error {
		if len(f.releases) == 0 {
			return nil // --allow-failed-releases left it out
		}
		defer t.tidy(ctx, f.releases)
		r := f.releases[0]
		found, err := t.explain(ctx, f, r)
		if err != nil {
			return interrupted(ctx, err)
		}
		values := found.Explain(path)
		if len(path) == 0 && !c.All {
			values = slices.DeleteFunc(values, func(v origin.Value) bool {
				return v.From == nil || !found.Layers[v.From.Layer].User() || copied(found.Layers, *v.From, v.Path)
			})
		}
		if len(path) > 0 && len(values) == 0 {
			return noValue(r, found.Final, path)
		}
		return c.print(s, view.Explanation{
			Release: r.ID, Chart: found.Chart.Name + "-" + found.Chart.Version, Environment: f.spec.Environment,
			Values: s.explained(found.Layers, values),
		})
	})
}

// load gives a fleet of the one release that is meant.
func (c *explainCmd) load(ctx context.Context, s *session) (*fleet, error) {
	q := request{over: c.overlay, raw: helmText{args: c.Args}}
	loaded, selector, err := s.read(ctx, q)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	declared, err := loaded.Declared(selector)
	f, err := s.fleet(loaded, declared, err)
	if err != nil {
		return nil, err
	}
	if f.releases, err = named(f.releases, c.Release); err != nil {
		return nil, err
	}
	return f, s.edit(f, q)
}

// named finds the one release that a name, or an id, means.
func named(releases []spec.Release, name string) ([]spec.Release, error) {
	var found []spec.Release
	var names, ids []string
	for _, r := range releases {
		names = append(names, r.ID.Name)
		if r.ID.Name == name || r.ID.Namespace+"/"+r.ID.Name == name || r.ID.String() == name {
			found, ids = append(found, r), append(ids, fmt.Sprintf("%s (%s)", r.ID, r.Pos))
		}
	}
	switch {
	case len(found) == 1:
		return found, nil
	case len(found) > 1:
		return nil, fmt.Errorf("%w: %q means more than one release: %s; write NAMESPACE/NAME, or choose with --selector", errUsage, name, strings.Join(ids, ", "))
	}
	why := fmt.Errorf("%w %q", errNoRelease, name)
	if near := schema.Nearest(name[strings.LastIndexByte(name, '/')+1:], names); near != "" {
		return nil, fmt.Errorf("%w, did you mean %q?", why, near)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("%w; there are: %s", why, few(slices.Compact(names)))
}

// explain goes the way of rendering, up to the values that templates see.
func (t *tools) explain(ctx context.Context, f *fleet, r spec.Release) (*engine.Origins, error) {
	layers, values, err := f.spec.LayersOf(ctx, r)
	if err != nil {
		return nil, err
	}
	in := engine.RenderInput{Release: r, Values: values, Offline: true, Namespace: f.spec.DeclaredNamespace(r)}
	if in.Release.Set, err = f.spec.SetOf(ctx, r); err != nil {
		return nil, err
	}
	in.Template = func(ctx context.Context, dir, file string) ([]byte, error) {
		return f.spec.RenderManifest(ctx, r, dir, file)
	}
	return t.engine.Explain(ctx, in, layers)
}

func (c *explainCmd) print(s *session, e view.Explanation) error {
	out := s.env.Streams.Out
	switch c.Output {
	case "json":
		return view.JSON(out, e)
	case "yaml":
		text, err := yaml.Marshal(e)
		if err != nil {
			return fmt.Errorf("printing the values of %s: %w", e.Release, err)
		}
		return view.Text(out, string(text))
	}
	for i := range e.Values {
		v := &e.Values[i]
		if v.From != nil {
			v.From.File = s.shown(v.From.File)
		}
		for j := range v.Overrides {
			v.Overrides[j].File = s.shown(v.Overrides[j].File)
		}
	}
	if len(e.Values) == 0 {
		s.view.Warn("the state files set no values; --all tells those of the chart")
	}
	return view.Explain(out, e)
}

// shown is a path as people type it: from the working directory where the file
// is below that.
func (s *session) shown(file string) string {
	here, err := filepath.Abs(".")
	if err != nil || !filepath.IsAbs(file) {
		return file
	}
	if short, err := filepath.Rel(here, file); err == nil && filepath.IsLocal(short) {
		return short
	}
	return file
}

// explained makes what views show, with secrets masked.
func (s *session) explained(layers []origin.Layer, values []origin.Value) []view.ExplainedValue {
	out := make([]view.ExplainedValue, 0, len(values))
	for _, v := range values {
		e := view.ExplainedValue{Path: v.Path.String(), Value: s.masked(v.Value, v.From != nil && v.From.Secret), Deleted: v.Deleted}
		if v.From != nil {
			from := originOf(layers, *v.From, v.Path)
			e.From = &from
		}
		for _, o := range v.Overrides {
			e.Overrides = append(e.Overrides, view.Overridden{Value: s.masked(o.Value, o.Secret), ValueOrigin: originOf(layers, o, v.Path)})
		}
		out = append(out, e)
	}
	return out
}

func originOf(layers []origin.Layer, from origin.Source, path origin.Path) view.ValueOrigin {
	l := layers[from.Layer]
	out := view.ValueOrigin{
		File: from.Pos.File, Line: from.Pos.Line, Column: from.Pos.Col,
		Layer: string(l.Kind), Template: l.Template, Chart: l.Chart,
	}
	if strings.HasPrefix(out.File, "--") {
		out.File = "" // the layer is called so, too
	}
	if copied(layers, from, path) {
		out.Path = from.Path.String()
	}
	return out
}

// copied: Helm put there what a layer says elsewhere.
func copied(layers []origin.Layer, from origin.Source, path origin.Path) bool {
	return !slices.Equal(layers[from.Layer].Prefix.Join(from.Path), path)
}

// masked leaves nothing of a secret. Whole values are masked: what is around a
// secret in one tells of it, too.
func (s *session) masked(v any, secret bool) any {
	switch v := v.(type) {
	case nil, bool:
		if !secret || v == nil {
			return v
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = s.masked(e, secret)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = s.masked(e, secret)
		}
		return out
	}
	if text := fmt.Sprint(v); secret || s.secrets.met.Redact(text) != text {
		return spec.Masked
	}
	return v
}
