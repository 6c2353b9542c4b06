package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/journal"
)

type historyShowCmd struct {
	historyFlags
	ID string `arg:"" optional:"" name:"run" help:"ID of the run, or how it begins; default: the newest run."`
}

// Run shows one run.
func (c *historyShowCmd) Run(ctx context.Context, s *session) error {
	runs, unread := s.history(ctx, c.historyFlags)
	if runs == nil && unread != nil {
		return unread
	}
	r, err := find(runs, c.ID)
	if err != nil {
		return errors.Join(unread, err)
	}
	if c.Output == formatJSON || c.Output == formatYAML {
		return errors.Join(unread, c.encode(s, r.whole(s.env.Now())))
	}
	return errors.Join(unread, r.print(s))
}

func (r *pastRun) print(s *session) error {
	now := s.env.Now()
	var b strings.Builder
	fmt.Fprintf(&b, "Run %s: %s\n", r.ID, r.ending(now))
	for _, line := range r.facts() {
		if line[1] != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", line[0], line[1])
		}
	}
	if err := view.Text(s.env.Streams.Out, b.String()+"\n"); err != nil {
		return err
	}
	var rows [][]string
	for _, step := range r.Steps {
		rows = append(rows, []string{r.name(step.Release), step.Action, revisions(step), r.stateOf(step, now), clock(step.Started), lasted(step)})
	}
	view.Table(s.env.Streams.Out, []string{"RELEASE", "ACTION", "REVISION", "STATE", "STARTED", "TOOK"}, rows)
	next := r.next(now, s.where())
	if r.fixes() {
		next = s.fixNext(r, now)
	}
	return view.Text(s.env.Streams.Out, r.troubles()+next)
}

// next names the commands that go on with the run, or take it back.
func (r *pastRun) next(now time.Time, where string) string {
	run := r.ID + where
	with := "" // the file of a saved plan
	if r.Plan.File != "" {
		with = " --plan FILE, which is the saved plan that it applied"
	}
	switch outlook := r.Outlook(now); {
	case outlook == journal.OutcomeCutOff && r.Stage == journal.StageCommitting:
		return fmt.Sprintf("\nIt is done but for dropping the history of what it uninstalled. To end that: flotilla resume %s\n", run)
	case outlook == journal.OutcomeCutOff && r.Stage == journal.StageUndoing && !r.undoAsked():
		return fmt.Sprintf("\nTo go on with the undo: flotilla resume %s\nTo put back all that it did: flotilla resume %s --undo\n", run, run)
	case outlook == journal.OutcomeCutOff && !r.undoAsked(), outlook == journal.OutcomeFailed && r.halfway():
		return fmt.Sprintf("\nTo finish it: flotilla resume %s%s\nTo put it back: flotilla resume %s --undo\n", run, with, run)
	case outlook == journal.OutcomeCutOff, outlook == journal.OutcomeUndoIncomplete:
		return fmt.Sprintf("\nTo go on with the undo: flotilla resume %s --undo\n", run)
	case outlook == journal.OutcomeDone && r.Undoes == "":
		return fmt.Sprintf("\nTo undo it, unless something has changed since: flotilla rollback --run %s\n", run)
	default:
		return ""
	}
}

