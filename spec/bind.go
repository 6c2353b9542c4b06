package spec

import (
	"fmt"
	"slices"
)

// Bind gives a copy in which every release and need has a context and a
// namespace: resolve tells the real name and the default namespace of a
// context, for "" those of the current one. It is called once per context. A
// release that names no context gets that of its file's environment, as
// helmfile's connection flags do.
func (s *Spec) Bind(resolve func(context string) (name, namespace string, err error)) (*Spec, error) {
	type target struct{ name, namespace string }
	known := map[string]target{}
	fill := func(id ReleaseID, file int) (ReleaseID, error) {
		if id.Context == "" && file < len(s.Files) {
			id.Context = s.Files[file].Environment.KubeContext
		}
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
		if r.ID, err = fill(r.ID, r.File); err != nil {
			return nil, err
		}
		r.Needs = slices.Clone(r.Needs)
		for j := range r.Needs {
			id := r.Needs[j].ID
			if r.Needs[j].ID, err = fill(id, s.fileOf(id, r.File)); err != nil {
				return nil, err
			}
		}
	}
	return &out, nil
}

// WithContext gives a copy in which releases of a file that name no context,
// and that Bind has not filled in yet, get this one.
func (s *Spec) WithContext(file int, context string) *Spec {
	out := *s
	out.Files = slices.Clone(s.Files)
	out.Files[file].Environment.KubeContext = context
	return &out
}

// fileOf gives the file that declares a needed release: the needing file if it
// does, else the first that does.
func (s *Spec) fileOf(id ReleaseID, needing int) int {
	found := -1
	for _, r := range s.Releases {
		if r.ID != id {
			continue
		}
		if r.File == needing {
			return needing
		}
		if found < 0 {
			found = r.File
		}
	}
	if found < 0 {
		return needing
	}
	return found
}
