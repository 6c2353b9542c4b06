package live

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/flotilla-sh/flotilla/state/openapi"
)

func (w *walk) list(at place, live, declared []any, d pair) any {
	wanted, _ := d.wanted.([]any)
	stored, _ := d.stored.([]any)
	lists := [][]any{live, wanted, stored}
	if !at.atomic {
		switch at.typ.List() {
		case openapi.ListMap:
			if all, ok := keyed(at.typ, lists); ok {
				return w.elements(at, all)
			}
		case openapi.ListSet:
			if all, ok := members(lists); ok {
				return w.elements(at, all)
			}
		case openapi.ListAtomic, openapi.ListNone:
		}
	}
	at.atomic = true
	switch {
	case len(live) == len(declared):
		return w.positions(at, live, wanted, stored)
	case len(live) == len(stored):
		return w.positions(at, live, nil, stored)
	default:
		return w.whole(at, live, wanted, stored)
	}
}

// element is one element of a list, with what tells it apart.
type element struct {
	id    string // unique in its list
	name  string // as it is shown between brackets
	index int    // in its list
	at    fieldpath.PathElement
	value any
}

// sides are the elements of one list in the live, wanted and stored object.
type sides struct{ live, wanted, stored []element }

func newSides(lists [][]any, identify func(any) (element, bool)) (sides, bool) {
	var all [3][]element
	for i, list := range lists {
		times := map[string]int{}
		for at, v := range list {
			e, ok := identify(v)
			if !ok {
				return sides{}, false
			}
			e.index = at
			if times[e.id]++; times[e.id] > 1 { // only client-side apply takes those
				e.id += "#" + strconv.Itoa(times[e.id])
			}
			all[i] = append(all[i], e)
		}
	}
	return sides{all[0], all[1], all[2]}, true
}

// keyed tells elements apart by the keys that the schema names.
func keyed(typ openapi.Type, lists [][]any) (sides, bool) {
	keys := typ.Keys()
	return newSides(lists, func(v any) (element, bool) {
		o, ok := v.(map[string]any)
		if !ok {
			return element{}, false
		}
		var fields value.FieldList
		var parts []string
		for _, key := range keys {
			v := o[key]
			if v == nil {
				if v = typ.Elem().Default(key); v == nil {
					continue
				}
			}
			fields = append(fields, value.Field{Name: key, Value: value.NewValueInterface(v)})
			parts = append(parts, key+"="+text(v))
		}
		if len(fields) == 0 {
			return element{}, false
		}
		fields.Sort()
		id := strings.Join(parts, ",")
		return element{id: id, name: id, at: fieldpath.PathElement{Key: &fields}, value: v}, true
	})
}

// members tells scalars of a set apart.
func members(lists [][]any) (sides, bool) {
	return newSides(lists, func(v any) (element, bool) {
		switch v.(type) {
		case map[string]any, []any, nil:
			return element{}, false
		}
		return element{id: text(v), name: "=" + text(v), at: fieldpath.ValueElement(value.NewValueInterface(v)), value: v}, true
	})
}

// text is a scalar as it is shown. Numbers are equal however they were read.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

// elements gives those that are declared and live, in the order in which they
// are declared. Those of pods keep their own, unless the server gave it to them.
func (w *walk) elements(at place, all sides) any {
	live, wanted, stored := byID(all.live), byID(all.wanted), byID(all.stored)
	out := []any{}
	order := inOrder(all.wanted, all.stored)
	if at.pods {
		order = w.orderOfPods(at, all)
	}
	for _, e := range order {
		if v := w.value(at.element(e), live[e.id].value, pair{wanted: wanted[e.id].value, stored: stored[e.id].value}); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// orderOfPods gives what is declared in the order of the live elements: another
// one would replace the pods.
func (w *walk) orderOfPods(at place, all sides) []element {
	declared := inOrder(all.stored, all.wanted)
	if len(all.stored) > 0 && w.untouched(at) {
		return declared
	}
	was, is := common(all.stored, all.live), common(all.live, all.stored)
	if !slices.Equal(was, is) && w.note(at, was, is) {
		return declared
	}
	known := byID(declared)
	live := slices.DeleteFunc(slices.Clone(all.live), func(e element) bool {
		_, ok := known[e.id]
		return !ok
	})
	return inOrder(live, declared)
}

// common names the elements that are in the other list, too.
func common(list, other []element) []string {
	in := byID(other)
	var names []string
	for _, e := range list {
		if _, ok := in[e.id]; ok {
			names = append(names, e.name)
		}
	}
	return names
}

func byID(list []element) map[string]element {
	found := make(map[string]element, len(list))
	for _, e := range list {
		found[e.id] = e
	}
	return found
}

// inOrder puts what is only in the second list behind what it follows there.
func inOrder(first, second []element) []element {
	out := slices.Clone(first)
	previous := ""
	for _, e := range second {
		index := func(id string) int { return slices.IndexFunc(out, func(o element) bool { return o.id == id }) }
		if index(e.id) < 0 {
			out = slices.Insert(out, index(previous)+1, e)
		}
		previous = e.id
	}
	return out
}

// positions compares lists of one length element by element; a server may have
// completed each.
func (w *walk) positions(at place, live, wanted, stored []any) any {
	out := make([]any, len(live))
	for i := range live {
		var d pair
		if wanted != nil {
			d.wanted = wanted[i]
		}
		if len(stored) == len(live) {
			d.stored = stored[i]
		}
		if out[i] = live[i]; d.form() != nil {
			out[i] = w.value(at.index(i), live[i], d)
		}
	}
	return out
}

// whole compares lists of another length. Elements that are declared somewhere
// are shown as declared, others as they are.
func (w *walk) whole(at place, live, wanted, stored []any) any {
	if stored != nil && w.untouched(at) {
		return stored
	}
	if w.note(at, orNilList(stored), live) {
		return stored
	}
	quiet := &walk{owners: w.owners}
	declared := slices.Concat(wanted, stored)
	out := make([]any, len(live))
	for i, v := range live {
		out[i] = v
		for _, d := range declared {
			if d != nil && reflect.DeepEqual(quiet.value(at.index(i), v, pair{wanted: d}), d) {
				out[i] = d
				break
			}
		}
	}
	return out
}

func orNilList(list []any) any {
	if list == nil {
		return nil
	}
	return list
}
