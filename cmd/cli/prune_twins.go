package cli

import (
	"context"
	"fmt"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// nowhere keeps those releases that no context declares which may lead to the same
// cluster. What two such contexts have is taken once. doubtful tells of those where
// it is not certain that the contexts lead to one.
func (c clusterIDs) nowhere(ctx context.Context, declaring []spec.Release, gone []state.Release) (kept []state.Release, doubtful []string, err error) {
	places := map[spec.ReleaseID][]string{} // contexts of namespace and name
	for _, r := range declaring {
		places[placeIn(r.ID)] = append(places[placeIn(r.ID)], r.ID.Context)
	}
	for _, r := range gone {
		declared, err := c.maySame(ctx, r.ID.Context, places[placeIn(r.ID)])
		switch {
		case err != nil:
			return nil, nil, err
		case declared == "":
			kept = append(kept, r)
		case !c.same(r.ID.Context, declared):
			doubtful = append(doubtful, fmt.Sprintf("%s is declared in the context %s", r.ID, declared))
		}
	}
	kept, err = c.distinct(ctx, kept)
	return kept, doubtful, err
}

// distinct takes a release once that several contexts have which may lead to the
// same cluster.
func (c clusterIDs) distinct(ctx context.Context, releases []state.Release) ([]state.Release, error) {
	var kept []state.Release
	taken := map[spec.ReleaseID][]string{} // contexts of namespace and name
	for _, r := range releases {
		at := placeIn(r.ID)
		again, err := c.maySame(ctx, r.ID.Context, taken[at])
		if err != nil {
			return nil, err
		}
		if again == "" {
			kept, taken[at] = append(kept, r), append(taken[at], r.ID.Context)
		}
	}
	return kept, nil
}

// placeIn is where a release is in its cluster.
func placeIn(id spec.ReleaseID) spec.ReleaseID {
	id.Context = ""
	return id
}

// clusterIDs remembers which clusters contexts lead to.
type clusterIDs struct {
	tools *tools
	ids   map[string]state.ClusterID
}

func (t *tools) clusterIDs() clusterIDs {
	return clusterIDs{tools: t, ids: map[string]state.ClusterID{}}
}

// maySame names the first of the other contexts that is not known to lead to another
// cluster; empty: all are.
func (c clusterIDs) maySame(ctx context.Context, name string, others []string) (string, error) {
	for _, other := range others {
		one, err := c.uid(ctx, name)
		if err != nil {
			return "", err
		}
		two, err := c.uid(ctx, other)
		if err != nil {
			return "", err
		}
		if one == "" || two == "" || one == two {
			return other, nil
		}
	}
	return "", nil
}

// same reports whether two contexts, which were asked for, lead to one cluster.
func (c clusterIDs) same(one, two string) bool {
	a, b := c.ids[one], c.ids[two]
	switch {
	case one == two:
		return true
	case a.UID != "" && b.UID != "":
		return a.UID == b.UID
	default:
		return a.Server != "" && a.Server == b.Server && a.CA == b.CA
	}
}

// uid is empty where nobody can tell which cluster it is.
func (c clusterIDs) uid(ctx context.Context, name string) (string, error) {
	if id, ok := c.ids[name]; ok {
		return id.UID, nil
	}
	found, err := c.tools.clusters.Identify(ctx, []spec.ReleaseID{{Context: name}})
	switch {
	case ctx.Err() != nil:
		return "", interrupted(ctx, err)
	case err != nil:
		c.ids[name] = state.ClusterID{Context: name} // out of reach: nobody can tell
	default:
		c.ids[name] = found[0]
	}
	return c.ids[name].UID, nil
}
