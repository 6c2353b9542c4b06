package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/journal"
)

// journalFlags say whether a run is recorded in the clusters that it writes to.
type journalFlags struct {
	Journal string `enum:"auto,required,off" default:"auto" env:"FLOTILLA_JOURNAL" help:"Record the run in the clusters that it writes to: auto (where it cannot be written, warn and go on), required (or else write nothing), off."`
}

const (
	journalRequired = "required"
	journalOff      = "off"
)

// maxErrorText bounds the text of an error in a record.
const maxErrorText = 4 << 10

// recording writes down what the executor does. Without a log it does nothing.
type recording struct {
	log   *journal.Log
	asked journal.Outcome // of an undo that was asked for and put everything back
	met   *spec.Redactor
	tasks sync.WaitGroup
}

var _ executor.Recorder = (*recording)(nil)

// record starts the record of a run that is going to write. Where it cannot be
// written a warning says so, unless the user wants no run without one.
func (s *session) record(ctx context.Context, p *plan.Plan, q changeRequest) (*recording, error) {
	run, err := s.runOf(p, q)
	if err != nil {
		return nil, err
	}
	return s.recordWith(ctx, contextsOf(p), q, func(targets []journal.Target, opts journal.Options) (*journal.Log, error) {
		return journal.Start(ctx, run, targets, opts)
	})
}

// recordWith starts a record in clusters, or goes on with one.
func (s *session) recordWith(ctx context.Context, contexts []string, q changeRequest, start func([]journal.Target, journal.Options) (*journal.Log, error)) (*recording, error) {
	r := &recording{met: &s.secrets.met, asked: journal.OutcomeUndone}
	if q.run.Journal == journalOff {
		return r, nil
	}
	targets, err := s.journals(contexts, q.owner)
	if err != nil {
		return nil, err
	}
	required := q.run.Journal == journalRequired
	var begun atomic.Bool
	r.log, err = start(targets, journal.Options{
		Required: required, Keep: q.owner.History, Now: s.env.Now,
		Lost: func(context string, err error) {
			if !required {
				s.view.Warn(lostRecord(err, begun.Load()))
			}
		},
	})
	if err != nil {
		return nil, interrupted(ctx, fmt.Errorf("recording the run, as --journal=required wants it; nothing was written: %w", err))
	}
	begun.Store(true)
	if !s.globals.NoExec && q.dir != "" {
		r.tasks.Go(func() {
			if commit := commitOf(ctx, q.dir); commit != nil {
				r.log.Amend(func(run *journal.Run) { run.Commit = commit })
			}
		})
	}
	return r, nil
}

func lostRecord(err error, begun bool) string {
	const advice = " (--journal=off: this is fine; --journal=required: do not go on without a record)"
	switch {
	case errors.Is(err, journal.ErrTaken):
		return "no further release is started: " + err.Error()
	case begun:
		return "this run is not recorded any further, so flotilla history will tell of it as cut off: " + err.Error() + advice
	default:
		return "this run is not recorded, so flotilla history will not tell of it: " + err.Error() + advice
	}
}

// journals are the records of clusters.
func (s *session) journals(contexts []string, owner spec.Owner) ([]journal.Target, error) {
	if owner.Namespace == "" {
		owner.Namespace = spec.DefaultStateNamespace
	}
	var targets []journal.Target
	for _, name := range contexts {
		c, err := s.clusters().Get(name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, journal.Target{Context: name, Store: journal.NewStore(c, owner.Namespace)})
	}
	return targets, nil
}

