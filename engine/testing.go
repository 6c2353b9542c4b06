package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"helm.sh/helm/v4/pkg/action"

	"github.com/flotilla-sh/flotilla/spec"
)

// TestOptions are the ways to run a release's test hooks.
type TestOptions struct {
	Timeout time.Duration // of each hook; zero: the release's own
	Logs    io.Writer     // receives the logs of test pods; nil: they are not read
	Only    []string      // names of test hooks to run; empty: all
	Skip    []string      // names of test hooks to leave out
}

// Test runs the test hooks of the stored release r, as helm test does. The error
// is a *state.OperationError where a test failed.
func (e *Engine) Test(ctx context.Context, r spec.Release, opts TestOptions) error {
	o, err := e.begin(ctx, r)
	if err != nil {
		return fmt.Errorf("testing %s: %w", r.ID, err)
	}
	return o.run("testing", func() error { return o.test(opts) })
}

func (o *operation) test(opts TestOptions) error {
	tests := action.NewReleaseTesting(o.config)
	tests.Namespace = o.release.ID.Namespace
	tests.Timeout = opts.Timeout
	if tests.Timeout == 0 {
		tests.Timeout = timeoutOf(o.release.Options.Timeout)
	}
	tests.Filters = map[string][]string{action.IncludeNameFilter: opts.Only, action.ExcludeNameFilter: opts.Skip}
	_, shutdown, err := tests.Run(o.release.ID.Name)
	if opts.Logs != nil {
		// Before the hooks' delete policies take the pods away.
		if last, readErr := o.records.last(); readErr == nil && last != nil {
			err = errors.Join(err, tests.GetPodLogs(opts.Logs, last))
		}
	}
	return errors.Join(err, shutdown())
}
