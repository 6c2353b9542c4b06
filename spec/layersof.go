package spec

import (
	"context"
	"slices"

	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// LayersOf reads the layers of a release as ValuesOf does, and tells where what
// they say stands: one layer for each of Release.Values, then one for each of
// Release.Set, lowest first. Those of sets have no values yet: Helm parses them.
// Merged is what ValuesOf gives for the same texts, which are read once.
func (s *Spec) LayersOf(ctx context.Context, r Release) (layers []origin.Layer, merged map[string]any, err error) {
	read, err := s.readValues(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	n := s.namerOf(r)
	for i, text := range read {
		m, _ := values.AsJSON(text.values).(map[string]any)
		layer := n.values(i, r.Values[i])
		layer.Values = m
		if text.places != nil {
			layer.Places = text.places()
		}
		layers = append(layers, layer)
	}
	for _, set := range inHelmsOrder(r.Set) {
		layers = append(layers, n.set(set))
	}
	return layers, mergedValues(read), nil
}

// layerNamer tells what the layers of a release are called.
type layerNamer struct {
	raw       *schema.Release
	templates map[schema.Pos]string // of the entries that templates hold
}

func (s *Spec) namerOf(r Release) layerNamer {
	n := layerNamer{raw: s.loaded.releases[r.Index].raw, templates: map[schema.Pos]string{}}
	for name, t := range s.loaded.files[r.File].file.state.Templates {
		for _, e := range slices.Concat(t.Values, t.ValuesTemplate, t.Secrets) {
			n.templates[e.Pos] = name
		}
		for _, e := range slices.Concat(t.Set, t.SetTemplate, t.SetString, t.Env) {
			n.templates[e.Pos] = name
		}
	}
	return n
}

// values relies on the order of Release.Values: the entries of values and then
// those of secrets; what the command line adds comes after them.
func (n layerNamer) values(i int, v ValuesSource) origin.Layer {
	pos := schema.Pos(v.Pos)
	out := origin.Layer{Kind: origin.KindValues, Template: n.templates[pos], Listed: pos, Secret: v.Secret}
	switch {
	case v.Secret:
		out.Kind = origin.KindSecrets
	case i >= len(n.raw.Values)+len(n.raw.Secrets):
		out.Kind = origin.KindValuesFlag
	case slices.ContainsFunc(n.raw.ValuesTemplate, func(e schema.Entry) bool { return e.Pos == pos }):
		out.Kind = origin.KindValuesTemplate
	}
	return out
}

func (n layerNamer) set(v SetValue) origin.Layer {
	pos := schema.Pos(v.Pos)
	out := origin.Layer{Kind: origin.KindSetFlag, Template: n.templates[pos], Listed: pos, Secret: values.Has(v.Value)}
	in := func(list []schema.SetValue) bool {
		return slices.ContainsFunc(list, func(s schema.SetValue) bool { return s.Pos == pos })
	}
	switch {
	case in(n.raw.SetTemplate): // which are among those of set, too
		out.Kind = origin.KindSetTemplate
	case in(n.raw.Set):
		out.Kind = origin.KindSet
	case in(n.raw.SetString):
		out.Kind = origin.KindSetString
	case in(n.raw.Env):
		out.Kind = origin.KindEnv
	}
	return out
}
