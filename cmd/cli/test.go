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
)

type testCmd struct {
	needsFlags
	Timeout     int  `default:"300" placeholder:"SECONDS" help:"Timeout of each release's tests."`
	Logs        bool `help:"Print the logs of test Pods."`
	Concurrency int  `default:"0" help:"Releases tested at once; 0: all."`
}

// Run runs the test hooks of what is installed.
func (c *testCmd) Run(ctx context.Context, s *session) error {
	f, err := s.load(ctx, overlay{}, c.needsFlags)
	if err != nil {
		return interrupted(ctx, err)
	}
	t := s.tools(f)
	if f, err = f.bind(t); err != nil {
		return err
	}
	have, err := t.observe(ctx, f)
	if err != nil {
		return interrupted(ctx, err)
	}
	limit := c.Concurrency
	if limit <= 0 {
		limit = max(1, len(f.releases))
	}
	logs := make([]bytes.Buffer, len(f.releases))
	errs := make([]error, len(f.releases))
	each(len(f.releases), limit, func(i int) {
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
	if err := view.Text(s.env.Streams.Out, b.String()); err != nil {
		return err
	}
	return interrupted(ctx, errors.Join(errs...))
}
