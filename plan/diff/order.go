package diff

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state/openapi"
)

// inOrderOf gives before with the elements of its lists in the order that they
// have in after, in lists of which the schema says that order is noise: sets,
// and lists whose elements have keys. Then only what differs differs, and two
// objects that only differ in such order are the same. It copies what it
// changes. A schema is asked for only where such an order does differ, and below
// the spec of a pod none does: see OfPods.
func inOrderOf(before, after object, opts Options) object {
	if before == nil || after == nil || opts.Types == nil || !reordered("", before, after) {
		return before
	}
	group, version, grouped := strings.Cut(text(after, "apiVersion"), "/")
	if !grouped {
		group, version = "", group
	}
	gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: text(after, "kind")}
	typ := opts.Types(gvk)
	if !typ.Known() {
		return before
	}
	aligned, _ := aligner{kind: gvk.Kind}.align(typ, "", before, after).(object)
	return aligned
}

// ordered says whether the order of a list has a meaning although the schema
// says it has keys. Webhooks are called in their order, and the first port of a
// Service is the one in the variables that tell of it. Custom resources may hold
// parts of a pod: a variable may refer to those before it, initContainers run
// one after the other, and in a hosts file the first name that fits holds.
func (a aligner) ordered(field string) bool {
	switch field {
	case "env", "initContainers", "webhooks", "hostAliases":
		return true
	case "ports":
		return a.kind == "Service"
	default:
		return false
	}
}

// OfPods says whether a map, which is in that field, is the spec of a pod or a
// template of pods, of built-in and custom kinds alike. The order of every list
// in there counts: servers keep it as it was applied, and controllers compare
// templates as they are written, so that another order replaces the pods.
func OfPods(field string, o map[string]any) bool {
	if _, ok := o["containers"].([]any); ok {
		return true
	}
	if field != "template" {
		return false
	}
	spec, _ := o["spec"].(object)
	_, ok := spec["containers"].([]any)
	return ok
}

// reordered looks, without a schema, whether elements that two lists at the same
// place may have in common stand in another order; field is the one that holds
// them.
func reordered(field string, before, after any) bool {
	switch b := before.(type) {
	case object:
		a, ok := after.(object)
		if !ok || OfPods(field, b) || OfPods(field, a) {
			return false
		}
		for key, value := range b {
			if other, both := a[key]; both && reordered(key, value, other) {
				return true
			}
		}
	case []any:
		a, ok := after.([]any)
		if !ok {
			return false
		}
		old, wanted := indexOf(b, looks), indexOf(a, looks)
		if !slices.Equal(old.common(wanted), wanted.common(old)) {
			return true
		}
		for name, at := range old.at {
			if other, both := wanted.at[name]; both && reordered("", b[at], a[other]) {
				return true
			}
		}
	}
	return false
}

// looks names an element by those fields that are keys of lists in Kubernetes,
// whatever the list, or by all of it where it has none.
func looks(element any) string {
	o, ok := element.(object)
	if !ok {
		return fmt.Sprintf("%v", element)
	}
	var b strings.Builder
	for _, key := range []string{"name", "key", "ip", "port", "containerPort", "protocol", "mountPath", "devicePath", "topologyKey", "whenUnsatisfiable", "resourceName", "type", "uid"} {
		value, has := o[key]
		if key == "protocol" && !has && b.Len() > 0 {
			value, has = "TCP", true // its default, in every list that has it
		}
		if has {
			fmt.Fprintf(&b, "%s=%v;", key, value)
		}
	}
	if b.Len() == 0 {
		return fmt.Sprintf("%v", element)
	}
	return b.String()
}

// positions are the elements of a list by name.
type positions struct {
	names  []string
	at     map[string]int
	unique bool
}

func indexOf(elements []any, name func(any) string) positions {
	p := positions{at: make(map[string]int, len(elements)), unique: true}
	for n, e := range elements {
		key := name(e)
		if _, twice := p.at[key]; twice {
			p.unique = false
		}
		p.names = append(p.names, key)
		p.at[key] = n
	}
	return p
}

// common gives the names that the other list has, too, in the order of this.
func (p positions) common(other positions) []string {
	var both []string
	for _, name := range p.names {
		if _, ok := other.at[name]; ok {
			both = append(both, name)
		}
	}
	return both
}

// aligner puts the lists of one object into the order of another's.
type aligner struct{ kind string }

// align gives before, or a copy of it in the order of after; field is the one
// that holds it.
func (a aligner) align(typ openapi.Type, field string, before, after any) any {
	switch b := before.(type) {
	case object:
		if wanted, ok := after.(object); ok && !OfPods(field, b) && !OfPods(field, wanted) {
			return a.fields(typ, b, wanted)
		}
	case []any:
		if wanted, ok := after.([]any); ok {
			return a.elements(typ, field, b, wanted)
		}
	}
	return before
}

func (a aligner) fields(typ openapi.Type, before, after object) object {
	aligned := make(object, len(before))
	maps.Copy(aligned, before)
	for key, value := range before {
		if other, both := after[key]; both {
			aligned[key] = a.align(typ.Field(key), key, value, other)
		}
	}
	return aligned
}

func (a aligner) elements(typ openapi.Type, field string, before, after []any) []any {
	var name func(any) string
	switch typ.List() {
	case openapi.ListSet:
		name = func(e any) string { return fmt.Sprintf("%T %v", e, e) }
	case openapi.ListMap:
		name = keysOf(typ)
	case openapi.ListAtomic, openapi.ListNone:
		return before
	default:
		return before
	}
	old, wanted := indexOf(before, name), indexOf(after, name)
	if !old.unique || !wanted.unique {
		return before
	}
	names := old.names
	if !a.ordered(field) {
		names = interleaved(old, wanted)
	}
	aligned := make([]any, 0, len(before))
	for _, n := range names {
		e := before[old.at[n]]
		if other, both := wanted.at[n]; both {
			e = a.align(typ.Elem(), "", e, after[other])
		}
		aligned = append(aligned, e)
	}
	return aligned
}

// interleaved gives the names of the old list: those that both have in the
// order of the wanted one, each followed by those that only the old one has
// after it.
func interleaved(old, wanted positions) []string {
	after := map[string][]string{}
	last := ""
	for _, name := range old.names {
		if _, both := wanted.at[name]; both {
			last = name
			continue
		}
		after[last] = append(after[last], name)
	}
	names := slices.Clone(after[""])
	for _, name := range wanted.common(old) {
		names = append(append(names, name), after[name]...)
	}
	return names
}

// keysOf names the elements of a list by its keys; one that an element leaves
// out has its default.
func keysOf(typ openapi.Type) func(any) string {
	keys, elem := typ.Keys(), typ.Elem()
	return func(e any) string {
		o, _ := e.(object)
		var b strings.Builder
		for _, key := range keys {
			value, has := o[key]
			if !has {
				value = elem.Default(key)
			}
			fmt.Fprintf(&b, "%s=%v;", key, value)
		}
		return b.String()
	}
}
