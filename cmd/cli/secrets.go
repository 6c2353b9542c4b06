package cli

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/secret"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// secrets is what a run has to do with secrets: the helper process, which ends
// with the run, and what may not be printed.
type secrets struct {
	helper *secret.Helper
	met    spec.Redactor
}

func newSecrets(env Env) *secrets { return &secrets{helper: secret.NewHelper(env.Lookup)} }

// close ends the helper, which has nothing left to say.
func (s *secrets) close() { _ = s.helper.Close() }

// mask makes the error stream show no secret that was met.
func (s *secrets) mask(streams view.Streams) view.Streams {
	streams.Err = redacted{to: streams.Err, met: &s.met}
	return streams
}

// view masks secrets in errors that a view prints as results.
func (s *secrets) view(v view.View) view.View { return redactedView{View: v, met: &s.met} }

// options tells loading about them.
func (s *secrets) options(o spec.LoadOptions, clusters func() *cluster.Clusters) spec.LoadOptions {
	o.Secrets, o.Redactor = s.helper, &s.met
	o.ClusterData = func(ctx context.Context, from spec.ClusterObject) (map[string]string, error) {
		return clusters().Data(ctx, from)
	}
	return o
}

// clustersOnce makes the clusters of a run when they are first asked for: by a
// reference to a Secret while files load, or later by the tools.
func (s *session) clustersOnce() func() *cluster.Clusters {
	return sync.OnceValue(func() *cluster.Clusters {
		driver, _ := s.env.Lookup("HELM_DRIVER")
		return cluster.New(cluster.Options{
			Kubeconfig: s.globals.Kubeconfig,
			UserAgent:  "flotilla/" + s.env.Version.Flotilla,
			Driver:     driver,

			WrapTransport: s.fence.wrap,
			Retries:       s.retries(),
			Retrying:      s.retrying,
			Warn:          func(context, text string) { s.log().Warn(text, "context", context) },
		})
	})
}

// redacted is a stream without secrets. Views and loggers write whole lines.
type redacted struct {
	to  io.Writer
	met *spec.Redactor
}

// Write writes the text with every secret masked.
func (r redacted) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.to, r.met.Redact(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// redactedView is a view whose results tell errors without secrets.
type redactedView struct {
	view.View
	met *spec.Redactor
}

// Warn passes a warning on.
func (v redactedView) Warn(message string) { v.View.Warn(v.met.Redact(message)) }

// Error passes every error on that is joined.
func (v redactedView) Error(err error) {
	v.View.Error(errors.Join(v.errors(view.Flatten(err))...))
}

// Drift passes drift on.
func (v redactedView) Drift(r drift.Report, opts view.DriftOptions) {
	r.Unseen = slices.Clone(r.Unseen)
	for i := range r.Unseen {
		r.Unseen[i].Err = v.error(r.Unseen[i].Err)
	}
	v.View.Drift(r, opts)
}

// Event passes an event on.
func (v redactedView) Event(e executor.Event) {
	e.Err = v.error(e.Err)
	e.Because, e.Retry.Reason = v.met.Redact(e.Because), v.met.Redact(e.Retry.Reason)
	v.View.Event(e)
}

// Report passes a report on.
func (v redactedView) Report(r executor.Report, mode plan.Mode) {
	r.Results = slices.Clone(r.Results)
	for i := range r.Results {
		r.Results[i].Err = v.error(r.Results[i].Err)
		r.Results[i].Undo = v.error(r.Results[i].Undo)
		r.Results[i].Because = v.met.Redact(r.Results[i].Because)
	}
	r.HookErrs, r.RecordErrs, r.Fenced = v.errors(r.HookErrs), v.errors(r.RecordErrs), v.error(r.Fenced)
	r.Lost = slices.Clone(r.Lost)
	for i := range r.Lost {
		r.Lost[i].Why = v.met.Redact(r.Lost[i].Why)
	}
	v.View.Report(r, mode)
}

func (v redactedView) errors(in []error) []error {
	out := slices.Clone(in)
	for i := range out {
		out[i] = v.error(out[i])
	}
	return out
}

func (v redactedView) error(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{err: err, met: v.met}
}

// redactedError tells an error without secrets.
type redactedError struct {
	err error
	met *spec.Redactor
}

// Error masks the text of the error.
func (e *redactedError) Error() string { return e.met.Redact(e.err.Error()) }

// Unwrap gives the error, so that its kind can be asked for.
func (e *redactedError) Unwrap() error { return e.err }

// As gives an operation's error with what the cluster tells masked.
func (e *redactedError) As(target any) bool {
	to, wanted := target.(**state.OperationError)
	var op *state.OperationError
	if !wanted || !errors.As(e.err, &op) {
		return false
	}
	masked := &state.OperationError{Err: e, Troubles: slices.Clone(op.Troubles)}
	for i, t := range masked.Troubles {
		masked.Troubles[i] = t.Reworded(e.met.Redact)
	}
	*to = masked
	return true
}
