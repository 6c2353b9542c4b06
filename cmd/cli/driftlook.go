package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
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
			more.Objects += s.objects
		}
		in.Owned = append(in.Owned, o.owned...)
		more.Unseen = append(more.Unseen, o.unseen...)
		more.Notes = append(more.Notes, o.notes...)
	}
	doubtful, err := l.declaredElsewhere(ctx, &in)
	if err != nil {
		return drift.Report{}, err
	}
	more.Notes = append(more.Notes, doubtful...)
	in.Partly = in.Partly || len(more.Unseen) > 0
	report := drift.Find(in)
	report.Objects, report.Unseen = more.Objects, more.Unseen
	report.Notes = append(report.Notes, more.Notes...)
	return report, nil
}

// declaredElsewhere takes out of what is owned and not declared what is declared in
// another context that leads to the same cluster, and what was written through
// other state files, as prune does.
func (l *lookout) declaredElsewhere(ctx context.Context, in *drift.Input) ([]drift.Note, error) {
	var gone []state.Release
	var strange []string
	for _, r := range in.Owned {
		switch {
		case in.Declared[r.ID]:
		case r.Last().Labels[state.SourceLabel] != state.OwnerValue(l.all.Source()):
			strange = append(strange, r.ID.String())
		default:
			gone = append(gone, r)
		}
	}
	if err := l.all.Unseen(); err != nil && len(gone) > 0 {
		in.Owned = nil
		return []drift.Note{{Text: fmt.Sprintf("releases that are not declared any more were not counted: %v", err)}}, nil
	}
	kept, doubtful, err := l.tools.clusterIDs().nowhere(ctx, l.all.Releases, gone)
	if err != nil {
		return nil, err
	}
	in.Owned = kept
	var notes []drift.Note
	if len(strange) > 0 {
		notes = append(notes, drift.Note{Text: fmt.Sprintf("not counted as undeclared: %s: of the same owner, but written through another state file or folder than %s",
			strings.Join(strange, ", "), l.all.Source())})
	}
	for _, text := range doubtful {
		notes = append(notes, drift.Note{Text: "not counted as undeclared: " + text + ": both contexts may lead to one cluster"})
	}
	return notes, nil
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
	options diff.Options // of comparing
}

// driftSight is one release that is looked at.
type driftSight struct {
	subject drift.Subject
	input   live.Input
	looked  bool // its objects can be compared
	unready []notReady
	objects int
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
