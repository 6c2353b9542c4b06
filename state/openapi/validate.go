package openapi

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// FaultKind is what sort of fault it is.
type FaultKind string

// The kinds of faults.
const (
	FaultUnknown   FaultKind = "unknown"   // a field that the schema does not have
	FaultMissing   FaultKind = "missing"   // a required field is not there
	FaultType      FaultKind = "type"      // text where a number goes, and the like
	FaultValue     FaultKind = "value"     // of the right type, and not allowed
	FaultDuplicate FaultKind = "duplicate" // two elements of a list with the same key
	FaultNull      FaultKind = "null"      // null in a custom resource, which only server-side apply minds
)

// Fault is something in an object that does not fit its schema.
type Fault struct {
	Kind    FaultKind
	Field   string // path such as spec.ports[0].port; empty: the object itself
	Message string // what was expected and what is there; of the kinds value and duplicate it quotes the value
}

// String prints path and message.
func (f Fault) String() string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + ": " + f.Message
}

// Validate checks an object as it was decoded from YAML or JSON, in which
// numbers are float64 or int64. It gives all faults, sorted by field, and
// changes nothing. What only the server's own code knows is not looked at:
// rules in Go or CEL, and admission.
func (v *Validator) Validate(object map[string]any) []Fault {
	c := &checker{}
	value := any(object)
	if !v.root.goes {
		value = completed(v.root, object)
	}
	if text, _ := object["metadata"].(map[string]any); text["name"] == nil && text["generateName"] == nil {
		c.fault(FaultMissing, "metadata.name", "required, and missing")
	}
	c.value(v.root, value, place{root: true})
	slices.SortStableFunc(c.faults, func(a, b Fault) int {
		if n := comparePaths(a.Field, b.Field); n != 0 {
			return n
		}
		return strings.Compare(a.Message, b.Message)
	})
	return slices.Compact(c.faults)
}

// checker collects the faults of one object.
type checker struct{ faults []Fault }

// place is where in an object the check is.
type place struct {
	path     string
	root     bool // the object itself
	element  bool // of a list
	preserve bool // unknown fields are kept here
	part     bool // a part of allOf, anyOf, oneOf or not: it adds to the schema around it
	status   bool // in what the server fills in: it ignores most that others write there
}

func (p place) field(name string) place {
	path := name
	if p.path != "" {
		path = p.path + "." + name
	}
	if strings.ContainsAny(name, "./[]") {
		path = p.path + "[" + name + "]"
	}
	return place{path: path, part: p.part, status: p.status || p.root && name == "status"}
}

func (p place) index(i int) place {
	return place{path: p.path + "[" + strconv.Itoa(i) + "]", element: true, preserve: p.preserve, part: p.part, status: p.status}
}

func (c *checker) fault(kind FaultKind, path, format string, args ...any) {
	c.faults = append(c.faults, Fault{Kind: kind, Field: path, Message: fmt.Sprintf(format, args...)})
}

// value checks one value; null where there may be none was taken out before.
func (c *checker) value(n *node, value any, at place) {
	if value == nil {
		if !n.goes && !n.nullable && n.types != "" {
			kind := FaultNull
			if at.element {
				kind = FaultType
			}
			c.fault(kind, at.path, "want %s, got null", n.wanted())
		}
		return
	}
	if !n.fits(value) {
		c.fault(FaultType, at.path, "want %s, got %s", n.wanted(), kindOf(value))
		return
	}
	at.preserve = at.preserve || n.preserve
	switch value := value.(type) {
	case map[string]any:
		c.object(n, value, at)
	case []any:
		c.elements(n, value, at)
	default:
		c.scalar(n, value, at)
	}
	c.combined(n, value, at)
}

func (c *checker) object(n *node, object map[string]any, at place) {
	if !at.status {
		c.required(n, object, at)
		c.implied(n, object, at)
	}
	c.count(n, "field", len(object), at)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		below := at.field(name)
		switch field := n.fields[name]; {
		case at.root && name == "status" && !n.goes && field != nil: // dropped where status is a subresource
		case object[name] == nil && slices.Contains(n.required, name) && !at.status: // told already
		case field != nil:
			c.value(field, object[name], below)
		case n.extra != nil:
			c.value(n.extra, object[name], below)
		case n.free || at.preserve || at.part || at.root && len(n.fields) == 0 || at.root && isObjectField(name):
		default:
			c.fault(FaultUnknown, below.path, "unknown field%s", n.suggest(name))
		}
	}
}

// required tells of fields that must be there. In a Go type what is empty is
// what is not there.
func (c *checker) required(n *node, object map[string]any, at place) {
	for _, name := range n.required {
		value, has := object[name]
		null := n.fields[name] != nil && n.fields[name].nullable
		switch {
		case !has || value == nil && !null:
			c.fault(FaultMissing, at.field(name).path, "required, and missing")
		case n.goes && empty(value):
			c.fault(FaultMissing, at.field(name).path, "required, and empty")
		}
	}
}

