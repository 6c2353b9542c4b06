package cli

import (
	"bytes"
	"context"
	"runtime"
	"slices"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
)

// locate tells of the causes in a plan what the plan itself cannot: which file
// and line says a value, and whether a rendering gives something else each time.
// It looks at releases with causes only, so that it costs nothing where nothing
// changes.
func (t *tools) locate(ctx context.Context, f *fleet, p *plan.Plan) {
	var todo []*plan.Step
	for i := range p.Steps {
		if len(p.Steps[i].Causes) > 0 {
			todo = append(todo, &p.Steps[i])
		}
	}
	each(len(todo), f.at(runtime.GOMAXPROCS(0)), func(i int) {
		s := todo[i]
		is := func(kind plan.CauseKind) bool {
			return slices.ContainsFunc(s.Causes, func(c plan.Cause) bool { return c.Kind == kind })
		}
		if is(plan.CauseValue) {
			t.locateValues(ctx, f, s)
		}
		if is(plan.CauseTemplates) && t.random(ctx, f, s) {
			s.Causes = []plan.Cause{{Kind: plan.CauseRandom, Op: s.Causes[0].Op}}
		}
	})
}

// locateValues fills in who says a value, and masks what a secret layer says.
// Where that cannot be told any more, all values are masked.
func (t *tools) locateValues(ctx context.Context, f *fleet, s *plan.Step) {
	layers, err := t.userLayers(ctx, f, s.Release)
	for i := range s.Causes {
		c := &s.Causes[i]
		if c.Kind != plan.CauseValue {
			continue
		}
		path, bad := origin.ParsePath(c.Subject)
		if err != nil || bad != nil {
			maskCause(c)
			continue
		}
		value, _ := origin.Lookup(s.After.Values, path)
		from, ok := origin.Find(layers, path, value)
		if !ok {
			continue
		}
		if from.Secret {
			maskCause(c)
		}
		c.From = plan.ValueOrigin{Pos: spec.Pos(from.Pos), Layer: string(layers[from.Layer].Kind)}
		c.From.Pos.File = t.session.shown(c.From.Pos.File)
	}
}

// userLayers are the layers of a release that do not come from its chart.
func (t *tools) userLayers(ctx context.Context, f *fleet, r spec.Release) ([]origin.Layer, error) {
	layers, _, err := f.spec.LayersOf(ctx, r)
	if err != nil {
		return nil, err
	}
	sets, err := f.spec.SetOf(ctx, r)
	if err != nil {
		return nil, err
	}
	return layers, engine.SetLayers(layers, sets)
}

func maskCause(c *plan.Cause) {
	if c.Before != "" {
		c.Before = spec.Masked
	}
	if c.After != "" {
		c.After = spec.Masked
	}
}

// random renders a release once more and looks whether that gives the same. A
// post-renderer is not run twice.
func (t *tools) random(ctx context.Context, f *fleet, s *plan.Step) bool {
	if s.Release.Options.PostRenderer != "" {
		return false
	}
	again, err := t.render(ctx, f, engine.RenderInput{Release: s.Release, Have: s.Have})
	return err == nil && !bytes.Equal(again.Stream, s.After.Stream)
}
