package cli

import (
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
	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// report looks at every cluster. What cannot be seen is part of the report; the
// error is one of the run itself.
func (l *lookout) report(ctx context.Context) (drift.Report, error) {
	contexts := l.contexts()
	seen := make([]*outlook, len(contexts))
	each(len(contexts), len(contexts), func(i int) { seen[i] = l.at(ctx, contexts[i]) })
	if ctx.Err() != nil {
		return drift.Report{}, context.Cause(ctx)
	}
	in := drift.Input{
		Owner: l.owner.ID, Declared: map[spec.ReleaseID]bool{}, Spec: l.all, Now: l.session.env.Now(),
		Partly: !l.selector.Empty() || l.Against == plan.LevelRelease, Redact: l.session.secrets.met.Redact,
	}
	for _, r := range l.all.Releases {
		in.Declared[r.ID] = true
	}
	var more drift.Report
	for _, o := range seen {
		l.sights = append(l.sights, o.sights...)
		for _, s := range o.sights {
			in.Subjects = append(in.Subjects, s.subject)
			more.Objects += s.objects()
		}
		in.Owned = append(in.Owned, o.owned...)
		more.Unseen = append(more.Unseen, o.unseen...)
		more.Notes = append(more.Notes, o.notes...)
	}
	in.Partly = in.Partly || len(more.Unseen) > 0
	report := drift.Find(in)
	report.Objects, report.Unseen = more.Objects, more.Unseen
	report.Notes = append(report.Notes, more.Notes...)
	return report, nil
}

// contexts are those that releases are declared in.
func (l *lookout) contexts() []string {
	names := map[string]bool{}
	for _, r := range l.fleet.releases {
		names[r.ID.Context] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// outlook is what was seen of one context.
type outlook struct {
	lookout *lookout
	context string
	sights  []*driftSight
	owned   []state.Release
	unseen  []drift.Unseen
	notes   []drift.Note
}

// driftSight is one release that is looked at.
type driftSight struct {
	subject drift.Subject
	input   live.Input
	looked  bool // its objects can be compared
}

func (s *driftSight) objects() int {
	if !s.looked {
		return 0
	}
	return len(s.input.Stored)
}

func (o *outlook) blind(err error) {
	o.unseen = append(o.unseen, drift.Unseen{Context: o.context, Err: err})
}

func (l *lookout) at(ctx context.Context, name string) *outlook {
	o := &outlook{lookout: l, context: name}
	have, ok := o.records(ctx)
	if !ok {
		return o
	}
	for _, r := range l.fleet.releases {
		if r.ID.Context == name && !o.hidden(r.ID) {
			o.sights = append(o.sights, &driftSight{subject: drift.Subject{Release: r, Have: have[r.ID]}})
		}
	}
	o.secrets()
	o.writers(ctx)
	o.undeclared(ctx)
	if l.Against == plan.LevelRelease {
		return o
	}
	if err := o.objects(ctx); err != nil {
		o.blind(err)
	}
	return o
}

// records reads Helm's records. Where some namespaces may not be read, the others
// are.
func (o *outlook) records(ctx context.Context) (state.Snapshot, bool) {
	byNamespace := map[string][]spec.ReleaseID{}
	var ids []spec.ReleaseID
	for _, id := range o.lookout.fleet.ids() {
		if id.Context == o.context {
			ids = append(ids, id)
			byNamespace[id.Namespace] = append(byNamespace[id.Namespace], id)
		}
	}
	clusters := o.lookout.tools.clusters
	have, err := clusters.Read(ctx, ids)
	if err == nil {
		return have, true
	}
	if !errors.Is(err, cluster.ErrForbidden) {
		o.blind(err)
		return nil, false
	}
	have = state.Snapshot{}
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		part, err := clusters.Read(ctx, byNamespace[namespace])
		maps.Copy(have, part)
		if err == nil {
			continue
		}
		for _, id := range byNamespace[namespace] {
			o.unseen = append(o.unseen, drift.Unseen{Release: id, Err: err})
		}
	}
	return have, true
}

func (o *outlook) hidden(id spec.ReleaseID) bool {
	return slices.ContainsFunc(o.unseen, func(u drift.Unseen) bool { return u.Release == id })
}

// writers asks, of releases whose newest revision another program made, whether
// flotilla ever wrote them.
func (o *outlook) writers(ctx context.Context) {
	var suspects []spec.ReleaseID
	for _, s := range o.sights {
		if last := s.subject.Have.Last(); last != nil && last.Writer != drift.Program {
			suspects = append(suspects, s.subject.Release.ID)
		}
	}
	if len(suspects) == 0 {
		return
	}
	writers, err := o.lookout.tools.clusters.Writers(ctx, suspects)
	if err != nil {
		o.blind(fmt.Errorf("reading who made revisions: %w", err))
	}
	for _, s := range o.sights {
		s.subject.Writers = writers[s.subject.Release.ID]
	}
}

// undeclared reads the releases that carry the mark of the owner.
func (o *outlook) undeclared(ctx context.Context) {
	l := o.lookout
	if l.owner.ID == "" {
		return
	}
	used := map[string]bool{}
	for _, r := range l.all.Releases {
		if r.ID.Context == o.context {
			used[r.ID.Namespace] = true
		}
	}
	owned, everywhere, err := l.tools.clusters.Owned(ctx, o.context, l.owner.ID, slices.Sorted(maps.Keys(used)))
	if err != nil {
		o.blind(err)
		return
	}
	if !everywhere {
		o.notes = append(o.notes, drift.Note{Text: fmt.Sprintf("context %s: releases that are not declared any more were looked for in the namespaces in use only: this user may not list them in others", o.context)})
	}
	for _, r := range owned {
		if l.selector.Matches(labelsOf(r)) {
			o.owned = append(o.owned, r)
		}
	}
}

// labelsOf are what a selector sees of a release that is in no state file.
func labelsOf(r state.Release) map[string]string {
	last := r.Last()
	labels := maps.Clone(last.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels["name"], labels["namespace"], labels["chart"] = r.ID.Name, r.ID.Namespace, last.Chart.Name
	return labels
}

// objects compares the objects of all releases that are settled.
func (o *outlook) objects(ctx context.Context) error {
	if err := o.declare(ctx); err != nil {
		return err
	}
	if err := o.read(ctx); err != nil {
		return err
	}
	if err := o.learn(ctx); err != nil {
		return err
	}
	each(len(o.sights), runtime.GOMAXPROCS(0), func(i int) {
		s := o.sights[i]
		if !s.looked {
			return
		}
		s.subject.Deviations = live.Deviations(s.input, s.subject.Release.ID)
		if o.lookout.Strict {
			s.subject.Additions = live.Additions(s.input, s.subject.Release.ID)
		}
	})
	if o.lookout.Against != plan.LevelServer {
		return nil
	}
	return o.confirm(ctx)
}

// declare reads what the deployed revisions declare.
func (o *outlook) declare(ctx context.Context) error {
	scoped, err := o.lookout.tools.clusters.ClusterScoped(ctx, []spec.ReleaseID{{Context: o.context}})
	if err != nil {
		return err
	}
	errs := make([]error, len(o.sights))
	each(len(o.sights), runtime.GOMAXPROCS(0), func(i int) {
		s := o.sights[i]
		if !drift.Settled(s.subject.Have) {
			return
		}
		s.input = live.Input{Settled: true, Diff: diff.Options{
			Namespace: s.subject.Release.ID.Namespace, ClusterScoped: scoped[o.context], Redact: o.lookout.session.secrets.met.Redact,
		}}
		s.input.Declared, errs[i] = live.Declare(s.subject.Have.Last(), nil, s.input.Diff)
		s.looked, s.subject.Stored = errs[i] == nil, s.input.Stored
	})
	for i, err := range errs {
		if err != nil {
			id := o.sights[i].subject.Release.ID
			o.unseen = append(o.unseen, drift.Unseen{Release: id, Err: fmt.Errorf("reading the stored manifest of %s: %w", id, err)})
		}
	}
	return nil
}

// read makes the one look at the objects of the context.
func (o *outlook) read(ctx context.Context) error {
	var refs []state.Ref
	of := map[state.Ref]spec.ReleaseID{}
	for _, s := range o.sights {
		for _, ref := range s.input.Refs() {
			refs = append(refs, ref)
			of[ref] = s.subject.Release.ID
		}
	}
	slices.SortFunc(refs, state.Ref.Compare)
	sight, err := o.lookout.tools.clusters.Look(ctx, o.context, slices.Compact(refs))
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
			o.unseen = append(o.unseen, drift.Unseen{Release: id, Objects: byRelease[id], Err: err})
		}
	}
	for _, u := range sight.Unseen {
		miss(u.Refs, u.Err)
	}
	for _, ref := range sight.Unserved {
		miss([]state.Ref{ref}, unserved(o.context, ref))
	}
	for _, s := range o.sights {
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
func (o *outlook) learn(ctx context.Context) error {
	var inputs []live.Input
	for _, s := range o.sights {
		if s.looked {
			inputs = append(inputs, s.input)
		}
	}
	published, err := o.lookout.tools.clusters.OpenAPI(ctx, o.context, live.Custom(inputs))
	if err != nil {
		return err
	}
	types := live.TypesOf(openapi.NewCatalog(openapi.Sources{Published: published}))
	for _, s := range o.sights {
		s.input.Types = types
	}
	return nil
}

// confirm asks the server what it would make of what was deployed, for objects
// that differ from it.
func (o *outlook) confirm(ctx context.Context) error {
	type asked struct{ sight, deviation int }
	var all []asked
	var proposals []state.Proposal
	for i, s := range o.sights {
		for j, d := range s.subject.Deviations {
			all = append(all, asked{i, j})
			proposals = append(proposals, s.input.Restoring(d, s.subject.Release.ID))
		}
	}
	answers, err := o.lookout.tools.clusters.DryRun(ctx, o.context, proposals)
	if err != nil {
		return err
	}
	confirmed := make([][]live.Deviation, len(o.sights))
	for i, a := range all {
		s := o.sights[a.sight]
		d := s.subject.Deviations[a.deviation]
		keep := true
		if made := answers[i].Object; made != nil {
			d, keep = s.input.Confirmed(d, s.subject.Release.ID, made)
		} else {
			o.unconfirmed(s.subject.Release.ID, d.Object, answers[i])
		}
		if keep {
			confirmed[a.sight] = append(confirmed[a.sight], d)
		}
	}
	for i, s := range o.sights {
		s.subject.Deviations = confirmed[i]
	}
	return nil
}

// unconfirmed keeps a finding that the server would not answer about.
func (o *outlook) unconfirmed(id spec.ReleaseID, object state.ObjectID, a state.Answer) {
	o.notes = append(o.notes, drift.Note{Release: id, Text: fmt.Sprintf("the server would not take %s as it was deployed: %s", object, o.lookout.session.why(object, a))})
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
