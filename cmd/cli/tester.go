package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/program"
)

// testerName is the program that cmd/flotilla-unittest builds.
const testerName = "flotilla-unittest"

// tester makes the process that runs the unit tests of one chart.
type tester func(ctx context.Context, args []string) (*exec.Cmd, error)

// findTester prefers the plugin of Helm, whose version the user chose, to the
// program, which has the version that is pinned here.
func findTester(lookup func(string) (string, bool)) (tester, error) {
	if plugin := program.FindPlugin(lookup, "unittest"); plugin != nil {
		return func(ctx context.Context, args []string) (*exec.Cmd, error) { return plugin.Command(ctx, args...) }, nil
	}
	path, err := program.Beside(testerName)
	if err != nil {
		return nil, fmt.Errorf("%w, and the Helm plugin unittest is not in %s: build the program with make unittest, or install the plugin with helm plugin install",
			err, strings.Join(program.PluginFolders(lookup), ", "))
	}
	return func(ctx context.Context, args []string) (*exec.Cmd, error) {
		return exec.CommandContext(ctx, path, args...), nil
	}, nil
}

func (start tester) run(ctx context.Context, args []string, out io.Writer) error {
	cmd, err := start(ctx, args)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = out, out
	err = program.Run(ctx, cmd, program.Grace)
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return fmt.Errorf("they failed (%w)", err)
	}
	return err
}
