// Package origin tells of every value of a release where it comes from: which
// layer says it, in which file and line, and what the layers below say. It
// merges nothing: what came of the layers is given to it, made by the very
// merges that rendering uses, and it finds the layers that say the same.
package origin

import (
	"maps"
	"reflect"
	"slices"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// Kind is what kind of layer says a value.
type Kind string

// The kinds of layers, lowest first, by the names that state files and the
// command line have for them.
const (
	KindSubchart       Kind = "subchart" // values.yaml of a chart inside another
	KindChart          Kind = "chart"    // values.yaml of the release's chart
	KindValuesTemplate Kind = "valuesTemplate"
	KindValues         Kind = "values"
	KindSecrets        Kind = "secrets"
	KindValuesFlag     Kind = "--values"
	KindSetTemplate    Kind = "setTemplate"
	KindSet            Kind = "set"
	KindSetString      Kind = "setString"
	KindEnv            Kind = "env"
	KindSetFlag        Kind = "--set"
)

// Layer is one source of values.
type Layer struct {
	Kind     Kind
	Template string // the template of the state file that a release has the layer from; empty: its own
	Chart    string // of defaults: name and version of the chart
	Listed   schema.Pos
	Prefix   Path // where the root of Values goes: a subchart's is below its name

	Values map[string]any // as it is merged: rendered, decrypted, references resolved
	Places *Places        // nil: everything stands at Listed
	Secret bool           // all values are secret
}

// User reports whether the layer comes from the user and not from a chart.
func (l Layer) User() bool { return l.Kind != KindChart && l.Kind != KindSubchart }

// Link says that what stands at From also appears at To, as Helm copies globals
// to subcharts and values that a chart imports from them. Over: it wins over
// what layers say at To itself; otherwise it is below.
type Link struct {
	From, To Path
	Over     bool
}

// Sources are the layers of a release, lowest first, and what came of them.
type Sources struct {
	Layers []Layer
	Links  []Link
	User   map[string]any // what came of the user's layers alone
	Final  map[string]any // what came of all
}

// Value is one value of a release.
type Value struct {
	Path Path
	// Value is a scalar, an empty map, or a list that one layer says as a whole.
	Value     any
	Deleted   bool     // it is not there, because From is a null
	From      *Source  // nil: no layer says it
	Overrides []Source // what lower layers say, the nearest first
}

// Source is what one layer says about a value.
type Source struct {
	Layer  int // index into Sources.Layers
	Pos    schema.Pos
	Path   Path // differs from the value's path for defaults of subcharts, globals and imports
	Value  any
	Secret bool
}

// Explain tells of every value at and below a path, in order of paths; the
// empty path is the root. Lists are told as one value where one layer says all
// of one; sets that change elements of a list are told by element. Nothing at
// all: there is no such value, and none was deleted there.
func (s Sources) Explain(path Path) []Value {
	var out []Value
	if v, ok := Lookup(s.Final, path); ok {
		s.walk(path, v, &out)
	}
	out = append(out, s.deleted(path)...)
	slices.SortStableFunc(out, func(a, b Value) int { return a.Path.compare(b.Path) })
	return out
}

func (s Sources) walk(path Path, v any, out *[]Value) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			if found := s.explain(path, v); found.From != nil {
				*out = append(*out, found)
			}
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			s.walk(path.With(Key(key)), v[key], out)
		}
		return
	case []any:
		if found := s.explain(path, v); found.From != nil || len(v) == 0 {
			*out = append(*out, found)
			return
		}
		for i, e := range v {
			s.walk(path.With(Index(i)), e, out)
		}
		return
	}
	*out = append(*out, s.explain(path, v))
}

// explain finds who says a value: the highest layer that has an equal one.
func (s Sources) explain(path Path, v any) Value {
	out := Value{Path: path, Value: v}
	for _, c := range s.candidates(path) {
		switch {
		case out.From != nil:
			out.Overrides = append(out.Overrides, c)
		case Equal(c.Value, v):
			out.From = &c
		}
	}
	return out
}

// candidates are what all layers say at a path, highest first.
func (s Sources) candidates(path Path) []Source {
	var out []Source
	for _, from := range s.reaching(path, way{above: -1, below: -1}) {
		_, byUser := Lookup(s.User, from)
		for i := len(s.Layers) - 1; i >= 0; i-- {
			l := s.Layers[i]
			if l.User() && !byUser {
				continue // a null of a higher layer of the user took it away
			}
			if source, ok := l.say(from); ok {
				source.Layer = i
				out = append(out, source)
			}
		}
	}
	return out
}

