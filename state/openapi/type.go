// Package openapi reads what an API server publishes about its kinds, and what
// a custom resource definition says: how the fields of an object merge, and
// what is a valid object. It makes no request.
package openapi

import (
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

// ListKind says what the elements of a list are to one another.
type ListKind string

// The kinds of lists, as x-kubernetes-list-type names them. ListNone is the
// kind of what is no list, or of which nothing is known.
const (
	ListNone   ListKind = ""
	ListAtomic ListKind = "atomic" // replaced as a whole, its order counts
	ListSet    ListKind = "set"    // distinct scalars; to the meaning the order is noise
	ListMap    ListKind = "map"    // objects told apart by Type.Keys
)

// Type is the schema of one value of an object, for a walk down from its root.
// The zero value knows nothing, and neither does what is reached from it, so a
// walk need not check at every step. It is small and is passed by value. Safe
// for concurrent use.
type Type struct {
	schema *schema.Schema
	ref    schema.TypeRef
}

// Known reports whether there is a schema for the value at all.
func (t Type) Known() bool {
	_, ok := t.atom()
	return ok
}

// Field gives the type of a field of a struct, or of an entry of a map; of
// anything else, and of fields that the schema does not name, the zero Type.
func (t Type) Field(name string) Type {
	atom, _ := t.atom()
	if atom.Map == nil {
		return Type{}
	}
	if field, ok := atom.Map.FindField(name); ok {
		return Type{schema: t.schema, ref: field.Type}
	}
	return t.elem(atom.Map.ElementType)
}

// Elem gives the type of the elements of a list, or of the entries of a map
// whose keys are free; of anything else the zero Type.
func (t Type) Elem() Type {
	atom, _ := t.atom()
	switch {
	case atom.List != nil:
		return t.elem(atom.List.ElementType)
	case atom.Map != nil:
		return t.elem(atom.Map.ElementType)
	default:
		return Type{}
	}
}

func (t Type) elem(ref schema.TypeRef) Type {
	elem := Type{schema: t.schema, ref: ref}
	if !elem.Known() {
		return Type{}
	}
	return elem
}

// List says what kind of list the value is.
func (t Type) List() ListKind {
	atom, _ := t.atom()
	switch {
	case atom.List == nil || t.untyped():
		return ListNone
	case atom.List.ElementRelationship != schema.Associative:
		return ListAtomic
	case len(atom.List.Keys) > 0:
		return ListMap
	default:
		return ListSet
	}
}

// Keys are the fields that tell the elements of a list of kind ListMap apart,
// in the order of the schema. A key that an element leaves out has its Default.
func (t Type) Keys() []string {
	atom, _ := t.atom()
	if atom.List == nil {
		return nil
	}
	return atom.List.Keys
}

// Default is what a field has when it is left out, such as TCP for the protocol
// of a container's port; nil where the schema says nothing.
func (t Type) Default(field string) any {
	atom, _ := t.atom()
	if atom.Map == nil {
		return nil
	}
	found, _ := atom.Map.FindField(field)
	return found.Default
}

// Atomic reports whether a list, map or struct is replaced as a whole.
func (t Type) Atomic() bool {
	atom, _ := t.atom()
	switch {
	case atom.List != nil && !t.untyped():
		return atom.List.ElementRelationship != schema.Associative
	case atom.Map != nil:
		return atom.Map.ElementRelationship == schema.Atomic
	default:
		return false
	}
}

// Quantity reports an amount such as 500m or 1Gi, of which 0.5 and 1024Mi are
// other spellings.
func (t Type) Quantity() bool { return t.Name() == quantityName }

// IntOrString reports a value such as a port, which is a number or a name.
func (t Type) IntOrString() bool { return t.Name() == intOrStringName }

// Name is the schema's own name, such as io.k8s.api.core.v1.Container; empty
// where the schema is part of another one.
func (t Type) Name() string {
	if t.ref.NamedType == nil {
		return ""
	}
	return *t.ref.NamedType
}

// Typed gives the type to structured-merge-diff, for those who merge or compare
// with it. Where nothing is known it is the type that is deduced from a value,
// in which every list is atomic.
func (t Type) Typed() typed.ParseableType {
	if !t.Known() {
		return typed.DeducedParseableType
	}
	return typed.ParseableType{TypeRef: t.ref, Schema: t.schema}
}

const (
	quantityName    = "io.k8s.apimachinery.pkg.api.resource.Quantity"
	intOrStringName = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
)

// untyped: anything may be here, so that neither list nor map is meant.
func (t Type) untyped() bool {
	atom, _ := t.atom()
	return atom.Scalar != nil && atom.List != nil && atom.Map != nil
}

func (t Type) atom() (schema.Atom, bool) {
	if t.schema == nil || t.ref.NamedType == nil && t.ref.Inlined == (schema.Atom{}) {
		return schema.Atom{}, false
	}
	return t.schema.Resolve(t.ref)
}
