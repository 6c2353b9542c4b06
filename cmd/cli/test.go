package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/state"
)

type testCmd struct {
	concurrency
	needsFlags
	rawArgs
	Timeout int  `default:"300" placeholder:"SECONDS" help:"Timeout of each release's tests."`
	Logs    bool `help:"Print the logs of test Pods."`
	Cleanup bool `hidden:""`
}

// Run runs the test hooks of what is installed.
func (c *testCmd) Run(ctx context.Context, s *session) error {
	t, f, err := s.bound(ctx, request{needs: c.needsFlags, limit: c.Concurrency, raw: helmText{args: c.Args, acts: true}})
	if err != nil {
		return err
	}
	return t.observed(ctx, f, func(f *fleet, have state.Snapshot) error { return c.test(ctx, t, f, have) })
}

func (c *testCmd) test(ctx context.Context, t *tools, f *fleet, have state.Snapshot) error {
	logs := make([]bytes.Buffer, len(f.releases))
	errs := make([]error, len(f.releases))
	each(len(f.releases), f.at(len(f.releases)), func(i int) {
		r := f.releases[i]
		if !r.Installed {
			return
		}
		if have[r.ID].Deployed() == nil {
			errs[i] = fmt.Errorf("testing %s: it is not deployed", r.ID)
			return
		}
		opts := engine.TestOptions{Timeout: time.Duration(c.Timeout) * time.Second}
		if c.Logs {
			opts.Logs = &logs[i]
		}
		errs[i] = t.engine.Test(ctx, r, opts)
	})
	var b strings.Builder
	for i, r := range f.releases {
		b.WriteString(logs[i].String())
		if r.Installed && errs[i] == nil {
			fmt.Fprintf(&b, "%s: tests passed\n", r.ID)
		}
	}
	if err := view.Text(t.session.env.Streams.Out, b.String()); err != nil {
		return err
	}
	return interrupted(ctx, errors.Join(errs...))
}
