package spec

import (
	"fmt"
	"slices"
)

// Bind gives a copy in which every release and need has a context and a
// namespace: resolve tells the real name and the default namespace of a
// context, for "" those of the current one. It is called once per context.
func (s *Spec) Bind(resolve func(context string) (name, namespace string, err error)) (*Spec, error) {
	type target struct{ name, namespace string }
	known := map[string]target{}
	fill := func(id ReleaseID) (ReleaseID, error) {
		t, ok := known[id.Context]
		if !ok {
			var err error
			if t.name, t.namespace, err = resolve(id.Context); err != nil {
				return id, fmt.Errorf("finding the cluster of release %s: %w", id, err)
			}
			known[id.Context] = t
		}
		id.Context = t.name
		if id.Namespace == "" {
			id.Namespace = t.namespace
		}
		return id, nil
	}
	out := *s
	out.Releases = slices.Clone(s.Releases)
	for i := range out.Releases {
		r := &out.Releases[i]
		var err error
		if r.ID, err = fill(r.ID); err != nil {
			return nil, err
		}
		r.Needs = slices.Clone(r.Needs)
		for j := range r.Needs {
			if r.Needs[j].ID, err = fill(r.Needs[j].ID); err != nil {
				return nil, err
			}
		}
	}
	return &out, nil
}
