package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
	"github.com/flotilla-sh/flotilla/state/journal"
)

// limitFlags bound what a run does at once, and how long it takes.
type limitFlags struct {
	ConcurrencyPerCluster   int           `default:"0" placeholder:"N" help:"Releases of one cluster that are worked on at once; 0: no bound of its own."`
	ConcurrencyPerNamespace int           `default:"0" placeholder:"N" help:"Releases of one namespace that are worked on at once; 0: no bound of its own."`
	RunTimeout              time.Duration `placeholder:"DURATION" env:"FLOTILLA_RUN_TIMEOUT" help:"Time for all releases together, such as 30m. When it is over no release is started, those under way end, and --rollback says what is put back, which has its own time. Default: none."`
	graceFlags
}

// graceFlags say how long an interrupt may take.
type graceFlags struct {
	Grace time.Duration `placeholder:"DURATION" env:"FLOTILLA_GRACE" help:"Time that a run has after an interrupt (SIGINT, SIGTERM) to put back what it did, such as 8s; then it stops at once as after a second interrupt, and resume goes on with it. CI systems kill a job some 10 s after SIGTERM. Default: none."`
}

// patience is the grace.
func (g graceFlags) patience() time.Duration { return g.Grace }

// patient is a command with graceFlags.
type patient interface{ patience() time.Duration }

var _, _, _, _, _ patient = applyCmd{}, syncCmd{}, destroyCmd{}, resumeCmd{}, rollbackCmd{}

// graceOf is what the command that runs was given, from its start on.
func graceOf(command *kong.Node) time.Duration {
	if command == nil || !command.Target.IsValid() {
		return 0
	}
	if p, ok := command.Target.Interface().(patient); ok {
		return p.patience()
	}
	return 0
}

// limited adds to what is executed how much of it may run at once, and how long.
func (s *session) limited(opts executor.Options, q changeRequest) executor.Options {
	l := q.run.limitFlags
	opts.Limits = executor.Limits{Cluster: l.ConcurrencyPerCluster, Namespace: l.ConcurrencyPerNamespace}
	opts.Timeout = l.RunTimeout
	if s.globals.Retries <= 0 {
		opts.Retries = -1
	}
	if q.expected != nil {
		known := q.expected()
		opts.Expected = func(step plan.Step) time.Duration { return known[taskOf(step)] }
	}
	return opts
}

func taskOf(s plan.Step) journal.Task {
	return journal.Task{Release: s.Release.ID.String(), Action: string(s.Action)}
}

// fewSteps may all start at once, so that nobody needs to know which of them takes
// long.
const fewSteps = 64

// expecting asks, while the lock is being taken, how long the steps of a plan took
// before. It gives nil where that makes no difference or nothing is recorded.
func (s *session) expecting(ctx context.Context, p *plan.Plan, q changeRequest) func() map[journal.Task]time.Duration {
	var tasks []journal.Task
	for _, step := range p.Steps {
		if step.Action.Writes() {
			tasks = append(tasks, taskOf(step))
		}
	}
	l := q.run.limitFlags
	if q.run.Journal == journalOff || len(tasks) <= q.at(fewSteps) && l.ConcurrencyPerCluster == 0 && l.ConcurrencyPerNamespace == 0 {
		return nil
	}
	targets, err := s.journals(contextsOf(p)[:1], q.owner)
	if err != nil {
		return nil // whoever needs the cluster says why it cannot be had
	}
	told := make(chan map[journal.Task]time.Duration, 1)
	go func() {
		known, _ := targets[0].Store.Durations(cluster.Urgent(ctx), q.owner.ID, tasks) // an order is no reason to fail
		told <- known
	}()
	return func() map[journal.Task]time.Duration { return <-told }
}

// at is how many releases are worked on at once.
func (q changeRequest) at(otherwise int) int {
	if q.limit > 0 {
		return min(q.limit, otherwise)
	}
	return otherwise
}

// retries is how often a request to a cluster is repeated, as cluster.Options has
// it.
func (s *session) retries() int {
	if s.globals.Retries <= 0 {
		return -1
	}
	return s.globals.Retries
}

// worthTelling is the pause from which on somebody who waits wants to know why.
const worthTelling = time.Second

// retrying warns of a cluster that does not answer, outside of steps.
func (s *session) retrying(context string, r state.Retry) {
	if r.Pause >= worthTelling {
		s.view.Warn(fmt.Sprintf("context %s: retrying %s in %s (attempt %d of %d): %s",
			context, r.What, r.Pause.Round(100*time.Millisecond), r.Attempt, r.Of, r.Reason))
	}
}

// errGrace is why a run stops at once without a second interrupt.
var errGrace = errors.New("the time that --grace gives is over")

// errAbort is why a run stops at once.
var errAbort = errors.New("interrupted twice")

// stopper ends a run that does not end by itself after an interrupt.
type stopper struct {
	now context.Context // ends when the run has to stop at once
}

// listen waits for what has to stop the run at once: a second interrupt, or the end
// of the grace after the first one; zero: there is none. Whoever calls it ends that.
func (s *session) listen(ctx context.Context, grace time.Duration) (end context.CancelFunc) {
	now, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	again := s.env.Abort
	s.stop, s.env.Abort = &stopper{now: now}, now.Done()
	done := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-done:
			return
		}
		var over <-chan time.Time
		if grace > 0 {
			over = time.After(grace)
		}
		select {
		case <-again:
			stop(errAbort)
		case <-over:
			s.view.Warn(errGrace.Error() + ": stopping at once")
			stop(errGrace)
		case <-done:
		}
	}()
	return func() { close(done); stop(nil) }
}
