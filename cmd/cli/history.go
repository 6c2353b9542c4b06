package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/journal"
)

type historyCmd struct {
	List historyListCmd `cmd:"" default:"withargs" help:"List the recorded runs, newest first."`
	Show historyShowCmd `cmd:"" help:"Tell what one run did: every step with its outcome and error, who started it, from where."`
}

// historyFlags say which runs are looked at, and how they are printed.
type historyFlags struct {
	Output    string `short:"o" enum:"table,text,json,yaml" default:"table" help:"Output format: table (also text), json, yaml."`
	AllOwners bool   `help:"Runs of every owner in these clusters, not only of the state file's."`
}

type historyListCmd struct {
	historyFlags
}

// Run lists the runs that are recorded in the clusters of the state file.
func (c *historyListCmd) Run(ctx context.Context, s *session) error {
	runs, err := s.history(ctx, c.historyFlags)
	if runs == nil && err != nil {
		return err
	}
	return errors.Join(err, c.print(s, runs))
}

func (c *historyListCmd) print(s *session, runs []pastRun) error {
	if c.Output == formatJSON || c.Output == formatYAML {
		all := make([]runJSON, 0, len(runs))
		for _, r := range runs {
			all = append(all, r.summary(s.env.Now()))
		}
		return c.encode(s, all)
	}
	if len(runs) == 0 {
		return s.tell("No run is recorded. Runs that write to a cluster are; see --journal of apply.")
	}
	header := []string{"RUN", "STARTED", "WHO", "COMMAND", "OUTCOME", "RELEASES", "TOOK", "COMMIT"}
	if c.AllOwners {
		header = append(header, "OWNER")
	}
	var rows [][]string
	for _, r := range runs {
		row := []string{r.ID, r.Started.UTC().Format(time.RFC3339), r.by(), r.Command, r.ending(s.env.Now()), r.counted(), took(r.Took()), r.at()}
		if c.AllOwners {
			row = append(row, r.Owner)
		}
		rows = append(rows, row)
	}
	view.Table(s.env.Streams.Out, header, rows)
	return nil
}

func (f historyFlags) encode(s *session, value any) error {
	if f.Output == formatJSON {
		return view.JSON(s.env.Streams.Out, value)
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	return view.Text(s.env.Streams.Out, string(text))
}

// pastRun is a run put together from its records in all clusters.
type pastRun struct {
	journal.Run
	contexts []string
}

// history reads the records of all clusters that the state file's releases are
// in. What cannot be read is an error beside what can.
func (s *session) history(ctx context.Context, flags historyFlags) ([]pastRun, error) {
	owner, contexts, err := s.everywhere(ctx)
	if err != nil {
		return nil, err
	}
	targets, err := s.journals(contexts, owner)
	if err != nil {
		return nil, err
	}
	id := owner.ID
	if flags.AllOwners {
		id = ""
	}
	found := make([][]*journal.Run, len(targets))
	errs := make([]error, len(targets))
	each(len(targets), len(targets), func(i int) { found[i], errs[i] = targets[i].Store.List(ctx, id) })
	called(contexts, found)
	err = interrupted(ctx, errors.Join(errs...))
	if err != nil && !slices.ContainsFunc(errs, func(err error) bool { return err == nil || errors.Is(err, journal.ErrDamaged) }) {
		return nil, fmt.Errorf("reading the records of runs: %w", err)
	}
	return merged(slices.Concat(found...)), err
}

// called names the clusters of records as they are called here, which may not be as
// the runs named them. Where two contexts lead to one cluster, both of them list
// the records of both: each keeps its own name then.
func called(contexts []string, found [][]*journal.Run) {
	type copyOf struct{ run, context string }
	own := map[copyOf]bool{}
	for i, records := range found {
		for _, r := range records {
			if r.Context == contexts[i] {
				own[copyOf{r.ID, r.Context}] = true
			}
		}
	}
	for i, records := range found {
		for _, r := range records {
			if !own[copyOf{r.ID, r.Context}] {
				r.Context = contexts[i]
			}
		}
	}
}

// merged puts the records of each run together, newest run first. What a cluster
// says of its own releases counts; of the rest, the record that was written last.
func merged(records []*journal.Run) []pastRun {
	byID := map[string][]*journal.Run{}
	for _, r := range records {
		byID[r.ID] = append(byID[r.ID], r)
	}
	all := make([]pastRun, 0, len(byID))
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(byID))) {
		copies := byID[id]
		slices.SortStableFunc(copies, func(a, b *journal.Run) int { return b.Updated.Compare(a.Updated) })
		run := pastRun{Run: *copies[0]}
		run.Steps = slices.Clone(run.Steps)
		for _, one := range copies {
			run.contexts = append(run.contexts, one.Context)
			for i := range min(len(run.Steps), len(one.Steps)) {
				if run.Steps[i].Release.Context == one.Context {
					run.Steps[i] = one.Steps[i]
				}
			}
		}
		run.contexts = sortedOnce(run.contexts)
		all = append(all, run)
	}
	return all
}

// by names who started the run.
func (r *pastRun) by() string {
	who := r.Who.User
	if r.Who.Host != "" {
		who = strings.TrimPrefix(who+"@"+r.Who.Host, "@")
	}
	switch {
	case r.Job != nil && r.Job.Actor != "":
		return r.Job.Actor + " (" + r.Job.System + ")"
	case r.Job != nil:
		return r.Job.System
	default:
		return who
	}
}

// ending is the outcome in words.
func (r *pastRun) ending(now time.Time) string {
	outcome := string(r.Outlook(now))
	if r.Interrupted {
		return "interrupted, " + outcome
	}
	return outcome
}

// states are all states, in the order in which they are counted.
func states() []journal.State {
	return []journal.State{
		journal.StateDone, journal.StateRunning, journal.StateFailed, journal.StateCancelled, journal.StateUndone,
		journal.StateUndoing, journal.StateUndoFailed, journal.StateSkipped, journal.StatePending,
	}
}

func (r *pastRun) counted() string {
	var parts []string
	for _, s := range states() {
		if n := r.Count(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

// at is the commit of the state files, in brief.
func (r *pastRun) at() string {
	if r.Commit == nil {
		return ""
	}
	id := r.Commit.ID[:min(len(r.Commit.ID), 10)]
	if r.Commit.Modified {
		return id + " (modified)"
	}
	return id
}

func took(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// find gives the run of that ID, or of the only one that begins so; empty: the
// newest.
func find(runs []pastRun, id string) (*pastRun, error) {
	var found []*pastRun
	for i := range runs {
		if strings.HasPrefix(runs[i].ID, id) {
			found = append(found, &runs[i])
		}
	}
	switch {
	case len(found) == 0 && id == "":
		return nil, fmt.Errorf("%w: no run is recorded", spec.ErrNothingMatched)
	case len(found) == 0:
		return nil, fmt.Errorf("%w: no run %s is recorded; flotilla history lists those that are", errUsage, id)
	case len(found) > 1 && id != "":
		return nil, fmt.Errorf("%w: %d runs begin with %s, such as %s and %s", errUsage, len(found), id, found[0].ID, found[1].ID)
	default:
		return found[0], nil
	}
}
