package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// enoughObjects are compared at once: more of them take memory and save no time.
const enoughObjects = 1000

// objects compares the objects of all releases that are settled, namespace by
// namespace: what is as it was deployed is forgotten at once.
func (o *outlook) objects(ctx context.Context) error {
	scoped, err := o.lookout.tools.clusters.ClusterScoped(ctx, []spec.ReleaseID{{Context: o.context}})
	if err != nil {
		return err
	}
	o.options = diff.Options{ClusterScoped: scoped[o.context], Redact: o.lookout.session.secrets.met.Redact}
	batches := o.batches()
	errs := make([]error, len(batches))
	each(len(batches), 2, func(i int) { errs[i] = batches[i].compare(ctx) })
	for _, b := range batches {
		o.unseen = append(o.unseen, b.unseen...)
		o.notes = append(o.notes, b.notes...)
	}
	return errors.Join(errs...)
}

// batch is some of the releases of a context.
type batch struct {
	*outlook
	sights []*driftSight
	unseen []drift.Unseen
	notes  []drift.Note
}

// batches are releases of whole namespaces, so that no more is asked than for all
// at once.
func (o *outlook) batches() []*batch {
	var settled []*driftSight
	for _, s := range o.sights {
		if drift.Settled(s.subject.Have) {
			settled = append(settled, s)
		}
	}
	slices.SortStableFunc(settled, func(a, b *driftSight) int {
		return strings.Compare(a.subject.Release.ID.Namespace, b.subject.Release.ID.Namespace)
	})
	var all []*batch
	objects := 0
	for i, s := range settled {
		moved := i > 0 && settled[i-1].subject.Release.ID.Namespace != s.subject.Release.ID.Namespace
		if i == 0 || moved && objects >= enoughObjects {
			all, objects = append(all, &batch{outlook: o}), 0
		}
		last := all[len(all)-1]
		last.sights = append(last.sights, s)
		objects += bytes.Count(s.subject.Have.Last().Stream, []byte("\n# Source: ")) + 1
	}
	return all
}

// compare looks at the objects of a batch.
func (b *batch) compare(ctx context.Context) error {
	b.declare()
	if err := b.read(ctx); err != nil {
		return err
	}
	if err := b.learn(ctx); err != nil {
		return err
	}
	each(len(b.sights), runtime.GOMAXPROCS(0), func(i int) {
		s := b.sights[i]
		if !s.looked {
			return
		}
		s.subject.Deviations = live.Deviations(s.input, s.subject.Release.ID)
		s.unready = b.lookout.unready(s.input)
		if b.lookout.Strict {
			s.subject.Additions = live.Additions(s.input, s.subject.Release.ID)
		}
	})
	var err error
	if b.lookout.Against == plan.LevelServer {
		err = b.confirm(ctx)
	}
	for _, s := range b.sights {
		if len(s.subject.Deviations)+len(s.subject.Additions) == 0 {
			s.input, s.subject.Stored = live.Input{}, nil
		}
	}
	return err
}

// declare reads what the deployed revisions declare.
func (b *batch) declare() {
	errs := make([]error, len(b.sights))
	each(len(b.sights), runtime.GOMAXPROCS(0), func(i int) {
		s := b.sights[i]
		s.input = live.Input{Settled: true, Diff: b.options}
		s.input.Diff.Namespace = s.subject.Release.ID.Namespace
		s.input.Declared, errs[i] = live.Declare(s.subject.Have.Last(), nil, s.input.Diff)
		s.looked, s.subject.Stored, s.objects = errs[i] == nil, s.input.Stored, len(s.input.Stored)
	})
	for i, err := range errs {
		if err != nil {
			id := b.sights[i].subject.Release.ID
			b.unseen = append(b.unseen, drift.Unseen{Release: id, Err: fmt.Errorf("reading the stored manifest of %s: %w", id, err)})
		}
	}
}

