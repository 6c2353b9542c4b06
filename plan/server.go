package plan

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Questions are what the API servers are asked about a plan. It is for one
// goroutine.
type Questions struct {
	plan    *Plan
	brought map[string]map[schema.GroupKind]bool // by context
}

// Questions of the plan.
func (p *Plan) Questions() *Questions {
	return &Questions{plan: p, brought: map[string]map[schema.GroupKind]bool{}}
}

// Proposals are what a plan of LevelServer asks the API server about a step: its
// wanted objects, in the way in which the step would apply them. There are none
// of a step that writes nothing or deletes, and none of kinds whose definition
// the plan itself brings or changes, of which the server knows nothing yet.
//
// What Helm applies from the client, because the release was made so or
// serverSideApply is false, takes fields over from others without a conflict. It
// is asked for as the patch that Helm's client makes. So is a release that moves
// to server-side apply: Helm first moves the fields that it owns, which no dry
// run can do, so conflicts of such a release show only when it is applied.
func (q *Questions) Proposals(s Step, in live.Input) []state.Proposal {
	if s.After == nil || s.Action != ActionInstall && s.Action != ActionUpgrade {
		return nil
	}
	context := s.Release.ID.Context
	brought, known := q.brought[context]
	if !known {
		brought = q.plan.brought(context)
		q.brought[context] = brought
	}
	all := in.Proposals(live.Applied{Release: s.Release.ID, Method: s.method(), Force: s.Release.Options.ForceConflicts})
	return slices.DeleteFunc(all, func(p state.Proposal) bool {
		return brought[schema.GroupKind{Group: p.Group, Kind: p.Kind}]
	})
}

// method is how Helm applies the step: see Upgrade.ServerSideApply and
// Install.ServerSideApply in its pkg/action.
func (s Step) method() state.ApplyMethod {
	options := s.Release.Options
	last := s.Have.Last()
	switch {
	case options.ForceReplace:
		return state.ApplyReplace
	case options.ServerSide == "false":
		return state.ApplyClientSide
	case s.Action == ActionInstall || last == nil || last.ApplyMethod == string(state.ApplyServerSide):
		return state.ApplyServerSide
	default:
		return state.ApplyClientSide
	}
}

// conflicts are what stands against a step by what was read of its objects:
// without force, an apply of fields that somebody else has fails. At LevelServer
// the server itself is asked.
func conflicts(s Step, seen live.Result) []Objection {
	if s.After == nil || s.Action != ActionInstall && s.Action != ActionUpgrade ||
		s.method() != state.ApplyServerSide || s.Release.Options.ForceConflicts {
		return nil
	}
	var all []Objection
	for _, c := range seen.Conflicts(s.Release.ID) {
		all = append(all, Objection{Object: c.Object, Kind: ObjectionConflict, Field: c.Field, Message: c.Message})
	}
	return all
}

// brought are the kinds whose definition is an object that the plan adds or
// changes. A kind from the crds/ folder of a chart is either not there yet, so the
// server does not serve it, or stays as it is.
func (p *Plan) brought(context string) map[schema.GroupKind]bool {
	kinds := map[schema.GroupKind]bool{}
	for _, s := range p.Steps {
		if s.Release.ID.Context != context || s.After == nil || !s.Action.Writes() {
			continue
		}
		changed := map[string]bool{}
		for _, c := range s.Changes {
			if c.Object.Kind == crdKind && c.Op != diff.OpRemove {
				changed[c.Object.Name] = true
			}
		}
		if len(changed) == 0 {
			continue // reading all definitions of a chart may take a second
		}
		for _, d := range definitionsOf(s.After) {
			if changed[d.Name] {
				kinds[d.Kind] = true
			}
		}
	}
	return kinds
}

const crdKind = "CustomResourceDefinition"

// Answers are what the API server said of the objects of one release.
type Answers struct {
	Live live.Input
	Of   map[state.ObjectID]state.Answer
}

