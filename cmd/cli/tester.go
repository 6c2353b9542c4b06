package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec/program"
)

// testerName is the program that cmd/flotilla-unittest builds.
const testerName = "flotilla-unittest"

// tester makes the process that runs the unit tests of one chart.
type tester func(ctx context.Context, args []string) (*exec.Cmd, error)

// findTester prefers the program, which has the version that is pinned here,
// to the plugin of Helm.
func findTester(lookup func(string) (string, bool)) (tester, error) {
	path, err := program.Beside(testerName)
	if err == nil {
		return func(ctx context.Context, args []string) (*exec.Cmd, error) {
			return exec.CommandContext(ctx, path, args...), nil
		}, nil
	}
	if plugin := program.FindPlugin(lookup, "unittest"); plugin != nil {
		return func(ctx context.Context, args []string) (*exec.Cmd, error) { return plugin.Command(ctx, args...) }, nil
	}
	return nil, fmt.Errorf("%w, and the Helm plugin unittest is not in %s: build the program with make unittest, or install the plugin with helm plugin install",
		err, strings.Join(program.PluginFolders(lookup), ", "))
}

// testerGrace is how long interrupted tests may take to end.
const testerGrace = 5 * time.Second

func (start tester) run(ctx context.Context, args []string, out io.Writer) error {
	cmd, err := start(ctx, args)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = testerGrace
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return fmt.Errorf("they failed (%w)", err)
	}
	return err
}
