package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// pruneFlags say what becomes of releases that are not declared any more.
type pruneFlags struct {
	Prune          bool   `help:"Uninstall releases of these state files and this environment that are no longer declared, after everything else, within --deletion-budget and the selector; --prune=false leaves them alone whatever the state file says."`
	DeletionBudget string `placeholder:"N|N%" help:"How many releases --prune may uninstall, as a number or a part of all; default: what the state file says, else 1 or 10%, whichever is more."`
	AllowDataLoss  bool   `help:"Let --prune uninstall releases with volume claims, namespaces or definitions of resources, whose data goes with them."`
}

// errRefused: what was asked for is more than the safeguards let pass.
var errRefused = errors.New("refused, and nothing was written")

// pruning is what a run does about releases that are not declared any more.
type pruning struct {
	owner         spec.Owner
	budget        spec.Budget
	allowDataLoss bool
	owned         int // releases of the owner, where the selected ones are
}

// pruning reads flags and state files. It is nil where nothing is to be pruned.
func (s *session) pruning(f *fleet, flags pruneFlags) (*pruning, error) {
	from, err := f.spec.Pruning()
	if err != nil {
		return nil, err
	}
	if s.given["prune"] {
		from.On = flags.Prune
	}
	if flags.DeletionBudget != "" {
		if from.Budget, err = spec.ParseBudget(flags.DeletionBudget); err != nil {
			return nil, fmt.Errorf("%w: --deletion-budget: %w", errUsage, err)
		}
	}
	if !from.On {
		return nil, nil
	}
	if err := f.spec.Unseen(); err != nil {
		return nil, fmt.Errorf("pruning: %w: %w; what is declared there would be taken for undeclared", errRefused, err)
	}
	if len(f.spec.Releases) == 0 {
		return nil, fmt.Errorf("pruning: %w: the state files declare no release at all, so that everything would go; flotilla destroy uninstalls everything", errRefused)
	}
	owner, err := f.spec.Owner()
	return &pruning{owner: owner, budget: from.Budget, allowDataLoss: flags.AllowDataLoss}, err
}

// undeclared reads the releases of the owner that are not declared any more, of the
// clusters that the selected releases are in.
func (t *tools) undeclared(ctx context.Context, f *fleet) ([]state.Release, error) {
	p := f.prune
	if p == nil {
		return nil, nil
	}
	selector, err := spec.ParseSelector(t.session.globals.Selector)
	if err != nil {
		return nil, err
	}
	declared, namespaces := map[spec.ReleaseID]bool{}, map[string][]string{}
	for _, r := range f.spec.Releases {
		declared[r.ID] = true
		namespaces[r.ID.Context] = append(namespaces[r.ID.Context], r.ID.Namespace)
	}
	source := state.OwnerValue(f.spec.Source())
	var all, gone []state.Release
	var strange []string
	for _, name := range contextsIn(f.releases) {
		owned, _, err := t.clusters.Owned(ctx, name, p.owner.ID, sortedOnce(namespaces[name]))
		if err != nil {
			return nil, interrupted(ctx, err)
		}
		all = append(all, owned...)
		for _, r := range owned {
			switch {
			case declared[r.ID] || !selector.Matches(labelsOf(r)):
			case r.Last().Labels[state.SourceLabel] != source:
				strange = append(strange, r.ID.String())
			default:
				gone = append(gone, r)
			}
		}
	}
	if len(strange) > 0 {
		t.session.view.Warn(fmt.Sprintf("not pruned: %s: no longer declared, and of the same owner, but written through another state file or folder than %s",
			strings.Join(strange, ", "), f.spec.Source()))
	}
	known := t.clusterIDs()
	if all, err = known.distinct(ctx, all); err != nil {
		return nil, err
	}
	p.owned = len(all)
	gone, doubtful, err := known.nowhere(ctx, f.spec.Releases, gone)
	if err != nil {
		return nil, err
	}
	if len(doubtful) > 0 {
		t.session.view.Warn(fmt.Sprintf("not pruned: %s: both contexts may lead to one cluster", strings.Join(doubtful, ", ")))
	}
	if gone, err = t.still(ctx, gone, state.OwnerValue(p.owner.ID)); err != nil {
		return nil, err
	}
	return gone, certain(f, gone)
}

