package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/journal"
)

// knownRun is a recorded run of these state files, with what its clusters hold.
type knownRun struct {
	pastRun
	owner spec.Owner
	newer []*journal.Run // of the same owner

	sight journal.Sight
	steps []journal.Recovered // as Steps
}

// locateRun finds a run of the owner of the state files: by its ID, or how that
// begins, or else the newest that suits. The state files are those of the
// environment that the run is of, unless the command line names another one.
func (s *session) locateRun(ctx context.Context, id string, suits func(*pastRun) bool) (*knownRun, error) {
	owner, contexts, err := s.everywhere(ctx)
	if err != nil {
		return nil, err
	}
	k, other, err := s.locateIn(ctx, runsOf{owner, contexts}, id, suits)
	switch {
	case err != nil || k != nil:
		return k, err
	case other.Environment == s.globals.Environment, s.given["environment"], other.Environment == "":
		return nil, fmt.Errorf("%w: run %s is of the owner %s, and these state files, as they are loaded here, are of %s", errUsage, other.ID, other.Owner, owner.ID)
	}
	s.globals.Environment = other.Environment
	return s.locateRun(ctx, other.ID, suits)
}

// runsOf says whose runs are looked for, and where.
type runsOf struct {
	owner    spec.Owner
	contexts []string
}

// locateIn finds a run of an owner, or, when its ID says so, one of another owner.
func (s *session) locateIn(ctx context.Context, in runsOf, id string, suits func(*pastRun) bool) (k *knownRun, other *pastRun, err error) {
	runs, err := s.runsIn(ctx, in.contexts, in.owner)
	if runs == nil && err != nil {
		return nil, nil, err
	}
	own := slices.DeleteFunc(slices.Clone(runs), func(r pastRun) bool { return r.Owner != in.owner.ID })
	if id == "" {
		k, err = s.newest(own, in.owner, suits, unread(err, runs))
		return k, nil, err
	}
	r, ferr := find(runs, id)
	switch {
	case ferr != nil:
		return nil, nil, hidden(unread(err, runs), func(d *journal.Damaged) bool { return strings.HasPrefix(d.Run, id) }, ferr)
	case r.Owner != in.owner.ID:
		return nil, r, nil
	default:
		return s.known(own, slices.IndexFunc(own, func(o pastRun) bool { return o.ID == r.ID }), in.owner), nil, nil
	}
}

// newest gives the newest run that suits. One that cannot be read might be it.
func (s *session) newest(own []pastRun, owner spec.Owner, suits func(*pastRun) bool, lost []error) (*knownRun, error) {
	at := -1
	for i := range own {
		if at < 0 && suits(&own[i]) && !s.known(own, i, owner).superseded() {
			at = i
		}
	}
	none := fmt.Errorf("%w: no run of %s was cut off or ended halfway (owner: %s); flotilla history lists all runs", errUsage, s.what(), owner.ID)
	err := hidden(lost, func(d *journal.Damaged) bool {
		return d.Owner == state.OwnerValue(owner.ID) && (at < 0 || d.Run > own[at].ID)
	}, none)
	switch {
	case at < 0:
		return nil, err
	case err != none:
		return nil, errors.Join(fmt.Errorf("run %s, of %s, may not be the one that is meant, for not every record can be read: to go on with it, name it",
			own[at].ID, own[at].Started.UTC().Format(time.RFC3339)), err)
	default:
		return s.known(own, at, owner), nil
	}
}

// what is what runs are looked for of.
func (s *session) what() string {
	if s.planPath != "" {
		return "the plan " + s.planPath
	}
	return "these state files"
}

// unread are the records that could not be read, in no cluster where they are.
func unread(err error, runs []pastRun) []error {
	return slices.DeleteFunc(view.Flatten(err), func(err error) bool {
		var d *journal.Damaged
		return errors.As(err, &d) && slices.ContainsFunc(runs, func(r pastRun) bool { return r.ID == d.Run })
	})
}

// hidden is err, unless what it says may only be so because records could not be
// read that may be meant: then that is the error.
func hidden(lost []error, meant func(*journal.Damaged) bool, err error) error {
	var all []error
	for _, one := range lost {
		var d *journal.Damaged
		switch {
		case !errors.As(one, &d):
			all = append(all, one)
		case meant(d):
			all = append(all, fmt.Errorf("%w; nobody knows any more what run %s did: flotilla apply --force-pending takes over what it left pending, and kubectl delete secret %s --namespace %s --context %s drops the record",
				one, d.Run, d.Secret, d.Namespace, d.Context))
		}
	}
	if len(all) == 0 {
		return err
	}
	return errors.Join(all...)
}

func (s *session) known(own []pastRun, at int, owner spec.Owner) *knownRun {
	k := &knownRun{pastRun: own[at], owner: owner}
	for i := range own[:at] {
		k.newer = append(k.newer, &own[i].Run)
	}
	return k
}

