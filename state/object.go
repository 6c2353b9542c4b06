package state

import (
	"errors"
	"slices"
	"strings"
)

// ObjectID names one Kubernetes object in a cluster. It is comparable. Group
// and not version: an object keeps its identity when its API version moves.
type ObjectID struct {
	Group     string
	Kind      string
	Namespace string // empty: cluster-scoped, or the release's namespace is not filled in
	Name      string
}

// String prints Kind/name, with namespace and group where they tell more.
func (id ObjectID) String() string {
	s := id.Kind + "/" + id.Name
	if id.Namespace != "" {
		s = id.Namespace + "/" + s
	}
	return s
}

// Compare orders ids by namespace, kind, group and name.
func (id ObjectID) Compare(other ObjectID) int {
	for _, c := range []int{
		strings.Compare(id.Namespace, other.Namespace),
		strings.Compare(id.Kind, other.Kind),
		strings.Compare(id.Group, other.Group),
		strings.Compare(id.Name, other.Name),
	} {
		if c != 0 {
			return c
		}
	}
	return 0
}

// Ref is an object as one version of its API shows it.
type Ref struct {
	ObjectID
	Version string // such as v1, without the group
}

// Compare orders refs by object and version.
func (r Ref) Compare(other Ref) int {
	if c := r.ObjectID.Compare(other.ObjectID); c != 0 {
		return c
	}
	return strings.Compare(r.Version, other.Version)
}

// ErrAdopted says that undoing an operation left objects alone that existed
// before it and that takeOwnership had taken over: they keep what was applied.
var ErrAdopted = errors.New("objects that were taken over stay as they are now")

// ErrStale: a release's records are not what they were when an operation on it
// was decided. The operation has changed nothing.
var ErrStale = errors.New("the release has changed since it was looked at")

// OperationError says why an operation on a release failed, with what the
// cluster tells about the objects at fault.
type OperationError struct {
	Err      error
	Troubles []Trouble
}

// Error is the cause in one line; a view prints the troubles.
func (e *OperationError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *OperationError) Unwrap() error { return e.Err }

// Trouble is one object that is not as it should be.
type Trouble struct {
	Object  ObjectID
	Message string   // conditions, or what was waited for
	Events  []string // newest last, at most a handful
	Logs    []LogTail
}

// Reworded gives a copy with every text of the cluster as change makes it; what
// names objects stays.
func (t Trouble) Reworded(change func(string) string) Trouble {
	lines := func(in []string) []string {
		out := slices.Clone(in)
		for i := range out {
			out[i] = change(out[i])
		}
		return out
	}
	t.Message, t.Events, t.Logs = change(t.Message), lines(t.Events), slices.Clone(t.Logs)
	for i := range t.Logs {
		t.Logs[i].Lines = lines(t.Logs[i].Lines)
	}
	return t
}

// LogTail is the end of one container's log.
type LogTail struct {
	Pod       string
	Container string
	Lines     []string
}
