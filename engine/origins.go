package engine

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/spec/origin"
)

// Origins is where the values of a release come from.
type Origins struct {
	origin.Sources
	Chart *chart.Chart
}

// Explain tells where the values come from that the templates of a release's
// chart see. It goes the way of Render up to the templates, without a cluster;
// values that the chart's schema refuses are explained all the same. layers are
// those of Spec.LayersOf, in which those of sets are filled in.
func (e *Engine) Explain(ctx context.Context, in RenderInput, layers []origin.Layer) (*Origins, error) {
	out, err := e.explain(ctx, in, layers)
	if err != nil {
		return nil, fmt.Errorf("explaining %s: %w", in.Release.ID, err)
	}
	return out, nil
}

func (e *Engine) explain(ctx context.Context, in RenderInput, layers []origin.Layer) (*Origins, error) {
	if err := SetLayers(layers, in.Release.Set); err != nil {
		return nil, err
	}
	values, err := withSets(in.Values, in.Release.Set)
	if err != nil {
		return nil, err
	}
	made, err := e.chart(ctx, in, values)
	if err != nil {
		return nil, err
	}
	loaded, err := made.Load()
	if err != nil {
		return nil, err
	}
	user, err := e.prepare(ctx, loaded, preparation{in: in, values: values})
	if err != nil {
		return nil, err
	}
	// Of what templates see only the values are wanted, which depend on nothing else.
	top, err := util.ToRenderValuesWithSchemaValidation(loaded, user, common.ReleaseOptions{}, nil, true)
	if err != nil {
		return nil, err
	}
	final, _ := top["Values"].(common.Values)
	defaults := &defaultsReader{dir: made.Origin}
	if err := defaults.read(loaded, nil, made.Name); err != nil {
		return nil, err
	}
	slices.SortStableFunc(defaults.layers, func(a, b origin.Layer) int { return len(b.Prefix) - len(a.Prefix) })
	return &Origins{Chart: made.Chart, Sources: origin.Sources{
		Layers: append(defaults.layers, layers...), Links: defaults.links, User: user, Final: final,
	}}, nil
}

// defaultsReader reads the values.yaml of a chart and of the charts in it, as
// they are once Helm has left out those that are switched off.
type defaultsReader struct {
	dir    string // of the chart, where it is a folder
	layers []origin.Layer
	links  []origin.Link
}

// read takes a chart whose values stand at prefix; within is its folder in the
// outermost one, beginning with the name of that.
func (d *defaultsReader) read(c *chartv2.Chart, prefix origin.Path, within string) error {
	layer := origin.Layer{Kind: origin.KindSubchart, Prefix: prefix, Chart: c.Metadata.Name + " " + c.Metadata.Version}
	if len(prefix) == 0 {
		layer.Kind = origin.KindChart
	}
	for _, f := range c.Raw {
		if f.Name != "values.yaml" {
			continue
		}
		var err error
		if layer.Values, layer.Places, err = origin.Read(f.Data, d.file(within)); err != nil {
			return err
		}
		d.layers = append(d.layers, layer)
	}
	for _, dep := range c.Metadata.Dependencies {
		below := prefix.With(origin.Key(dep.Name))
		for _, imported := range dep.ImportValues {
			if child, parent, ok := importOf(imported); ok {
				d.links = append(d.links, origin.Link{From: below.Join(dotted(child)), To: prefix.Join(dotted(parent))})
			}
		}
	}
	for _, sub := range c.Dependencies() {
		below := prefix.With(origin.Key(sub.Name()))
		above, own := prefix.With(origin.Key(common.GlobalKey)), below.With(origin.Key(common.GlobalKey))
		// Helm copies only the first level of globals to a subchart, so the
		// subchart's own ones in deeper maps show in its parent, too.
		d.links = append(d.links, origin.Link{From: above, To: own, Over: true}, origin.Link{From: own, To: above})
		if err := d.read(sub, below, path.Join(within, "charts", sub.Name())); err != nil {
			return err
		}
	}
	return nil
}

// file names a values.yaml: its path where it is a file of its own, else as
// Helm names files of charts.
func (d *defaultsReader) file(within string) string {
	_, inChart, _ := strings.Cut(within, "/")
	own := filepath.Join(d.dir, filepath.FromSlash(inChart), "values.yaml")
	if info, err := os.Stat(own); err == nil && info.Mode().IsRegular() && filepath.IsAbs(own) {
		return own
	}
	return path.Join(within, "values.yaml")
}

// importOf reads an entry of import-values: by itself it is the name of an
// export, and Helm has made it a map of texts where it went through the chart.
func importOf(entry any) (child, parent string, ok bool) {
	switch v := entry.(type) {
	case string:
		return "exports." + v, ".", true
	case map[string]string:
		return v["child"], v["parent"], true
	case map[string]any:
		return fmt.Sprint(v["child"]), fmt.Sprint(v["parent"]), true
	default:
		return "", "", false
	}
}

// dotted reads a path of import-values, in which a dot alone is the root.
func dotted(text string) origin.Path {
	if text == "." {
		return nil
	}
	return origin.Keys(strings.Split(text, ".")...)
}
