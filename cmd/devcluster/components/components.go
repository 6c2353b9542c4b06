// Package components knows the programs a cluster is made of: for each, its
// command line and how to run it inside this process. It starts no process and
// decides nothing about order or health; package cluster does.
package components

import (
	"errors"
	"fmt"
	"os"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/certs"
)

// Command is the first argument that makes the binary be a component:
//
//	devcluster component NAME FLAGS...
const Command = "component"

// LifelineFD is the file a component inherits as the read end of a pipe whose
// write end only its supervisor holds: at its end the component exits.
const LifelineFD = 3

// Name names one component.
type Name string

// The components.
const (
	Etcd              Name = "etcd"
	APIServer         Name = "apiserver"
	ControllerManager Name = "controller-manager"
	Scheduler         Name = "scheduler"
	Kwok              Name = "kwok"
)

// All lists the components in the order in which they start.
func All() []Name {
	return []Name{Etcd, APIServer, ControllerManager, Scheduler, Kwok}
}

// Ports are the ports on 127.0.0.1 of one cluster.
type Ports struct {
	Etcd      int `json:"etcd"`
	EtcdPeer  int `json:"etcdPeer"`
	APIServer int `json:"apiserver"`
	Kubelet   int `json:"kubelet"`
}

// Settings is all that command lines depend on.
type Settings struct {
	// Certs is a folder filled by certs.Ensure.
	Certs string
	// EtcdData is the data folder of etcd.
	EtcdData string
	// Stages is the file with kwok's Stage configuration.
	Stages string
	// Kubeconfig is the path of the kubeconfig of an identity.
	Kubeconfig func(certs.Identity) string
	// AuditPolicy and AuditLog are the files of the API server's audit log;
	// both empty: it keeps none.
	AuditPolicy, AuditLog string
	Ports                 Ports
}

// Args is the command line of n, without the program's name.
func Args(n Name, s Settings) ([]string, error) {
	switch n {
	case Etcd:
		return etcdArgs(s), nil
	case APIServer:
		return apiserverArgs(s), nil
	case ControllerManager:
		return controllerManagerArgs(s), nil
	case Scheduler:
		return schedulerArgs(s), nil
	case Kwok:
		return kwokArgs(s), nil
	default:
		return nil, fmt.Errorf("unknown component %q", n)
	}
}

// Run is the component: it returns the exit code when it ends. It must be
// called once in a process, before anything else, because the components read
// os.Args and keep package state.
func Run(n Name, args []string) int {
	go exitAtEnd(os.NewFile(LifelineFD, "lifeline"))
	run, err := runner(n)
	if err == nil {
		err = run(args)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "devcluster: running %s: %v\n", n, err)
		return 1
	}
	return 0
}

func runner(n Name) (func([]string) error, error) {
	switch n {
	case Etcd:
		return runEtcd, nil
	case APIServer:
		return runAPIServer, nil
	case ControllerManager:
		return runControllerManager, nil
	case Scheduler:
		return runScheduler, nil
	case Kwok:
		return runKwok, nil
	default:
		return nil, errors.New("no such component")
	}
}

// exitAtEnd ends the process when the supervisor is gone. A missing pipe means
// that somebody runs the component by hand, for debugging.
func exitAtEnd(lifeline *os.File) {
	if lifeline == nil {
		return
	}
	if _, err := lifeline.Stat(); err != nil {
		return
	}
	_, _ = lifeline.Read(make([]byte, 1))
	os.Exit(1)
}

func localURL(scheme string, port int) string {
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
}
