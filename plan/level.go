package plan

import (
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
)

// Level is how closely a plan looks at the cluster. Each level sees what the
// one before it sees, and more.
type Level string

// The levels. LevelRelease compares with the stored revision and reads no
// objects; LevelLive compares with the objects as they are, by get and list
// alone; LevelServer asks the API server what it would make of every object, in
// a server-side apply that writes nothing.
const (
	LevelRelease Level = "release"
	LevelLive    Level = "live"
	LevelServer  Level = "server"
)

// looks reports whether the objects in the cluster count.
func (p Policy) looks() bool { return p.Against == LevelLive || p.Against == LevelServer }

// Objection is something that the API server, or the schema that it publishes,
// has against an object of a plan.
type Objection struct {
	Object  state.ObjectID
	Kind    ObjectionKind
	Field   string // path such as .spec.replicas; empty: the object as a whole
	Message string // one sentence without a secret
}

// ObjectionKind is what sort of objection it is.
type ObjectionKind string

// The kinds of objections: another manager owns the field, admission or rights
// refuse the object, or it does not fit its schema.
const (
	ObjectionConflict ObjectionKind = "conflict"
	ObjectionRefused  ObjectionKind = "refused"
	ObjectionInvalid  ObjectionKind = "invalid"
)

// Objected reports whether anything speaks against applying the plan.
func (p *Plan) Objected() bool {
	for _, s := range p.Steps {
		if len(s.Objections) > 0 {
			return true
		}
	}
	return false
}

// drifted are the changes of the step's drift.
func (s Step) drifted() []diff.Change {
	var changes []diff.Change
	for _, d := range s.Drift {
		changes = append(changes, d.Change)
	}
	return changes
}
