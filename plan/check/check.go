// Package check holds the objects that a plan wants against the schemas of
// their kinds. It is pure: the schemas are given to it.
package check

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// ErrInvalid: an object does not fit the schema of its kind, or nothing defines
// its kind.
var ErrInvalid = errors.New("object is not valid")

// Input is what is wanted of one release.
type Input struct {
	ID   spec.ReleaseID
	Want *state.Revision
	// Installs: Helm installs the files of crds/, as it does only with a new
	// release.
	Installs bool
	// ClientSide: the objects are not applied server-side, so that the server
	// takes lists of built-in kinds in which a key is there twice, and drops null.
	ClientSide bool
}

// Release is what is wanted of one release, parsed.
type Release struct {
	id         spec.ReleaseID
	objects    []object
	clientSide bool
	unchecked  map[schema.GroupVersionKind]bool // served, and nobody tells by which schema

	applied []*openapi.Definition       // of templates and hooks
	added   []*openapi.Definition       // of crds/, to be installed
	idle    []*openapi.Definition       // of crds/, left alone because the release is there already
	alone   map[schema.GroupKind]string // applied ones that nothing else brings -> their names
}

type object struct {
	diff.Sourced
	kind schema.GroupVersionKind
	hook bool
}

// Read parses the objects of a release. An error tells of YAML that cannot be
// read.
func Read(in Input) (*Release, error) {
	r := &Release{id: in.ID, clientSide: in.ClientSide}
	objects, err := diff.Sources(in.Want.Stream)
	if err != nil {
		return nil, fmt.Errorf("checking %s: %w", in.ID, err)
	}
	r.take(objects, false)
	for _, h := range in.Want.Hooks {
		objects, err := diff.Sources([]byte(h.Manifest))
		if err != nil {
			return nil, fmt.Errorf("checking %s: hook %s: %w", in.ID, h.Path, err)
		}
		for i := range objects {
			objects[i].Source = cmp.Or(objects[i].Source, h.Path)
		}
		r.take(objects, true)
	}
	for _, file := range in.Want.CRDs {
		if err := r.takeFile(in, file); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Release) take(objects []diff.Sourced, hook bool) {
	for _, o := range objects {
		apiVersion, _ := o.Object["apiVersion"].(string)
		name, _ := o.Object["kind"].(string)
		r.objects = append(r.objects, object{Sourced: o, kind: schema.FromAPIVersionAndKind(apiVersion, name), hook: hook})
		if d := defined(o.Object); d != nil {
			r.applied = append(r.applied, d)
		}
	}
}

// takeFile reads definitions of crds/. Those that Helm would install are objects
// to check, too.
func (r *Release) takeFile(in Input, file state.CRDFile) error {
	objects, err := diff.Sources(file.Data)
	if err != nil {
		return fmt.Errorf("checking %s: %s: %w", in.ID, file.Path, err)
	}
	for _, o := range objects {
		switch d := defined(o.Object); {
		case d == nil:
		case in.Installs:
			r.added = append(r.added, d)
		default:
			r.idle = append(r.idle, d)
		}
	}
	return nil
}

// defined reads a definition; nil: the object is none. One that no server takes
// is a fault of the object, which its own schema finds.
func defined(o map[string]any) *openapi.Definition {
	if o["kind"] != "CustomResourceDefinition" {
		return nil
	}
	d, err := openapi.FromCRD(o)
	if err != nil {
		return nil
	}
	return d
}

// Context is all that is to be checked in one cluster.
type Context struct {
	Name     string
	Releases []*Release
}

// Contexts sorts releases by cluster, in the order of first mention. A nil is
// left out.
func Contexts(releases []*Release) []Context {
	var all []Context
	for _, r := range releases {
		if r == nil {
			continue
		}
		i := slices.IndexFunc(all, func(c Context) bool { return c.Name == r.id.Context })
		if i < 0 {
			i = len(all)
			all = append(all, Context{Name: r.id.Context})
		}
		all[i].Releases = append(all[i].Releases, r)
	}
	for _, c := range all {
		c.single()
	}
	return all
}

// single notes the kinds of which one release alone has the definition, among
// its own objects.
func (c Context) single() {
	brought := map[schema.GroupKind]int{}
	for _, r := range c.Releases {
		r.alone = map[schema.GroupKind]string{}
		for _, d := range r.applied {
			r.alone[d.Kind] = d.Name
		}
		for kind := range r.alone {
			brought[kind]++
		}
		for _, d := range r.added {
			brought[d.Kind] += 2 // Helm installs it before it looks at the objects
		}
	}
	for _, r := range c.Releases {
		maps.DeleteFunc(r.alone, func(kind schema.GroupKind, _ string) bool { return brought[kind] > 1 })
	}
}

// GroupVersions are those whose documents the server is to be asked for, sorted.
func (c Context) GroupVersions() []schema.GroupVersion {
	var all []schema.GroupVersion
	for _, r := range c.Releases {
		for _, o := range r.objects {
			all = append(all, o.kind.GroupVersion())
		}
	}
	slices.SortFunc(all, func(a, b schema.GroupVersion) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// Unknown are the kinds of objects that the catalog does not have at all, sorted.
func (c Context) Unknown(kinds *openapi.Catalog) []schema.GroupVersionKind {
	var all []schema.GroupVersionKind
	for _, r := range c.Releases {
		for _, o := range r.objects {
			if _, own := r.alone[o.kind.GroupKind()]; own && !kinds.Serves(o.kind) || errors.Is(kinds.Find(o.kind), openapi.ErrNoKind) {
				all = append(all, o.kind)
			}
		}
	}
	slices.SortFunc(all, compareKinds)
	return slices.Compact(all)
}

// Served reads the definitions in the cluster of kinds that were unknown. A kind
// that the cluster serves without a definition, as an aggregated API does, is
// named in left; its objects are not checked.
func (c Context) Served(found map[schema.GroupVersionKind]map[string]any) (definitions []*openapi.Definition, left []string) {
	unchecked := map[schema.GroupVersionKind]bool{}
	for _, kind := range slices.SortedFunc(maps.Keys(found), compareKinds) {
		d, err := openapi.FromCRD(found[kind])
		if err != nil {
			unchecked[kind] = true
			left = append(left, kind.Kind+" of "+kind.GroupVersion().String())
			continue
		}
		definitions = append(definitions, d)
	}
	for _, r := range c.Releases {
		r.unchecked = unchecked
	}
	return definitions, left
}

func compareKinds(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) }

// Catalog puts together what the cluster has, of which Published and Served are
// to be given, and what the releases bring.
func (c Context) Catalog(from openapi.Sources) *openapi.Catalog {
	for _, r := range c.Releases {
		from.Applied = append(from.Applied, r.applied...)
		from.Added = append(from.Added, r.added...)
	}
	return openapi.NewCatalog(from)
}