// contextsOf are the contexts that a plan writes to.
func contextsOf(p *plan.Plan) []string {
	names := map[string]bool{}
	for _, id := range writing(p) {
		names[id.Context] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// runOf is the record of a run before its first step.
func (s *session) runOf(p *plan.Plan, q changeRequest) (journal.Run, error) {
	digest, err := p.Digest()
	if err != nil {
		return journal.Run{}, err
	}
	now := s.env.Now().UTC()
	run := journal.Run{
		ID: s.runID(), Owner: q.owner.ID, Writer: writer, Command: strings.Fields(s.command)[0], Mode: string(p.Mode), Flotilla: s.env.Version.Flotilla,
		Unlocked: !q.lock.Held(), Who: who(), Job: journal.JobOf(s.env.Lookup), Started: now,
		Environment: s.globals.Environment, Selector: s.globals.Selector,
		Plan:      journal.Plan{Digest: digest, File: s.planFile},
		Failure:   journal.Failure{Rollback: string(q.run.Rollback), KeepGoing: q.run.KeepGoing},
		Unchanged: p.Count(plan.ActionNone),
	}
	if q.made != nil { // the plan has decided on them
		run.Environment, run.Selector = madeFor(q.made)
	}
	if run.Job != nil && run.Job.Commit != "" {
		run.Commit = &journal.Commit{ID: run.Job.Commit}
	}
	run.Steps, run.Edges, err = stepsOf(p)
	return run, err
}

// runID names the run, in its record as in the lock.
func (s *session) runID() string {
	if s.run == "" {
		s.run = journal.NewID(s.env.Now())
	}
	return s.run
}

// writer is how Helm's records name this program; see session.clustersOnce.
const writer = "flotilla"

// madeFor tells the environment and selector that a saved plan was made with.
func madeFor(m *plan.Made) (environment string, selector []string) {
	environment = "default"
	for _, flag := range m.Flags {
		switch flag.Name {
		case "environment":
			environment = flag.Values[0]
		case "selector":
			selector = flag.Values
		}
	}
	return environment, selector
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func who() journal.Who {
	var w journal.Who
	if u, err := user.Current(); err == nil {
		w.User = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		w.Host = host
	}
	return w
}

// Begin writes down that a step runs, and returns when that is stored.
func (r *recording) Begin(ctx context.Context, e executor.Event) error {
	if r.log == nil {
		return nil
	}
	return r.log.Commit(ctx, e.Step.Release.ID, func(s *journal.Step) {
		if e.Undo {
			s.State, s.Undo = journal.StateUndoing, &journal.Undo{Started: e.Time.UTC()}
			return
		}
		s.State, s.Started = journal.StateRunning, e.Time.UTC()
	})
}

// End writes down how a step ended.
func (r *recording) End(e executor.Event) {
	if r.log == nil {
		return
	}
	r.log.Note(e.Step.Release.ID, func(s *journal.Step) {
		if e.Undo {
			undo := journal.Undo{Finished: e.Time.UTC(), Error: r.text(e.Err)}
			if s.Undo != nil {
				undo.Started = s.Undo.Started
			}
			s.State, s.Undo = undoState(e.Outcome), &undo
			return
		}
		s.State, s.Finished, s.Error, s.Left = stateOf(e.Outcome), e.Time.UTC(), r.text(e.Err), &e.Left
		s.OfGroup = errors.As(e.Err, new(*executor.GroupError))
		if s.Attempts = 0; e.Attempts > 1 {
			s.Attempts = e.Attempts
		}
	})
}

// Undoing writes down how far the run is undone, and returns when that is stored.
func (r *recording) Undoing(ctx context.Context, how executor.Verdict) error {
	return r.enter(ctx, journal.StageUndoing, func(run *journal.Run) {
		v := &journal.Verdict{Tolerated: how.Tolerated}
		for i := range run.Steps {
			if slices.Contains(how.Undo, run.Steps[i].Release) {
				v.Undo = append(v.Undo, i)
			}
			for _, l := range how.Lost {
				if l.Release == run.Steps[i].Release {
					v.Lost = append(v.Lost, journal.Lost{Step: i, Object: l.Object, Why: r.met.Redact(l.Why)})
				}
			}
		}
		run.Verdict = v
	})
}

// Committing writes down that the run is decided, and returns when that is stored.
func (r *recording) Committing(ctx context.Context) error {
	return r.enter(ctx, journal.StageCommitting, func(*journal.Run) {})
}

func (r *recording) enter(ctx context.Context, stage journal.Stage, change func(*journal.Run)) error {
	if r.log == nil {
		return nil
	}
	return r.log.Settle(ctx, func(run *journal.Run) {
		run.Stage = stage
		change(run)
	})
}

// text is that of an error, without secrets and not without end.
func (r *recording) text(err error) string {
	if err == nil {
		return ""
	}
	text := r.met.Redact(err.Error())
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + " ..."
	}
	return text
}

func (r *recording) texts(errs []error) []string {
	var all []string
	for _, err := range errs {
		all = append(all, r.text(err))
	}
	return all
}

// finish writes the end of the run. It is no reason for a run to fail.
func (r *recording) finish(ctx context.Context, s *session, report executor.Report) {
	if r.log == nil {
		return
	}
	ctx, cancel := executor.UntilAbort(ctx, s.env.Abort)
	defer cancel()
	r.tasks.Wait()
	for _, x := range report.Results {
		if x.Outcome != executor.OutcomeUnchanged {
			r.log.Note(x.Step.Release.ID, func(step *journal.Step) { r.settle(step, x) })
		}
	}
	err := r.log.Finish(ctx, func(run *journal.Run) {
		run.Finished, run.Interrupted, run.Outcome = report.Finished.UTC(), report.Interrupted, outcomeOf(report)
		if report.UndoAsked && run.Outcome == journal.OutcomeDone {
			run.Outcome = r.asked
		}
		run.Errors = r.texts(slices.Concat(report.HookErrs, report.RecordErrs))
		for _, l := range report.Lost {
			run.NotUndone = append(run.NotUndone, r.met.Redact(l.Release.String()+": "+l.Object.String()+": "+l.Why))
		}
	})
	if err != nil {
		s.view.Warn(err.Error())
	}
}

// settle holds a step against the report, which knows of steps that never began.
func (r *recording) settle(s *journal.Step, x executor.Result) {
	s.State, s.Because = stateOf(x.Outcome), x.Because
	s.OfGroup = s.OfGroup || errors.As(x.Err, new(*executor.GroupError))
	if x.Undo != nil && (s.Undo == nil || s.Undo.Error == "") {
		undo := journal.Undo{Error: r.text(x.Undo)}
		if s.Undo != nil {
			undo.Started, undo.Finished = s.Undo.Started, s.Undo.Finished
		}
		s.Undo = &undo
	}
}

func stateOf(o executor.Outcome) journal.State {
	switch o {
	case executor.OutcomeDone, executor.OutcomeUnchanged:
		return journal.StateDone
	case executor.OutcomeFailed:
		return journal.StateFailed
	case executor.OutcomeCancelled:
		return journal.StateCancelled
	case executor.OutcomeSkipped:
		return journal.StateSkipped
	case executor.OutcomeUndone:
		return journal.StateUndone
	case executor.OutcomeUndoFailed:
		return journal.StateUndoFailed
	default:
		return journal.StateFailed
	}
}

// undoState is the state of a step whose undo ended that way.
func undoState(o executor.Outcome) journal.State {
	if o == executor.OutcomeDone {
		return journal.StateUndone
	}
	return journal.StateUndoFailed
}

func outcomeOf(r executor.Report) journal.Outcome {
	switch reportCode(r) {
	case exitDone:
		return journal.OutcomeDone
	case exitUndone:
		return journal.OutcomeUndone
	case exitNotUndone:
		return journal.OutcomeUndoIncomplete
	default:
		return journal.OutcomeFailed
	}
}
