package components

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/spf13/pflag"
	kwokcmd "sigs.k8s.io/kwok/pkg/kwok/cmd"

	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/certs"
	"github.com/flotilla-sh/flotilla/cmd/devcluster/kubelet"
)

// kwokArgs are the flags of the kubelet server, "--", and the flags of kwok.
func kwokArgs(s Settings) []string {
	return []string{
		fmt.Sprintf("--listen=127.0.0.1:%d", s.Ports.Kubelet),
		"--certs=" + s.Certs,
		"--kubeconfig=" + s.Kubeconfig(certs.Kwok),
		"--",
		"--kubeconfig=" + s.Kubeconfig(certs.Kwok),
		"--config=" + s.Stages,
		"--manage-all-nodes=true",
		"--cidr=10.244.0.1/16",
		"--node-ip=127.0.0.1",
		// With leases a restarted kwok would wait 40s for the lease of the killed one.
		"--node-lease-duration-seconds=0",
	}
}

func runKwok(args []string) error {
	flags := flag.NewFlagSet("kwok", flag.ContinueOnError)
	var o kubelet.Options
	flags.StringVar(&o.Listen, "listen", "", "address of the kubelet server")
	flags.StringVar(&o.Certs, "certs", "", "folder of the certificates")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "kubeconfig of the kubelet server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(signals.SetupSignalContext())
	defer cancel(nil)
	served := make(chan error, 1)
	go func() {
		err := kubelet.Serve(ctx, o)
		cancel(err)
		served <- err
	}()
	err := runStages(ctx, flags.Args())
	cancel(err)
	if serr := <-served; serr != nil {
		return serr
	}
	return err
}

// runStages is the original main function of kwok.
func runStages(ctx context.Context, args []string) error {
	// kwok reads its configuration from os.Args, and from the home folder.
	os.Args = append([]string{"kwok"}, args...)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ = log.InitFlags(ctx, flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		return fmt.Errorf("loading the stages: %w", err)
	}
	command := kwokcmd.NewCommand(ctx)
	// A version would add a flag that component-base has already, of another type.
	command.Version = ""
	command.SetArgs(args)
	command.PersistentFlags().AddFlagSet(flags)
	return command.ExecuteContext(ctx)
}
