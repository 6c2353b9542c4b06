package components

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/certs"
)

func schedulerArgs(s Settings) []string {
	kubeconfig := s.Kubeconfig(certs.Scheduler)
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--secure-port=0",
		"--leader-elect=false",
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
		"--profiling=false",
	}
}

func runScheduler(args []string) error {
	command := app.NewSchedulerCommand()
	command.SetArgs(args)
	return exitError(cli.Run(command))
}
