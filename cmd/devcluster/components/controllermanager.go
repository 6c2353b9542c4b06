package components

import (
	// CronJobs may name a time zone.
	_ "time/tzdata"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/certs"
)

// controllers leaves out only what has nothing to work on here: no cloud, no
// metrics, no volumes to attach and no devices.
const controllers = "*," +
	"-horizontal-pod-autoscaler-controller," +
	"-node-ipam-controller," +
	"-node-route-controller," +
	"-service-lb-controller," +
	"-cloud-node-lifecycle-controller," +
	"-persistentvolume-attach-detach-controller," +
	"-persistentvolume-expander-controller," +
	"-resourceclaim-controller," +
	"-device-taint-eviction-controller," +
	"-ttl-controller"

func controllerManagerArgs(s Settings) []string {
	kubeconfig := s.Kubeconfig(certs.ControllerManager)
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		// Serves nothing: nobody asks for its metrics.
		"--secure-port=0",
		"--leader-elect=false",
		"--controllers=" + controllers,
		"--use-service-account-credentials=true",
		"--root-ca-file=" + certs.CertFile(s.Certs, certs.CA),
		"--service-account-private-key-file=" + certs.KeyFile(s.Certs, certs.ServiceAccount),
		"--cluster-signing-cert-file=" + certs.CertFile(s.Certs, certs.CA),
		"--cluster-signing-key-file=" + certs.KeyFile(s.Certs, certs.CA),
		"--allocate-node-cidrs=false",
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
		"--concurrent-namespace-syncs=20",
		// A machine busy with a build may starve kwok for a while; its Pods must
		// not be evicted for that.
		"--node-monitor-grace-period=5m",
		"--node-monitor-period=1s",
		"--profiling=false",
	}
}

func runControllerManager(args []string) error {
	command := app.NewControllerManagerCommand()
	command.SetArgs(args)
	return exitError(cli.Run(command))
}