// say gives what a layer says at a path of the whole.
func (l Layer) say(path Path) (Source, bool) {
	if !path.HasPrefix(l.Prefix) {
		return Source{}, false
	}
	own := path[len(l.Prefix):]
	v, ok := Lookup(l.Values, own)
	if !ok || v == nil && len(own) > 0 && own[len(own)-1].InList && l.byElement() {
		return Source{}, false
	}
	out := Source{Pos: l.Listed, Path: own, Value: v, Secret: l.Secret}
	if l.Places != nil {
		pos, secret := l.Places.find(own)
		out.Pos, out.Secret = pos, l.Secret || secret
	}
	return out, true
}

// byElement: sets leave a null in the elements of a list before the one that
// they change.
func (l Layer) byElement() bool {
	switch l.Kind {
	case KindSet, KindSetString, KindSetTemplate, KindSetFlag, KindEnv:
		return true
	default:
		return false
	}
}

// way is how far a chain of links has come. Globals come from ever further
// above, imports from ever further below, so every chain ends.
type way struct {
	above int // links over have to lead above this depth; negative: to anywhere
	below int // links under have to lead below this depth
}

// reaching lists the paths whose values appear at a path, highest first.
func (s Sources) reaching(path Path, w way) []Path {
	var over, under []Path
	for _, l := range s.Links {
		rest, depth := len(l.To), len(l.To)
		switch {
		case !path.HasPrefix(l.To):
		case l.Over && w.below < 0 && (w.above < 0 || depth < w.above):
			over = append(over, s.reaching(l.From.Join(path[rest:]), way{above: depth, below: w.below})...)
		case !l.Over && depth > w.below:
			under = append(under, s.reaching(l.From.Join(path[rest:]), way{above: w.above, below: depth})...)
		}
	}
	var all []Path
	for _, p := range slices.Concat(over, []Path{path}, under) {
		if !slices.ContainsFunc(all, func(known Path) bool { return slices.Equal(known, p) }) {
			all = append(all, p)
		}
	}
	return all
}

// deleted finds the values at and below a path that a null took away.
func (s Sources) deleted(path Path) []Value {
	var out []Value
	seen := map[string]bool{}
	for i := len(s.Layers) - 1; i >= 0; i-- {
		l := s.Layers[i]
		nulls(l.Prefix, l.Values, func(at Path) {
			if !at.HasPrefix(path) || seen[at.String()] {
				return
			}
			seen[at.String()] = true
			if _, there := Lookup(s.Final, at); there {
				return
			}
			if v, ok := s.taken(i, at); ok {
				out = append(out, v)
			}
		})
	}
	return out
}

// taken tells what a null of a layer took away; ok: there was something.
func (s Sources) taken(layer int, at Path) (v Value, ok bool) {
	source, _ := s.Layers[layer].say(at)
	source.Layer = layer
	v = Value{Path: at, Deleted: true, From: &source}
	if parent, there := Lookup(s.Final, at[:len(at)-1]); there {
		if _, isMap := parent.(map[string]any); !isMap {
			return v, false // what is above it went away as a whole
		}
	}
	for i := layer - 1; i >= 0; i-- {
		if below, says := s.Layers[i].say(at); says {
			below.Layer = i
			v.Overrides = append(v.Overrides, below)
		}
	}
	return v, len(v.Overrides) > 0
}

// nulls finds the nulls in maps; those in lists delete nothing.
func nulls(path Path, m map[string]any, found func(Path)) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		switch v := m[key].(type) {
		case nil:
			found(path.With(Key(key)))
		case map[string]any:
			nulls(path.With(Key(key)), v, found)
		}
	}
}

// Find tells which of the user's layers says the value at a path, by the paths
// alone: the highest that says v there, else the highest that says anything.
func Find(layers []Layer, path Path, v any) (Source, bool) {
	var first *Source
	for i := len(layers) - 1; i >= 0; i-- {
		found, ok := layers[i].say(path)
		if !ok {
			continue
		}
		found.Layer = i
		if Equal(found.Value, v) {
			return found, true
		}
		if first == nil {
			first = &found
		}
	}
	if first == nil {
		return Source{}, false
	}
	return *first, true
}

// Equal compares values as Helm's templates see them: numbers by what they
// count, whatever reader made them.
func Equal(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		return ok && maps.EqualFunc(x, y, Equal)
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, Equal)
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return reflect.DeepEqual(a, b)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	default:
		return 0, false
	}
}

func (p Path) compare(other Path) int {
	return slices.CompareFunc(p, other, func(a, b Step) int {
		switch {
		case a.InList && b.InList:
			return a.Index - b.Index
		case a.Key < b.Key:
			return -1
		case a.Key > b.Key:
			return 1
		default:
			return 0
		}
	})
}
