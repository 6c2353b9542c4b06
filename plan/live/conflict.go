package live

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Conflict is a field that a server-side apply would change and that another
// manager has, so that the server refuses the object.
type Conflict struct {
	Object  state.ObjectID
	Field   string // path such as .spec.replicas
	Message string // names the manager, in the words of an API server
}

// Conflicts are those that a server-side apply of a release would meet if it did
// not force them, in order of objects, fields and managers. They follow from what
// was read, by the rule of the server: what the merge of the wanted object into
// the live one adds or modifies must belong to nobody else. Objects without a
// known schema have none here, neither have managers that wrote another version
// of an object than is wanted: of those only the server can tell.
func (r Result) Conflicts(release spec.ReleaseID) []Conflict {
	var all []Conflict
	for id, o := range r.compared {
		if o.wanted != nil && o.live != nil && id.Name != "" {
			all = append(all, o.conflicts(release)...)
		}
	}
	slices.SortFunc(all, func(a, b Conflict) int {
		return cmp.Or(a.Object.Compare(b.Object), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(all)
}

func (o object) conflicts(release spec.ReleaseID) []Conflict {
	others := o.others()
	typ := o.typeOf(o.wanted)
	if len(others) == 0 || !typ.Known() {
		return nil
	}
	is, err := typ.Typed().FromUnstructured(tidy(o.live), typed.AllowDuplicates)
	if err != nil {
		return nil // a newer server has fields that are not known here
	}
	wants, err := typ.Typed().FromUnstructured(tidy(owned(o.wanted, refOf(o.id, o.wanted), release)))
	if err != nil {
		return nil // the server tells what is wrong with it
	}
	merged, err := is.Merge(wants)
	if err != nil {
		return nil
	}
	changes, err := is.Compare(merged)
	if err != nil {
		return nil
	}
	touched := changes.Modified.Union(changes.Added)
	var all []Conflict
	for _, other := range others {
		for path := range other.fields.Intersection(touched).All() {
			all = append(all, Conflict{Object: o.id, Field: path.String(), Message: other.message})
		}
	}
	return all
}

// other is a manager that a server-side apply may conflict with.
type other struct {
	message string
	fields  *fieldpath.Set
}

// others are all but the manager of the apply itself. What the same program
// wrote in another way than by apply is somebody else's to the server.
func (o object) others() []other {
	var all []other
	list, _ := entries(o.live, "metadata")["managedFields"].([]any)
	for _, one := range list {
		entry, _ := one.(map[string]any)
		if entry["subresource"] == "status" || entry["apiVersion"] != o.live["apiVersion"] ||
			entry["manager"] == Manager && entry["operation"] == "Apply" && entry["subresource"] == nil {
			continue
		}
		data, err := json.Marshal(entry["fieldsV1"])
		fields := fieldpath.NewSet()
		if err == nil && fields.FromJSON(bytes.NewReader(data)) == nil {
			all = append(all, other{conflictWith(entry), fields})
		}
	}
	return all
}

// conflictWith words it as the server does (printManager in
// k8s.io/apimachinery/pkg/util/managedfields/internal).
func conflictWith(entry map[string]any) string {
	text := fmt.Sprintf("conflict with %q", entry["manager"])
	if sub, _ := entry["subresource"].(string); sub != "" {
		text += fmt.Sprintf(" with subresource %q", sub)
	}
	if entry["operation"] != "Update" {
		return text
	}
	text += fmt.Sprintf(" using %v", entry["apiVersion"])
	if at, _ := entry["time"].(string); at != "" {
		text += " at " + at
	}
	return text
}
