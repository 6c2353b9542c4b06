package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// operation is one action on one release, with everything that Helm must not
// share between two of them.
type operation struct {
	engine  *Engine
	release spec.Release
	config  *action.Configuration
	client  *client
	records *records
	to      *target
	over    func()      // ends what belongs to the operation
	left    state.Trace // what the operation did beside its records
}

// trace is what the operation leaves behind.
func (o *operation) trace() state.Trace {
	t := o.left
	if wrote := o.records.wrote; wrote != nil {
		t.Revision, t.Status = wrote.Version, state.Status(wrote.Info.Status)
	}
	return t
}

// begin refuses a context that is already cancelled, before anything is written.
func (e *Engine) begin(ctx context.Context, r spec.Release) (*operation, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	to, err := e.target(r.ID)
	if err != nil {
		return nil, err
	}
	caps, err := to.caps(ctx)
	if err != nil {
		return nil, err
	}
	requests := e.contexts(ctx)
	records, err := e.recordsOf(ctx, requests.records, to, r.ID)
	if err != nil {
		requests.end()
		return nil, err
	}
	getter := tied{to.Getter(r.ID.Namespace), requests.objects}
	log := e.log.With("release", r.ID.String()).Handler()
	base := kube.New(getter)
	base.Namespace = r.ID.Namespace
	base.SetLogger(log)
	c := &client{Client: base, ctx: ctx, requests: requests.objects, to: to, options: r.Options, limit: e.opts.Concurrency, began: time.Now()}
	if e.opts.HookLogs != nil {
		c.logs = func(pod, container string) io.Writer { return e.opts.HookLogs(r.ID, pod, container) }
	}
	if e.opts.Warn != nil {
		c.note = func(text string) { e.opts.Warn(r.ID, text) }
	}

	records.hide, records.stuck = c.hide, func() bool { return c.stuck }
	config := action.NewConfiguration(action.ConfigurationSetLogger(log))
	config.RESTClientGetter = getter
	config.KubeClient = c
	config.Capabilities = caps
	config.Releases = storage.Init(records)
	config.Releases.SetLogger(log)
	config.Releases.MaxHistory = r.Options.HistoryMax
	config.HookOutputFunc = func(_, pod, container string) io.Writer {
		if c.logs == nil {
			return io.Discard
		}
		return c.logs(pod, container)
	}
	return &operation{engine: e, release: r, config: config, client: c, records: records, to: to, over: requests.end}, nil
}

// run performs act and turns its error into one for people, once for an
// operation. doing is its gerund. The error is state.ErrTransient where the
// operation may be tried again.
func (o *operation) run(doing string, act func() error) error {
	defer o.over()
	err := act()
	if err == nil {
		return nil
	}
	passes := o.client.ctx.Err() == nil && cluster.Transient(err)
	if settleErr := o.records.settle(err); settleErr != nil {
		err = errors.Join(err, fmt.Errorf("marking its record as failed: %w", settleErr))
	}
	err = o.client.hidden(fmt.Errorf("%s %s: %w", doing, o.release.ID, o.explain(err)))
	if troubles := o.client.found(); len(troubles) > 0 {
		err = &state.OperationError{Err: err, Troubles: troubles}
	}
	if passes {
		return state.Transient(err)
	}
	return err
}

// freeze makes Helm store and apply exactly want, and store the chart that it
// was rendered from.
func (o *operation) freeze(have state.Release, want *state.Revision) (*chartv2.Chart, error) {
	source, err := o.engine.opts.Charts.Open(want.Chart.Digest)
	if err != nil {
		return nil, fmt.Errorf("opening chart %s %s: %w", want.Chart.Name, want.Chart.Version, err)
	}
	real, err := source.Load()
	if err != nil {
		return nil, err
	}
	in := RenderInput{Release: o.release, Have: have}
	if _, err := o.engine.prepare(o.client.ctx, real, preparation{in: in, values: want.Values, to: o.to}); err != nil {
		return nil, err
	}
	frozen, err := freeze(real.Metadata, want)
	if err != nil {
		return nil, err
	}
	o.records.frozen, o.records.real, o.records.want = frozen, real, want
	return frozen, nil
}

