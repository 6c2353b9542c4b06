package state

// ApplyMethod is how an object is brought to the cluster. The first two are
// Helm's words for what a revision was applied with.
type ApplyMethod string

// The methods: a server-side apply, a patch that Helm makes of the stored, the
// live and the wanted object, and a replacement as a whole.
const (
	ApplyServerSide ApplyMethod = "ssa"
	ApplyClientSide ApplyMethod = "csa"
	ApplyReplace    ApplyMethod = "replace"
)

// Proposal is an object of which an API server is to say what it would make.
type Proposal struct {
	Ref
	Object map[string]any // as it would be applied
	Live   map[string]any // as it is; nil: it is not there
	Stored map[string]any // as it was applied last; nil: it was not
	Method ApplyMethod
	Force  bool // of ApplyServerSide: take fields from other managers
}

// Answer is what an API server says to a Proposal: what it would make of the
// object, or what it has against it.
type Answer struct {
	Object    map[string]any // nil: there is none
	Conflicts []Fault        // fields that another manager owns, which it names
	Invalid   []Fault
	Refused   string // admission or rights; empty: not refused
	// Unserved: the server has no such kind. NoNamespace: the object's namespace
	// is not there.
	Unserved, NoNamespace bool
}

// Fault is what a server has against one field.
type Fault struct {
	Field   string // path such as .spec.replicas; empty: the object as a whole
	Message string
}