// Answered is the plan with what the API server would make of it: the changes
// of every release that was asked about, and objections. Kinds and namespaces
// that the server does not have yet, and that the plan brings, are no objection.
func (p *Plan) Answered(by map[spec.ReleaseID]Answers) (*Plan, error) {
	brings := &bringing{plan: p, defined: map[string]map[schema.GroupKind]bool{}}
	told := *p
	told.Steps = slices.Clone(p.Steps)
	for i, s := range told.Steps {
		answers, asked := by[s.Release.ID]
		if !asked {
			continue
		}
		changes, err := live.Answered(answers.Live, answers.Of)
		if err != nil {
			return nil, fmt.Errorf("comparing %s: %w", s.Release.ID, err)
		}
		told.Steps[i].Changes = slices.Concat(changes, ofHooks(s.Changes))
		objections := slices.Clone(s.Objections)
		for id, a := range answers.Of {
			objections = append(objections, brings.objections(s, id, a)...)
		}
		for j := range objections {
			if opts := answers.Live.Diff; opts.Redact != nil && !opts.ShowSecrets {
				objections[j].Message = opts.Redact(objections[j].Message)
			}
		}
		slices.SortFunc(objections, compareObjections)
		told.Steps[i].Objections = objections
	}
	return &told, nil
}

func compareObjections(a, b Objection) int {
	return cmp.Or(a.Object.Compare(b.Object), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Message, b.Message))
}

// bringing knows what the steps of a plan bring, once somebody asks.
type bringing struct {
	plan    *Plan
	defined map[string]map[schema.GroupKind]bool // by context
}

func (b *bringing) objections(s Step, id state.ObjectID, a state.Answer) []Objection {
	var all []Objection
	add := func(kind ObjectionKind, field, message string) {
		all = append(all, Objection{Object: id, Kind: kind, Field: field, Message: message})
	}
	for _, f := range a.Conflicts {
		add(ObjectionConflict, f.Field, f.Message)
	}
	secret := id.Kind == "Secret" && id.Group == "" // what the server says of it has its values
	for _, f := range a.Invalid {
		if secret {
			f.Message = "the server says that it is invalid"
		}
		add(ObjectionInvalid, f.Field, f.Message)
	}
	switch context := s.Release.ID.Context; {
	case a.Unserved && !b.defines(context, schema.GroupKind{Group: id.Group, Kind: id.Kind}):
		add(ObjectionInvalid, "", "the server does not serve this kind, and nothing in the plan defines it")
	case a.NoNamespace && !b.plan.creates(context, id.Namespace):
		add(ObjectionRefused, "", fmt.Sprintf("the namespace %s does not exist, and nothing in the plan creates it", id.Namespace))
	case a.Refused != "" && secret:
		add(ObjectionRefused, "", "the server refuses it, in words that may hold its values: see what admission and rights say of Secrets in this namespace")
	case a.Refused != "":
		add(ObjectionRefused, "", a.Refused)
	}
	return all
}

// defines reports whether a step of the plan brings the definition of a kind.
func (b *bringing) defines(context string, kind schema.GroupKind) bool {
	kinds, known := b.defined[context]
	if !known {
		kinds = map[schema.GroupKind]bool{}
		for _, s := range b.plan.Steps {
			if s.Release.ID.Context != context || !s.Action.Writes() {
				continue
			}
			for _, d := range definitionsOf(s.After) {
				kinds[d.Kind] = true
			}
		}
		b.defined[context] = kinds
	}
	return kinds[kind]
}

// creates reports whether a step of the plan brings a namespace.
func (p *Plan) creates(context, namespace string) bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool {
		if s.Release.ID.Context != context || !s.Action.Writes() || s.After == nil {
			return false
		}
		if s.Release.Options.CreateNamespace && s.Release.ID.Namespace == namespace {
			return true
		}
		return slices.ContainsFunc(s.Changes, func(c diff.Change) bool {
			return c.Object.Kind == "Namespace" && c.Object.Group == "" && c.Object.Name == namespace && c.Op == diff.OpAdd
		})
	})
}