// expect makes sure that the newest record is the one that the caller saw, and
// unlocks it if an operation that died left it pending. A pending record that
// the caller did not see belongs to somebody who is at work now.
func (o *operation) expect(have state.Release) error {
	last, err := o.records.last()
	if err != nil {
		return err
	}
	seen := have.Last()
	switch {
	case last == nil && seen == nil:
		return nil
	case last == nil:
		return fmt.Errorf("%w: revision %d is gone", state.ErrStale, seen.Number)
	case seen == nil:
		return fmt.Errorf("%w: revision %d (%s) appeared", state.ErrStale, last.Version, last.Info.Status)
	case last.Version != seen.Number || last.Info.Status.String() != string(seen.Status):
		return fmt.Errorf("%w: it was at revision %d (%s) and is at %d (%s)",
			state.ErrStale, seen.Number, seen.Status, last.Version, last.Info.Status)
	}
	return o.records.unlock()
}

// unmoved makes sure that the newest record is the one that the operation which
// is to be undone left.
func (o *operation) unmoved(left state.Trace) error {
	if err := sure(left); err != nil {
		return err
	}
	last, err := o.records.last()
	switch {
	case err != nil:
		return err
	case last == nil:
		return fmt.Errorf("%w: this run left revision %d (%s), and now there is none", state.ErrStale, left.Revision, left.Status)
	case last.Version == left.Revision && state.Status(last.Info.Status) == left.Status:
		return nil
	default:
		return fmt.Errorf("%w: this run left revision %d (%s), and the newest is %d (%s, of %s)", state.ErrStale,
			left.Revision, left.Status, last.Version, last.Info.Status, writtenAt(last).UTC().Format(time.RFC3339))
	}
}

// writtenAt is when a record was written last, as far as it says.
func writtenAt(r *v1.Release) time.Time {
	if r.Info.Deleted.After(r.Info.LastDeployed) {
		return r.Info.Deleted
	}
	return r.Info.LastDeployed
}

// expectNone makes sure that nothing but history is there, and that the history
// does not end in the middle of an uninstall. A release belongs to somebody who
// installed it since the caller looked.
func (o *operation) expectNone() error {
	last, err := o.records.last()
	switch {
	case err != nil || last == nil:
		return err
	case last.Info.Status == rcommon.StatusUninstalled:
		return nil
	case last.Info.Status == rcommon.StatusUninstalling, last.Info.Status == rcommon.StatusSuperseded:
		// Helm supersedes what is uninstalled just before it writes the record of
		// an install; so this one was cut off there.
		last.SetStatus(rcommon.StatusUninstalled, state.Interrupted+last.Info.Status.String())
		return o.records.Update(recordKey(last.Name, last.Version), last)
	default:
		return fmt.Errorf("%w: revision %d (%s) appeared", state.ErrStale, last.Version, last.Info.Status)
	}
}

func serverSide(options spec.Options) string {
	if options.ServerSide == "" {
		return "auto"
	}
	return options.ServerSide
}

// found gives what was noted about objects at fault.
func (c *client) found() []state.Trouble {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.troubles
}

// investigate asks the cluster about objects at fault. The time of the
// operation is over by then, so it has a little of its own.
func (c *client) investigate(faults []state.Trouble) {
	ctx, cancel := context.WithTimeout(c.requests, 10*time.Second)
	defer cancel()
	var asking sync.WaitGroup
	slots := make(chan struct{}, c.limit)
	for i := range faults {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			known := c.to.Trouble(ctx, faults[i].Object)
			if known.Message == "" {
				known.Message = faults[i].Message
			}
			faults[i] = known
		})
	}
	asking.Wait()
	redact := c.redact()
	for i, fault := range faults {
		faults[i] = fault.Reworded(redact)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.troubles = append(c.troubles, faults...)
}
