package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
)

func main() {
	// Before kong: everything after the component's name belongs to the component.
	if len(os.Args) > 2 && os.Args[1] == components.Command {
		os.Exit(components.Run(components.Name(os.Args[2]), os.Args[3:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var cli commands
	kctx := kong.Parse(&cli,
		kong.Name("devcluster"),
		kong.Description("Runs a real Kubernetes control plane with simulated nodes, for tests."),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err := kctx.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		stop()
		os.Exit(1)
	}
}
