package components

import (
	"fmt"

	"k8s.io/component-base/cli"
	// The blank imports are those of the original main package.
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/certs"
)

func apiserverArgs(s Settings) []string {
	args := []string{
		"--etcd-servers=" + localURL("http", s.Ports.Etcd),
		"--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", s.Ports.APIServer),
		// The Service "kubernetes" gets no endpoints: 127.0.0.1 is refused there,
		// and no Pod could reach another address.
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--tls-cert-file=" + certs.CertFile(s.Certs, certs.APIServer),
		"--tls-private-key-file=" + certs.KeyFile(s.Certs, certs.APIServer),
		"--client-ca-file=" + certs.CertFile(s.Certs, certs.CA),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + certs.PublicKeyFile(s.Certs),
		"--service-account-signing-key-file=" + certs.KeyFile(s.Certs, certs.ServiceAccount),
		"--kubelet-certificate-authority=" + certs.CertFile(s.Certs, certs.CA),
		"--kubelet-client-certificate=" + certs.CertFile(s.Certs, certs.KubeletClient),
		"--kubelet-client-key=" + certs.KeyFile(s.Certs, certs.KubeletClient),
		"--kubelet-preferred-address-types=InternalIP",
		"--allow-privileged=true",
		"--profiling=false",
	}
	if s.AuditLog != "" {
		args = append(args, "--audit-policy-file="+s.AuditPolicy, "--audit-log-path="+s.AuditLog)
	}
	return args
}

func runAPIServer(args []string) error {
	command := app.NewAPIServerCommand()
	command.SetArgs(args)
	return exitError(cli.Run(command))
}

func exitError(code int) error {
	if code != 0 {
		return fmt.Errorf("exit code %d", code)
	}
	return nil
}