// certain refuses to prune what state files that were left out may declare: all that
// is not known to have been declared by a file that was loaded, and what has a name
// that they may have.
func certain(f *fleet, gone []state.Release) error {
	skipped := f.spec.Skipped()
	if skipped == nil || len(gone) == 0 {
		return nil
	}
	loaded := map[string]bool{}
	for i := range f.spec.Files {
		loaded[state.OwnerValue(f.spec.SourceOf(i))] = true
	}
	var names []string
	for _, r := range gone {
		if !loaded[r.Last().Labels[state.FileLabel]] || f.spec.MayDeclare(r.ID.Name) {
			names = append(names, r.ID.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("pruning %s: %w: %w; if that is meant, uninstall what is to go by hand, or go on with --prune=false", strings.Join(names, ", "), errRefused, skipped)
}

// still reads releases whole, and keeps those whose newest revision is the owner's:
// somebody else may have made one by that name since.
func (t *tools) still(ctx context.Context, releases []state.Release, owner string) ([]state.Release, error) {
	var ids []spec.ReleaseID
	for _, r := range releases {
		ids = append(ids, r.ID)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	have, err := t.clusters.Read(ctx, ids)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	var kept []state.Release
	for _, id := range ids {
		r := have[id]
		if last := r.Last(); last != nil && r.Phase != state.PhaseUninstalled && last.Labels[state.OwnerLabel] == owner {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// observeAll reads the cluster once for all releases, and for those that are not
// declared any more where they are to be pruned.
func (t *tools) observeAll(ctx context.Context, f *fleet) (have state.Snapshot, gone []state.Release, err error) {
	if have, err = t.observe(ctx, f); err != nil {
		return nil, nil, interrupted(ctx, err)
	}
	gone, err = t.undeclared(ctx, f)
	for _, r := range gone {
		have[r.ID] = r
	}
	return have, gone, err
}

// contextsIn are the contexts of releases, sorted.
func contextsIn(releases []spec.Release) []string {
	var all []string
	for _, r := range releases {
		all = append(all, r.ID.Context)
	}
	return sortedOnce(all)
}

// judge refuses a plan that prunes more than it may. All that is against it is
// told.
func (p *pruning) judge(made *plan.Plan) error {
	if p == nil {
		return nil
	}
	pruned := made.Pruned()
	var names []string
	var errs []error
	for _, s := range pruned {
		id := s.Release.ID
		names = append(names, id.String())
		objects, unread := s.Holds()
		switch {
		case p.allowDataLoss:
		case unread:
			errs = append(errs, fmt.Errorf("pruning %s: %w: what it has cannot be read, so nobody knows which data goes with it; --allow-data-loss uninstalls it all the same", id, errRefused))
		case len(objects) > 0:
			errs = append(errs, fmt.Errorf("pruning %s: %w: data may go with %s; --allow-data-loss uninstalls it all the same", id, errRefused, objectNames(objects)))
		}
	}
	if most := p.budget.Of(p.owned); len(pruned) > most {
		slices.Sort(names)
		errs = append(errs, fmt.Errorf("pruning %s: %w: these are %d of the %d releases of this owner, and the deletion budget (%s) is %d; --deletion-budget %d lets them go, when that is meant",
			strings.Join(names, ", "), errRefused, len(pruned), p.owned, p.budget, most, len(pruned)))
	}
	return errors.Join(errs...)
}

func objectNames(objects []state.ObjectID) string {
	var names []string
	for _, o := range objects {
		names = append(names, o.String())
	}
	return strings.Join(names, ", ")
}

// marked gives the fleet with the labels on the records of its releases that tell
// whose they are, and what they need.
func marked(f *fleet) (*fleet, error) {
	owner, err := f.spec.Owner()
	if err != nil || owner.ID == "" {
		return f, err
	}
	out := *f
	out.releases = slices.Clone(f.releases)
	files := map[int]string{}
	for i := range out.releases {
		r := &out.releases[i]
		if _, known := files[r.File]; !known {
			files[r.File] = f.spec.SourceOf(r.File)
		}
		labels := map[string]string{}
		maps.Copy(labels, r.Options.RecordLabels)
		labels[state.OwnerLabel], labels[state.SourceLabel] = state.OwnerValue(owner.ID), state.OwnerValue(f.spec.Source())
		if file := files[r.File]; file != "" {
			labels[state.FileLabel] = state.OwnerValue(file)
		}
		if needs := state.NeedsValue(r.Needs); needs != "" {
			labels[state.NeedsLabel] = needs
		}
		r.Options.RecordLabels = labels
	}
	return &out, nil
}