// resumptions tell who went on with the run.
func (r *pastRun) resumptions() string {
	var all []string
	for _, one := range r.Resumed {
		text := "at " + one.At.UTC().Format(time.RFC3339) + " by " + (&pastRun{Run: journal.Run{Who: one.Who, Job: one.Job}}).by()
		if one.Undo {
			text += ", to put it back"
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// facts are what is known of a run beside its steps.
func (r *pastRun) facts() [][2]string {
	onFailure := "rollback " + r.Failure.Rollback
	if r.Failure.KeepGoing {
		onFailure += ", keep going"
	}
	who := strings.TrimPrefix(r.Who.User+"@"+r.Who.Host, "@")
	job, actor := "", ""
	if r.Job != nil {
		job, actor = strings.TrimSpace(r.Job.System+" "+r.Job.URL), r.Job.Actor
	}
	at := ""
	if r.Commit != nil {
		at = r.Commit.ID
		if r.Commit.Modified {
			at += ", with files that are not as committed"
		}
	}
	digest := r.Plan.Digest
	if r.Plan.File != "" {
		digest += ", of the saved plan with the digest " + r.Plan.File
	}
	ended := "finished"
	until := r.Finished
	if r.Finished.IsZero() {
		ended, until = "last sign", r.Updated
	}
	return [][2]string{
		{"command", r.Command},
		{"on failure", onFailure},
		{"selector", strings.Join(r.Selector, " or ")},
		{"owner", r.Owner},
		{"clusters", strings.Join(r.contexts, ", ")},
		{"started", r.Started.UTC().Format(time.RFC3339)},
		{ended, until.UTC().Format(time.RFC3339) + ", after " + took(r.Took())},
		{"by", who},
		{"job", job},
		{"started by", actor},
		{"resumed", r.resumptions()},
		{"undoes", r.Undoes},
		{"commit", at},
		{"plan", digest},
		{"flotilla", r.Flotilla},
	}
}

// name leaves the context out where there is only one.
func (r *pastRun) name(id spec.ReleaseID) string {
	if len(r.contexts) == 1 {
		id.Context = ""
	}
	return id.String()
}

// revisions tells which revision a step started from and which it writes.
func revisions(s journal.Step) string {
	from, to := "-", "-"
	if s.Base > 0 {
		from = fmt.Sprint(s.Base)
	}
	if s.Left != nil && s.Left.Revision > 0 && s.Intended > 0 {
		to = fmt.Sprint(s.Left.Revision)
	} else if s.Intended > 0 {
		to = fmt.Sprint(s.Intended)
	}
	return from + " -> " + to
}

// stateOf is the state of a step, in a run that may be no more.
func (r *pastRun) stateOf(s journal.Step, now time.Time) string {
	if r.Outlook(now) == journal.OutcomeCutOff && (s.State == journal.StateRunning || s.State == journal.StateUndoing) {
		return "cut off while " + string(s.State)
	}
	if s.Because != "" {
		return string(s.State) + ": " + s.Because
	}
	return string(s.State)
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("15:04:05")
}

func lasted(s journal.Step) string {
	if s.Started.IsZero() || s.Finished.IsZero() {
		return ""
	}
	return took(s.Finished.Sub(s.Started))
}

// troubles are the errors, each with all of its lines.
func (r *pastRun) troubles() string {
	var b strings.Builder
	tell := func(title, text string) {
		if text != "" {
			fmt.Fprintf(&b, "\n%s: %s\n", title, strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  "))
		}
	}
	for _, s := range r.Steps {
		tell(r.name(s.Release), s.Error)
		if s.Undo != nil {
			tell(r.name(s.Release)+", undo", s.Undo.Error)
		}
	}
	for _, text := range r.Errors {
		tell("error", text)
	}
	for _, text := range r.NotUndone {
		tell("not put back", text)
	}
	return b.String()
}

// runJSON is a run for programs. Without steps it is a line of the list.
type runJSON struct {
	Run         string                `json:"run"`
	Owner       string                `json:"owner"`
	Clusters    []string              `json:"clusters"`
	Command     string                `json:"command"`
	Mode        string                `json:"mode"`
	Outcome     journal.Outcome       `json:"outcome"`
	Interrupted bool                  `json:"interrupted"`
	Counts      map[journal.State]int `json:"counts"`
	Unchanged   int                   `json:"unchanged"`
	Started     time.Time             `json:"started"`
	Updated     time.Time             `json:"updated"`
	Finished    *time.Time            `json:"finished,omitempty"`
	Seconds     float64               `json:"seconds"`
	Who         journal.Who           `json:"who"`
	Job         *journal.Job          `json:"job,omitempty"`
	Environment string                `json:"environment,omitempty"`
	Selector    []string              `json:"selector,omitempty"`
	Commit      *journal.Commit       `json:"commit,omitempty"`
	Plan        journal.Plan          `json:"plan"`
	Failure     journal.Failure       `json:"failure"`
	Flotilla    string                `json:"flotilla,omitempty"`
	Undoes      string                `json:"undoes,omitempty"`
	Resumed     []journal.Resumption  `json:"resumed,omitempty"`
	Steps       []stepJSON            `json:"steps,omitempty"`
	Errors      []string              `json:"errors,omitempty"`
	NotUndone   []string              `json:"notUndone,omitempty"`
}

type stepJSON struct {
	Context   string        `json:"context"`
	Namespace string        `json:"namespace"`
	Name      string        `json:"name"`
	Action    string        `json:"action"`
	State     journal.State `json:"state"`
	Base      int           `json:"baseRevision,omitempty"`
	Revision  int           `json:"revision,omitempty"` // written, or meant to be
	Started   *time.Time    `json:"started,omitempty"`
	Finished  *time.Time    `json:"finished,omitempty"`
	Because   string        `json:"because,omitempty"`
	Error     string        `json:"error,omitempty"`
	Undo      *journal.Undo `json:"undo,omitempty"`
}

func (r *pastRun) summary(now time.Time) runJSON {
	j := runJSON{
		Run: r.ID, Owner: r.Owner, Clusters: r.contexts, Command: r.Command, Mode: r.Mode, Outcome: r.Outlook(now),
		Interrupted: r.Interrupted, Counts: map[journal.State]int{}, Unchanged: r.Unchanged, Started: r.Started, Updated: r.Updated,
		Finished: present(r.Finished), Seconds: r.Took().Seconds(), Who: r.Who, Job: r.Job, Environment: r.Environment,
		Selector: r.Selector, Commit: r.Commit, Plan: r.Plan, Failure: r.Failure, Flotilla: r.Flotilla, Undoes: r.Undoes, Resumed: r.Resumed,
	}
	for _, s := range states() {
		if n := r.Count(s); n > 0 {
			j.Counts[s] = n
		}
	}
	return j
}

func (r *pastRun) whole(now time.Time) runJSON {
	j := r.summary(now)
	j.Errors, j.NotUndone = r.Errors, r.NotUndone
	for _, s := range r.Steps {
		one := stepJSON{
			Context: s.Release.Context, Namespace: s.Release.Namespace, Name: s.Release.Name, Action: s.Action, State: s.State,
			Base: s.Base, Revision: s.Intended, Started: present(s.Started), Finished: present(s.Finished),
			Because: s.Because, Error: s.Error, Undo: s.Undo,
		}
		if s.Left != nil && s.Left.Revision > 0 {
			one.Revision = s.Left.Revision
		}
		j.Steps = append(j.Steps, one)
	}
	return j
}

func present(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
