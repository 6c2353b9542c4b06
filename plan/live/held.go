package live

import (
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/flotilla-sh/flotilla/state/openapi"
)

// claims are what managers have of one value, as the server writes it
// (fieldsV1): no text is parsed to ask them.
type claims struct {
	ours   []map[string]any // of Manager
	others []map[string]any
}

// held reports whether Manager has every field of the object that is stored, by
// names of fields alone. Where it says no the values have to be compared. Of a
// Secret they always are: the server keeps every byte of it.
func (o object) held() bool {
	if o.id.Kind == "Secret" && o.id.Group == "" {
		return false
	}
	var c claims
	list, _ := entries(o.liveAsStored, "metadata")["managedFields"].([]any)
	for _, one := range list {
		e, _ := one.(map[string]any)
		if e["subresource"] == "status" {
			continue
		}
		fields, ok := e["fieldsV1"].(map[string]any)
		switch {
		case !ok || e["apiVersion"] != o.liveAsStored["apiVersion"]:
			return false
		case e["manager"] == Manager:
			c.ours = append(c.ours, fields)
		default:
			c.others = append(c.others, fields)
		}
	}
	return len(c.ours) > 0 && c.hold(place{typ: o.typeOf(o.stored)}, o.stored)
}

// hold reports whether all parts of a declared value are ours, which the value
// itself is.
func (c claims) hold(at place, declared any) bool {
	if at.typ.Atomic() {
		return true
	}
	switch declared := declared.(type) {
	case map[string]any:
		return c.holdFields(at, declared)
	case []any:
		return c.holdElements(at, declared)
	default:
		return true
	}
}

func (c claims) holdFields(at place, declared map[string]any) bool {
	for key, v := range declared {
		if v == nil {
			continue
		}
		if at.name == "" && (key == "apiVersion" || key == "kind") || at.serverOwned(key) {
			continue
		}
		if at.name == ".metadata" && (key == "name" || key == "namespace") {
			continue // what an object is found by is nobody's
		}
		child := at
		child.typ, child.name = at.typ.Field(key), at.name+"."+key
		if below := c.below("f:" + key); len(below.ours) == 0 || !below.hold(child, v) {
			return false
		}
	}
	return true
}

func (c claims) holdElements(at place, declared []any) bool {
	var all sides
	var ok bool
	switch at.typ.List() {
	case openapi.ListMap:
		all, ok = keyed(at.typ, [][]any{declared, nil, nil})
	case openapi.ListSet:
		all, ok = members([][]any{declared, nil, nil})
	case openapi.ListAtomic, openapi.ListNone:
		return true // it is ours as a whole
	default:
		return false
	}
	if !ok || len(c.others) > 0 { // who has an element may have changed the order
		return false
	}
	child := at
	child.typ, child.name = at.typ.Elem(), at.name+"[]"
	for _, e := range all.live {
		key, err := fieldpath.SerializePathElement(e.at)
		if err != nil {
			return false
		}
		if below := c.below(key); len(below.ours) == 0 || !below.hold(child, e.value) {
			return false
		}
	}
	return true
}

func (c claims) below(key string) claims {
	var child claims
	for _, fields := range c.ours {
		if f, ok := fields[key].(map[string]any); ok {
			child.ours = append(child.ours, f)
		}
	}
	for _, fields := range c.others {
		if f, ok := fields[key].(map[string]any); ok {
			child.others = append(child.others, f)
		}
	}
	return child
}
