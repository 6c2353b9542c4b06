package spec

import (
	"errors"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// defaultArgs renders the arguments that a release has from helmDefaults with
// the data of the release; its own are rendered with its other fields.
func (c *converter) defaultArgs(r *schema.Release) ([]string, error) {
	data := c.data
	data.Release = releaseView{
		Name: r.Name, Namespace: r.Namespace, Labels: r.Labels,
		Chart: r.Chart, ChartVersion: r.Version, KubeContext: r.KubeContext,
	}
	render := &fieldRenderer{texts: c.texts, path: c.file.path, data: data, pos: r.Pos, name: r.Name}
	var out []string
	for _, arg := range c.file.state.HelmDefaults.PostRendererArgs {
		out = append(out, render.text("postRendererArgs", arg))
	}
	return out, errors.Join(render.errs...)
}
