package diff

import (
	"fmt"

	"github.com/flotilla-sh/flotilla/state"
)

// Manifest is the objects of a revision, hooks left out, by id. Nobody may change
// them.
type Manifest map[state.ObjectID]map[string]any

// Read parses the objects of two revisions, each of which may be nil, with the
// ids that Revisions gives them.
func Read(before, after *state.Revision, opts Options) (old, wanted Manifest, err error) {
	opts.ClusterScoped = clusterScoped(opts.ClusterScoped, before, after)
	return indexBoth(streams(before), streams(after), opts)
}

// Between is the change of one object from one state to another, either of which
// may be nil, masked as Revisions masks. It says false where nothing differs.
func Between(id state.ObjectID, before, after map[string]any, opts Options) (Change, bool, error) {
	c := Change{Object: id, Op: OpChange}
	switch {
	case before == nil && after == nil:
		return c, false, nil
	case before == nil:
		c.Op = OpAdd
	case after == nil:
		c.Op = OpRemove
	}
	var err error
	if c.Before, c.After, err = texts(before, after, opts); err != nil {
		return Change{}, false, fmt.Errorf("comparing %s: %w", id, err)
	}
	return c, c.Before != c.After, nil
}