// implied looks into structs that are left out: a Go type has them anyway, empty,
// so that a Deployment without spec lacks a selector.
func (c *checker) implied(n *node, object map[string]any, at place) {
	if !n.goes {
		return
	}
	for _, name := range n.structs {
		if object[name] == nil && !slices.Contains(n.required, name) {
			c.object(n.fields[name], map[string]any{}, at.field(name))
		}
	}
}

func empty(value any) bool {
	switch value := value.(type) {
	case string:
		return value == ""
	case []any:
		return len(value) == 0
	default:
		number, ok := numberOf(value)
		return ok && number == 0
	}
}

// isObjectField: every object has these fields, whatever its schema says.
func isObjectField(name string) bool {
	return name == "apiVersion" || name == "kind" || name == "metadata"
}

func has(object map[string]any, name string) bool {
	_, ok := object[name]
	return ok
}

func (c *checker) elements(n *node, list []any, at place) {
	c.count(n, "element", len(list), at)
	if n.items != nil {
		for i, element := range list {
			if element == nil && n.goes {
				element = n.items.zero()
			}
			c.value(n.items, element, at.index(i))
		}
	}
	switch {
	case n.list == ListMap:
		c.distinct(list, at, n.keyOf)
	case n.list == ListSet || n.limits != nil && n.limits.UniqueItems:
		c.distinct(list, at, func(v any) string { return quoted(v) })
	}
}

// zero is what a null in a list becomes when it is decoded into a Go type.
func (n *node) zero() any {
	if n.types == "object" {
		return map[string]any{}
	}
	return nil
}

// distinct tells of every element that has the key of one before it.
func (c *checker) distinct(list []any, at place, key func(any) string) {
	first := map[string]int{}
	for i, element := range list {
		k := key(element)
		if earlier, twice := first[k]; twice {
			c.fault(FaultDuplicate, at.index(i).path, "duplicate of %s[%d]: both have %s", at.path, earlier, k)
			continue
		}
		first[k] = i
	}
}

// keyOf prints what tells an element of a map list apart. A key that is left
// out has its default, as in structured-merge-diff.
func (n *node) keyOf(element any) string {
	object, _ := element.(map[string]any)
	parts := make([]string, 0, len(n.keys))
	for _, key := range n.keys {
		value := object[key]
		if value == nil && n.items != nil && n.items.fields[key] != nil {
			value = n.items.fields[key].fallback
		}
		parts = append(parts, key+" "+quoted(value))
	}
	return strings.Join(parts, ", ")
}

func (c *checker) combined(n *node, value any, at place) {
	at.part = true
	for _, part := range n.all {
		c.value(part, value, at)
	}
	if matches := matching(n.any, value, at); len(n.any) > 0 && matches == 0 {
		c.fault(FaultValue, at.path, "fits none of %d alternatives (anyOf)%s", len(n.any), alternatives(n.any, value, at))
	}
	if matches := matching(n.one, value, at); len(n.one) > 0 && matches != 1 {
		c.fault(FaultValue, at.path, "fits %d of %d alternatives (oneOf) and must fit exactly one%s", matches, len(n.one), alternatives(n.one, value, at))
	}
	if n.not != nil && matching([]*node{n.not}, value, at) > 0 {
		c.fault(FaultValue, at.path, "has what it must not have (not)")
	}
}

func matching(parts []*node, value any, at place) int {
	count := 0
	for _, part := range parts {
		if len(faultsOf(part, value, at)) == 0 {
			count++
		}
	}
	return count
}

func faultsOf(part *node, value any, at place) []Fault {
	var c checker
	c.value(part, value, at)
	return c.faults
}

// alternatives tells what keeps a value from each alternative.
func alternatives(parts []*node, value any, at place) string {
	var why []string
	for _, part := range parts {
		if faults := faultsOf(part, value, at); len(faults) > 0 {
			why = append(why, faults[0].String())
		}
	}
	if len(why) == 0 {
		return ""
	}
	return ": " + strings.Join(why, "; or ")
}

// completed copies a custom resource with what the server does to it before it
// validates: defaults are filled in, also in place of null.
// From apiextensions-apiserver/pkg/apiserver/schema/defaulting.
func completed(n *node, value any) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, v := range value {
			field := n.at(name)
			if v == nil && field != nil && !field.nullable && field.fallback != nil {
				v = field.fallback
			}
			out[name] = completed(field, v)
		}
		if n == nil {
			return out
		}
		for name, field := range n.fields {
			if field.fallback != nil && !field.goes && !has(out, name) {
				out[name] = completed(field, field.fallback)
			}
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, v := range value {
			var items *node
			if n != nil {
				items = n.items
			}
			if v == nil && items != nil && !items.nullable {
				v = items.fallback
			}
			out[i] = completed(items, v)
		}
		return out
	default:
		return value
	}
}

// at gives the schema of a field; nil: none, or n is nil.
func (n *node) at(name string) *node {
	if n == nil {
		return nil
	}
	if field := n.fields[name]; field != nil {
		return field
	}
	return n.extra
}
