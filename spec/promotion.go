package spec

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// Promotion is the block promotion of a state file: what moves from one
// environment to the next, and when. The zero value lets everything move that
// moves anyway, from any environment to any other, at any time.
type Promotion struct {
	Order []string      // of environments: nothing skips one; empty: any order
	Soak  time.Duration // how long a release has to run before it moves on
	Allow []string      // globs of value paths that move beside versions and images
	Deny  []string      // globs of value paths that do not move, whatever allows them
	Pos   Pos
}

// PromotionOf gives the block that holds for the releases of a file: its own, or
// that of the nearest file that lists it. The zero value: there is none.
func (s *Spec) PromotionOf(file int) Promotion {
	for at := file; at >= 0 && at < len(s.Files); at = s.Files[at].Parent {
		if p := s.Files[at].Promotion; p.Pos.File != "" {
			return p
		}
	}
	return Promotion{}
}

// addPromotion reads what a file says of promotion.
func (l *loader) addPromotion(f *stateFile, index int) error {
	in := f.state.Promotion
	if in.Pos.IsZero() {
		return nil
	}
	out := Promotion{Pos: posOf(in.Pos)}
	var errs []error
	wrong := func(pos schema.Pos, field string, err error) {
		errs = append(errs, mistake(pos, "promotion."+field, err))
	}
	for _, name := range in.Order {
		if slices.Contains(out.Order, name.Value) {
			wrong(name.Pos, "order", fmt.Errorf("%q is listed twice", name.Value))
		}
		if _, known := f.state.Environments[name.Value]; !known && len(f.state.Environments) > 0 {
			hint := ""
			if near := schema.Nearest(name.Value, slices.Collect(maps.Keys(f.state.Environments))); near != "" {
				hint = fmt.Sprintf(", did you mean %q?", near)
			}
			wrong(name.Pos, "order", fmt.Errorf("there is no environment %q%s", name.Value, hint))
		}
		out.Order = append(out.Order, name.Value)
	}
	if in.Soak.Value != "" {
		var err error
		if out.Soak, err = soakOf(in.Soak.Value); err != nil {
			wrong(in.Soak.Pos, "soak", err)
		}
	}
	globs := func(field string, list []schema.Text) []string {
		var all []string
		for _, text := range list {
			if strings.Trim(text.Value, ". ") == "" {
				wrong(text.Pos, field, errors.New("is empty: expected a path of values such as replicas, or a pattern such as features.**"))
			}
			all = append(all, text.Value)
		}
		return all
	}
	out.Allow, out.Deny = globs("allow", in.Allow), globs("deny", in.Deny)
	l.spec.Files[index].Promotion = out
	return errors.Join(errs...)
}

// soakOf reads a duration of Go, or of whole days.
func soakOf(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 10_000 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no time such as 30m, 2h or 3d", text)
	}
	return d, nil
}

// Outline is what state files say of environments, whichever one is selected.
type Outline struct {
	Environments []string // that are defined, sorted
	Order        []string // of promotion, of the first block that has one
}

// OutlineOf reads as much of state files as tells their environments. That is
// much less than Load needs: a file may not load for the selected environment at
// all. Where the order of promotion stands in a part of such a file, the first
// environment that the part can be read for tells it. What could not be read is an
// error only where it found nothing.
func OutlineOf(ctx context.Context, path string, opts LoadOptions) (Outline, error) {
	l, err := loadFiles(ctx, path, opts)
	if l == nil {
		return Outline{}, err
	}
	out := l.outline
	for i, unread := 0, err; unread != nil && len(out.Order) == 0 && i < len(out.Environments); i++ {
		opts.Environment = out.Environments[i]
		if l, unread = loadFiles(ctx, path, opts); l != nil {
			out.Order = l.outline.Order
		}
	}
	if len(out.Environments) == 0 && len(out.Order) == 0 {
		return Outline{}, err
	}
	return out, nil
}

// add takes what one part of a file says.
func (o *Outline) add(st *schema.State) {
	o.Environments = append(o.Environments, slices.Collect(maps.Keys(st.Environments))...)
	slices.Sort(o.Environments)
	o.Environments = slices.Compact(o.Environments)
	if len(o.Order) > 0 {
		return
	}
	for _, name := range st.Promotion.Order {
		o.Order = append(o.Order, name.Value)
	}
}

// Environments lists the environments that the files define, sorted.
func (s *Spec) Environments() []string {
	if s.loaded == nil {
		return nil
	}
	return slices.Clone(s.loaded.loader.outline.Environments)
}

// StateLayer is one source of the state values of a file, which templates see as
// .Values.
type StateLayer struct {
	origin.Layer
	File string // the values file, after templating of its path; empty: inline
	// Environment: it is listed for the selected environment alone, and not among
	// the values of every one.
	Environment bool
}

// StateLayersOf reads the layers of the state values of a file, lowest first:
// those of every environment, then those of the selected one. Secrets, values in
// HCL, and what a parent file or the command line says are not among them.
func (s *Spec) StateLayersOf(ctx context.Context, file int) ([]StateLayer, error) {
	if s.loaded == nil || file < 0 || file >= len(s.loaded.files) {
		return nil, fmt.Errorf("file %d is not of this state", file)
	}
	l, f := s.loaded.loader, s.loaded.files[file].file
	env := f.state.Environments[s.Environment]
	all, err := l.stateLayers(ctx, f, f.state.Values)
	own, ownErr := l.stateLayers(ctx, f, env.Values)
	for i := range own {
		own[i].Environment = true
	}
	if env.MergeStrategy == strategyFallback {
		slices.Reverse(own)
	}
	return append(all, own...), errors.Join(err, ownErr)
}

func (l *loader) stateLayers(ctx context.Context, f *stateFile, entries []schema.Entry) ([]StateLayer, error) {
	var out []StateLayer
	var errs []error
	for _, e := range entries {
		layer := StateLayer{Layer: origin.Layer{Kind: origin.KindValues, Listed: e.Pos}}
		if m, inline := e.Value.(map[string]any); inline {
			layer.Values, _ = values.AsJSON(m).(map[string]any)
			if e.Source != nil {
				layer.Places = origin.PlacesOf([]*schema.Node{e.Source.Node}, e.Source.At)
			}
			out = append(out, layer)
			continue
		}
		path, _ := e.Value.(string)
		files, err := l.find(ctx, f.dir, path)
		if err != nil {
			continue // loading has told, or was allowed not to
		}
		for _, name := range files {
			if strings.HasSuffix(name, ".hcl") {
				continue
			}
			one, err := l.stateLayer(ctx, f, name)
			if err != nil {
				errs = append(errs, asErrors(err, e.Pos, ""))
				continue
			}
			one.Listed = e.Pos
			out = append(out, one)
		}
	}
	return out, errors.Join(errs...)
}

// stateLayer reads one file of state values: its first document alone counts.
func (l *loader) stateLayer(ctx context.Context, f *stateFile, name string) (StateLayer, error) {
	layer := StateLayer{File: name, Layer: origin.Layer{Kind: origin.KindValues}}
	text, at, err := l.read(ctx, name, func() any { return f.env.data("", f.env.merged()) })
	if err != nil {
		return layer, err
	}
	docs, err := schema.Parse(text, at)
	if err != nil {
		return layer, err
	}
	m, err := schema.Map(text, at)
	if err != nil {
		return layer, err
	}
	layer.Values, _ = values.AsJSON(m).(map[string]any)
	if len(docs) > 0 {
		layer.Places = origin.PlacesOf(docs[:1], at)
	}
	return layer, nil
}
