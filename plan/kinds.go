package plan

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// kinds gives the schemas that a plan has without asking a cluster: those of
// Kubernetes itself and of the definitions that its releases bring. Nothing is
// parsed before the first kind is asked for.
type kinds struct {
	definitions func() map[kind]*openapi.Definition
}

func kindsOf(want map[spec.ReleaseID]*state.Revision) kinds {
	return kinds{sync.OnceValue(func() map[kind]*openapi.Definition {
		all := map[kind]*openapi.Definition{}
		ids := slices.SortedFunc(maps.Keys(want), func(a, b spec.ReleaseID) int { return strings.Compare(a.String(), b.String()) })
		for _, id := range ids {
			for _, d := range definitionsOf(want[id]) {
				all[kind{id.Context, d.Kind.Group, d.Kind.Kind}] = d
			}
		}
		return all
	})}
}

// in gives the schemas that hold in a context.
func (k kinds) in(context string) func(schema.GroupVersionKind) openapi.Type {
	return func(gvk schema.GroupVersionKind) openapi.Type {
		if typ, ok := openapi.Builtin().Type(gvk); ok {
			return typ
		}
		d := k.definitions()[kind{context, gvk.Group, gvk.Kind}]
		if d == nil {
			return openapi.Type{}
		}
		typ, _, err := d.Type(gvk)
		if err != nil {
			return openapi.Type{} // whoever checks objects by it tells
		}
		return typ
	}
}

// definitionsOf reads the definitions among the objects of a revision. One that
// is none is left out: whoever applies it tells.
func definitionsOf(rev *state.Revision) []*openapi.Definition {
	if rev == nil {
		return nil
	}
	docs := diff.Documents(rev.Stream)
	for _, f := range rev.CRDs {
		docs = append(docs, diff.Documents(f.Data)...)
	}
	var found []*openapi.Definition
	for _, doc := range docs {
		if !strings.Contains(doc, "CustomResourceDefinition") {
			continue
		}
		var object map[string]any
		if yaml.Unmarshal([]byte(doc), &object) != nil {
			continue
		}
		if d, err := openapi.FromCRD(object); err == nil {
			found = append(found, d)
		}
	}
	return found
}
