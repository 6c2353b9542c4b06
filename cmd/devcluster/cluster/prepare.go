package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/certs"
	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
	"github.com/flotilla-sh/flotilla/cmd/devcluster/stages"
)

// contextName is the name of the context in all kubeconfigs.
const contextName = "devcluster"

// auditPolicy logs who asked for what, without contents, once for each request.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
`

// state is what a data folder keeps from one run to the next.
type state struct {
	// Boot identifies the boot of the machine in which etcd wrote its data.
	Boot  string           `json:"boot"`
	Ports components.Ports `json:"ports"`
}

// prepare makes the data folder ready for starting components. The caller
// holds the lock.
func prepare(l layout) (components.Settings, error) {
	var none components.Settings
	if err := l.create(); err != nil {
		return none, err
	}
	if err := certs.Ensure(l.certs()); err != nil {
		return none, err
	}
	st, err := nextState(l)
	if err != nil {
		return none, err
	}
	if err := writeJSON(l.state(), st); err != nil {
		return none, fmt.Errorf("writing the state: %w", err)
	}
	if err := os.WriteFile(l.stages(), []byte(stages.YAML()), 0o600); err != nil {
		return none, fmt.Errorf("writing the stages: %w", err)
	}
	if err := os.WriteFile(l.audit(), []byte(auditPolicy), 0o600); err != nil {
		return none, fmt.Errorf("writing the audit policy: %w", err)
	}
	if err := writeKubeconfigs(l, st.Ports.APIServer); err != nil {
		return none, fmt.Errorf("writing kubeconfigs: %w", err)
	}
	return l.settings(st.Ports), nil
}

// nextState keeps the ports of the last run if they are free, and the data of
// etcd if it was written since the machine booted: etcd does not sync, so
// anything older may be half written.
func nextState(l layout) (state, error) {
	var st state
	if err := readJSON(l.state(), &st); err != nil && !errors.Is(err, fs.ErrNotExist) {
		st = state{}
	}
	if boot := bootID(); st.Boot != boot {
		if err := os.RemoveAll(l.etcdData()); err != nil {
			return st, fmt.Errorf("removing data from before the last boot: %w", err)
		}
		st.Boot = boot
	}
	for _, port := range []*int{&st.Ports.Etcd, &st.Ports.EtcdPeer, &st.Ports.APIServer, &st.Ports.Kubelet} {
		if *port != 0 && free(*port) {
			continue
		}
		p, err := freePort(st.Ports)
		if err != nil {
			return st, err
		}
		*port = p
	}
	return st, nil
}

// bootID is empty where the system has none; data is then always trusted.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// freePort looks below the range from which systems choose ports for outgoing
// connections, so that none takes the port before the component does.
func freePort(taken components.Ports) (int, error) {
	const low, high, tries = 20000, 32000, 200
	for range tries {
		port := low + rand.IntN(high-low)
		used := port == taken.Etcd || port == taken.EtcdPeer || port == taken.APIServer || port == taken.Kubelet
		if !used && free(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("looking for a free port: none found in %d tries", tries)
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func writeKubeconfigs(l layout, port int) error {
	ca, err := os.ReadFile(certs.CertFile(l.certs(), certs.CA))
	if err != nil {
		return err
	}
	for _, id := range []certs.Identity{certs.Admin, certs.ControllerManager, certs.Scheduler, certs.Kwok} {
		cert, err := os.ReadFile(certs.CertFile(l.certs(), id))
		if err != nil {
			return err
		}
		key, err := os.ReadFile(certs.KeyFile(l.certs(), id))
		if err != nil {
			return err
		}
		config := clientcmdapi.Config{
			Clusters: map[string]*clientcmdapi.Cluster{contextName: {
				Server: fmt.Sprintf("https://127.0.0.1:%d", port), CertificateAuthorityData: ca,
			}},
			AuthInfos: map[string]*clientcmdapi.AuthInfo{string(id): {
				ClientCertificateData: cert, ClientKeyData: key,
			}},
			Contexts: map[string]*clientcmdapi.Context{contextName: {
				Cluster: contextName, AuthInfo: string(id), Namespace: "default",
			}},
			CurrentContext: contextName,
		}
		if err := clientcmd.WriteToFile(config, l.kubeconfig(id)); err != nil {
			return err
		}
	}
	return nil
}
