package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/cluster"
	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
)

type commands struct {
	Up         upCmd         `cmd:"" help:"Start the cluster, or repair it; returns when Pods can run."`
	Down       downCmd       `cmd:"" help:"Stop the cluster."`
	Status     statusCmd     `cmd:"" help:"Print the state of each component; fails unless all run."`
	Kubeconfig kubeconfigCmd `cmd:"" help:"Print the path of the kubeconfig (context devcluster)."`
	Pause      pauseCmd      `cmd:"" help:"Freeze a component (SIGSTOP)."`
	Resume     resumeCmd     `cmd:"" help:"Let a paused component go on (SIGCONT)."`
	Kill       killCmd       `cmd:"" help:"Kill a component (SIGKILL)."`
	Start      startCmd      `cmd:"" help:"Start a killed component and wait until it serves."`
	Supervise  superviseCmd  `cmd:"" hidden:"" help:"Run as the background process of up."`
}

type dirFlag struct {
	Dir string `required:"" type:"path" placeholder:"DATA" env:"FLOTILLA_DEVCLUSTER_DIR" help:"Folder of this cluster's data, certificates and logs."`
}

type startFlags struct {
	dirFlag
	Nodes   int           `default:"2" help:"How many nodes to simulate."`
	Timeout time.Duration `default:"3m" help:"How long to wait until Pods can run."`
	Audit   string        `type:"path" placeholder:"FILE" help:"Keep an audit log of the API server in this file: one JSON object a request, without contents."`
}

func (f startFlags) options() cluster.Options {
	return cluster.Options{Nodes: f.Nodes, Timeout: f.Timeout, Audit: f.Audit}
}

type upCmd struct {
	startFlags
	Foreground bool `help:"Stay, print one line when ready, and stop when stdin closes or on SIGTERM."`
	Purge      bool `help:"With --foreground: remove the data folder at the end."`
}

func (c *upCmd) Run(ctx context.Context) error {
	if !c.Foreground {
		if err := cluster.Up(ctx, c.Dir, c.options()); err != nil {
			return err
		}
		fmt.Println("ready", cluster.Kubeconfig(c.Dir))
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	release, err := cluster.Supervise(ctx, c.Dir, c.options(), func() {
		fmt.Println("ready", cluster.Kubeconfig(c.Dir))
	})
	err = errors.Join(err, release())
	if c.Purge {
		err = joinPurge(err, c.Dir)
	}
	return err
}

type downCmd struct {
	dirFlag
	Purge bool `help:"Remove the data folder too."`
}

func (c *downCmd) Run(ctx context.Context) error {
	if err := cluster.Down(ctx, c.Dir); err != nil {
		return err
	}
	if c.Purge {
		return cluster.Purge(c.Dir)
	}
	return nil
}

type statusCmd struct{ dirFlag }

func (c *statusCmd) Run(ctx context.Context) error {
	status, err := cluster.GetStatus(ctx, c.Dir)
	if err != nil {
		return err
	}
	fmt.Print(status)
	return status.Err()
}

type kubeconfigCmd struct{ dirFlag }

func (c *kubeconfigCmd) Run() error {
	fmt.Println(cluster.Kubeconfig(c.Dir))
	return nil
}

type componentArg struct {
	dirFlag
	Component components.Name `arg:"" enum:"etcd,apiserver,controller-manager,scheduler,kwok" help:"One of: ${enum}."`
}

type (
	pauseCmd  struct{ componentArg }
	resumeCmd struct{ componentArg }
	killCmd   struct{ componentArg }
	startCmd  struct{ componentArg }
)

func (c *pauseCmd) Run(ctx context.Context) error {
	return cluster.Do(ctx, c.Dir, cluster.Pause, c.Component)
}

func (c *resumeCmd) Run(ctx context.Context) error {
	return cluster.Do(ctx, c.Dir, cluster.Resume, c.Component)
}

func (c *killCmd) Run(ctx context.Context) error {
	return cluster.Do(ctx, c.Dir, cluster.Kill, c.Component)
}

func (c *startCmd) Run(ctx context.Context) error {
	return cluster.Do(ctx, c.Dir, cluster.Start, c.Component)
}

type superviseCmd struct{ startFlags }

// Run reports to the process that started it through file 3: "ready", or the error.
func (c *superviseCmd) Run(ctx context.Context) error {
	report := os.NewFile(3, "report")
	// The folder stays locked until this process is gone.
	_, err := cluster.Supervise(ctx, c.Dir, c.options(), func() {
		fmt.Fprint(report, cluster.ReportReady)
		report.Close()
	})
	if err != nil {
		fmt.Fprint(report, err)
	}
	return err
}

func joinPurge(err error, dir string) error {
	return errors.Join(err, cluster.Purge(dir))
}
