package live

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// Custom are the group versions of live objects whose kinds are not built in, so
// that their schemas have to be asked for; sorted.
func Custom(inputs []Input) []schema.GroupVersion {
	var custom []schema.GroupVersion
	for _, in := range inputs {
		for _, ref := range in.Refs() {
			if _, known := openapi.Builtin().Type(kindOf(ref)); !known && in.Objects[ref] != nil {
				custom = append(custom, kindOf(ref).GroupVersion())
			}
		}
	}
	slices.SortFunc(custom, func(a, b schema.GroupVersion) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(custom)
}

func kindOf(ref state.Ref) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: ref.Group, Version: ref.Version, Kind: ref.Kind}
}

// TypesOf gives the schemas of kinds: built-in ones, and others from a catalog.
// What is unknown, or cannot be read, is compared by its shape.
func TypesOf(catalog *openapi.Catalog) func(schema.GroupVersionKind) openapi.Type {
	return func(kind schema.GroupVersionKind) openapi.Type {
		typ, known := openapi.Builtin().Type(kind)
		if !known {
			typ, _ = catalog.Type(kind)
		}
		return typ
	}
}