// read makes the one look at the objects of a batch.
func (b *batch) read(ctx context.Context) error {
	var refs []state.Ref
	of := map[state.Ref]spec.ReleaseID{}
	for _, s := range b.sights {
		for _, ref := range s.input.Refs() {
			refs = append(refs, ref)
			of[ref] = s.subject.Release.ID
		}
	}
	slices.SortFunc(refs, state.Ref.Compare)
	sight, err := b.lookout.tools.clusters.Look(ctx, b.context, slices.Compact(refs))
	if err != nil {
		return err
	}
	missed := map[state.Ref]bool{}
	miss := func(refs []state.Ref, err error) {
		byRelease := map[spec.ReleaseID][]state.ObjectID{}
		for _, ref := range refs {
			missed[ref] = true
			byRelease[of[ref]] = append(byRelease[of[ref]], ref.ObjectID)
		}
		for _, id := range slices.SortedFunc(maps.Keys(byRelease), spec.ReleaseID.Compare) {
			b.unseen = append(b.unseen, drift.Unseen{Release: id, Objects: byRelease[id], Err: err})
		}
	}
	for _, u := range sight.Unseen {
		miss(u.Refs, u.Err)
	}
	for _, ref := range sight.Unserved {
		miss([]state.Ref{ref}, unserved(b.context, ref))
	}
	for _, s := range b.sights {
		s.input.Objects, s.input.Unseen = sight.Objects, missed
	}
	return nil
}

func unserved(context string, ref state.Ref) error {
	version := strings.TrimPrefix(ref.Group+"/"+ref.Version, "/")
	return fmt.Errorf("context %s: %s was deployed in version %s, which the server does not have any more: upgrade the release to a version that it has", context, ref.ObjectID, version)
}

// learn gives every release the schemas of its kinds, of which the server is
// asked for those that are not built in.
func (b *batch) learn(ctx context.Context) error {
	var inputs []live.Input
	for _, s := range b.sights {
		if s.looked {
			inputs = append(inputs, s.input)
		}
	}
	published, err := b.lookout.tools.clusters.OpenAPI(ctx, b.context, live.Custom(inputs))
	if err != nil {
		return err
	}
	types := live.TypesOf(openapi.NewCatalog(openapi.Sources{Published: published}))
	for _, s := range b.sights {
		s.input.Types = types
	}
	return nil
}

// confirm asks the server what it would make of what was deployed, for objects
// that differ from it.
func (b *batch) confirm(ctx context.Context) error {
	type asked struct{ sight, deviation int }
	var all []asked
	var proposals []state.Proposal
	for i, s := range b.sights {
		for j, d := range s.subject.Deviations {
			all = append(all, asked{i, j})
			proposals = append(proposals, s.input.Restoring(d, s.subject.Release.ID))
		}
	}
	answers, err := b.lookout.tools.clusters.DryRun(ctx, b.context, proposals)
	if err != nil {
		return err
	}
	confirmed := make([][]live.Deviation, len(b.sights))
	for i, a := range all {
		s := b.sights[a.sight]
		d := s.subject.Deviations[a.deviation]
		keep := true
		if made := answers[i].Object; made != nil {
			d, keep = s.input.Confirmed(d, s.subject.Release.ID, made)
		} else {
			b.unconfirmed(s.subject.Release.ID, d.Object, answers[i])
		}
		if keep {
			confirmed[a.sight] = append(confirmed[a.sight], d)
		}
	}
	for i, s := range b.sights {
		s.subject.Deviations = confirmed[i]
	}
	return nil
}

// unconfirmed keeps a finding that the server would not answer about.
func (b *batch) unconfirmed(id spec.ReleaseID, object state.ObjectID, a state.Answer) {
	b.notes = append(b.notes, drift.Note{Release: id, Text: fmt.Sprintf("the server would not take %s as it was deployed: %s", object, b.lookout.session.why(object, a))})
}

// why says what a server has against an object.
func (s *session) why(object state.ObjectID, a state.Answer) string {
	switch {
	case object.Kind == "Secret" && object.Group == "": // words about it may hold its values
		return "see what admission and rights say of Secrets in this namespace"
	case a.Refused != "":
		return s.secrets.met.Redact(a.Refused)
	case len(a.Invalid) > 0:
		fault := a.Invalid[0]
		return s.secrets.met.Redact(strings.TrimPrefix(strings.TrimPrefix(fault.Field, ".")+": "+fault.Message, ": "))
	case a.NoNamespace:
		return "its namespace does not exist"
	case a.Unserved:
		return "it has no such kind"
	default:
		return "it does not say why"
	}
}