// runsIn reads the records of all owners in clusters.
func (s *session) runsIn(ctx context.Context, contexts []string, owner spec.Owner) ([]pastRun, error) {
	targets, err := s.journals(contexts, owner)
	if err != nil {
		return nil, err
	}
	found := make([][]*journal.Run, len(targets))
	errs := make([]error, len(targets))
	each(len(targets), len(targets), func(i int) { found[i], errs[i] = targets[i].Store.List(ctx, "") })
	err = interrupted(ctx, errors.Join(errs...))
	if err != nil && !slices.ContainsFunc(errs, func(err error) bool { return err == nil || errors.Is(err, journal.ErrDamaged) }) {
		return nil, fmt.Errorf("reading the records of runs: %w", err)
	}
	return merged(slices.Concat(found...)), err
}

// clusters are the contexts of a run's steps.
func (k *knownRun) clusters() []string {
	names := map[string]bool{}
	for _, step := range k.Steps {
		names[step.Release.Context] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// lookAgain reads the record of a run once more, now that nobody else may write it.
func (s *session) lookAgain(ctx context.Context, k *knownRun) (*knownRun, error) {
	if len(k.Steps) == 0 {
		return nil, fmt.Errorf("%w: run %s has no steps", journal.ErrDamaged, k.ID)
	}
	runs, err := s.runsIn(ctx, k.clusters(), k.owner)
	if runs == nil && err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(runs, func(r pastRun) bool { return r.Owner != k.Owner })
	at := slices.IndexFunc(own, func(r pastRun) bool { return r.ID == k.ID })
	if at < 0 {
		return nil, errors.Join(err, fmt.Errorf("the record of run %s is gone", k.ID))
	}
	return s.known(own, at, k.owner), nil
}

// survey looks at what the clusters hold of the releases of a run, and finds out
// how far each of its steps came.
func (s *session) survey(ctx context.Context, k *knownRun) error {
	k.sight = journal.Sight{Have: state.Snapshot{}, Namespaces: map[spec.ReleaseID]string{}, Newer: k.newer}
	found := make([]state.Release, len(k.Steps))
	marks := make([]string, len(k.Steps))
	errs := make([]error, len(k.Steps))
	each(len(k.Steps), 16, func(i int) {
		found[i], marks[i], errs[i] = s.look(ctx, k.ID, k.Steps[i])
	})
	if err := errors.Join(errs...); err != nil {
		return interrupted(ctx, err)
	}
	for i, step := range k.Steps {
		if len(found[i].History) > 0 {
			k.sight.Have[step.Release] = found[i]
		}
		k.sight.Namespaces[step.Release] = marks[i]
	}
	k.steps = k.Recover(k.sight)
	return nil
}

func (s *session) look(ctx context.Context, run string, step journal.Step) (found state.Release, mark string, err error) {
	history, err := s.clusters().History(ctx, step.Release)
	if err != nil {
		return found, "", err
	}
	found = state.Release{ID: step.Release, Phase: state.PhaseAbsent, History: history}
	if last := found.Last(); last != nil {
		found.Phase = state.PhaseOf(last.Status)
	}
	if !step.MakesNamespace || step.Left != nil && step.Left.Namespace != "" || step.State == journal.StatePending {
		return found, "", nil
	}
	c, err := s.clusters().Get(step.Release.Context)
	if err != nil {
		return found, "", err
	}
	mark, err = c.Marked(ctx, step.Release.Namespace, state.RunAnnotation, run)
	return found, mark, err
}

// halfway reports whether there is something to go on with: a run that was cut
// off, whose undo is incomplete, or that failed and was not put back.
func (r *pastRun) halfway() bool {
	switch r.Outcome {
	case journal.OutcomeRunning, journal.OutcomeCutOff, journal.OutcomeUndoIncomplete:
		return true
	case journal.OutcomeFailed:
		return r.Count(journal.StateFailed)+r.Count(journal.StateCancelled)+r.Count(journal.StateSkipped)+
			r.Count(journal.StatePending)+r.Count(journal.StateUndone) > 0
	case journal.OutcomeDone, journal.OutcomeUndone:
		return false
	default:
		return false
	}
}

// superseded reports whether later runs of the owner have worked on what the run
// left halfway, or, if it left nothing so, on any of its releases: then nobody
// means it who names no run.
func (k *knownRun) superseded() bool {
	halfway := slices.DeleteFunc(slices.Clone(k.Steps), func(s journal.Step) bool {
		return !s.Begun() || s.State == journal.StateDone || s.State == journal.StateUndone
	})
	if len(halfway) == 0 {
		halfway = k.Steps
	}
	return slices.ContainsFunc(k.newer, func(other *journal.Run) bool {
		return slices.ContainsFunc(other.Steps, func(s journal.Step) bool {
			return !s.Started.IsZero() && slices.ContainsFunc(halfway, func(own journal.Step) bool { return own.Release == s.Release })
		})
	})
}

// title names the run for people.
func (r *pastRun) title() string {
	text := fmt.Sprintf("Run %s, %s by %s of %s", r.ID, r.Command, r.by(), r.Started.UTC().Format(time.RFC3339))
	return strings.TrimSpace(text)
}
