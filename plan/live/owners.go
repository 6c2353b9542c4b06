package live

import (
	"bytes"
	"encoding/json"
	"time"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// owners are the managers of a live object's fields, read when first asked for.
type owners struct {
	live map[string]any

	read    bool
	partly  bool // some entries cannot be used
	entries []owner
}

type owner struct {
	manager     string
	operation   string
	subresource string
	at          time.Time
	fields      *fieldpath.Set
}

// all are the entries that speak of the version in which the object was read.
// Who writes only the status has no say in what is declared.
func (o *owners) all() []owner {
	if o.read {
		return o.entries
	}
	o.read = true
	meta, _ := o.live["metadata"].(map[string]any)
	list, _ := meta["managedFields"].([]any)
	for _, one := range list {
		entry, _ := one.(map[string]any)
		if entry["subresource"] == "status" {
			continue
		}
		data, err := json.Marshal(entry["fieldsV1"])
		set := fieldpath.NewSet()
		if err != nil || entry["apiVersion"] != o.live["apiVersion"] || set.FromJSON(bytes.NewReader(data)) != nil {
			o.partly = true
			continue
		}
		by := owner{fields: set}
		by.manager, _ = entry["manager"].(string)
		by.operation, _ = entry["operation"].(string)
		by.subresource, _ = entry["subresource"].(string)
		stamp, _ := entry["time"].(string)
		by.at, _ = time.Parse(time.RFC3339, stamp) // no time is the zero one
		o.entries = append(o.entries, by)
	}
	return o.entries
}

// known reports whether the server tells managers at all, and all of them.
func (o *owners) known() bool {
	return len(o.all()) > 0 && !o.partly
}

// foreign reports whether somebody else than Manager has set a value, or part of
// it.
func (o *owners) foreign(path fieldpath.Path) bool {
	for _, e := range o.all() {
		if e.manager != Manager && holds(e.fields, path) {
			return true
		}
	}
	return false
}

// applied reports whether Manager has a value, or part of it.
func (o *owners) applied(path fieldpath.Path) bool {
	for _, e := range o.all() {
		if e.manager == Manager && holds(e.fields, path) {
			return true
		}
	}
	return false
}

// last is who wrote a value last; the zero owner: nobody is noted. Somebody else
// comes before Manager, which wrote first what is not as it was.
func (o *owners) last(path fieldpath.Path) owner {
	var last owner
	for _, e := range o.all() {
		if !holds(e.fields, path) {
			continue
		}
		if last.manager == "" || last.manager == Manager || e.manager != Manager && e.at.After(last.at) {
			last = e
		}
	}
	return last
}

// holds reports whether a set has a path or something below it.
func holds(set *fieldpath.Set, path fieldpath.Path) bool {
	for i, element := range path {
		if i == len(path)-1 && set.Members.Has(element) {
			return true
		}
		set = set.WithPrefix(element)
	}
	return !set.Empty()
}
