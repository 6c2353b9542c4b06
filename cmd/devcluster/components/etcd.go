package components

import (
	"errors"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func etcdArgs(s Settings) []string {
	client, peer := localURL("http", s.Ports.Etcd), localURL("http", s.Ports.EtcdPeer)
	return []string{
		"--name=devcluster",
		"--data-dir=" + s.EtcdData,
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=devcluster=" + peer,
		// The data is thrown away after the tests: no need to wait for a disk.
		"--unsafe-no-fsync",
		"--snapshot-count=100000",
		"--quota-backend-bytes=1073741824",
		"--logger=zap",
		"--log-level=warn",
	}
}

// runEtcd returns only if etcd could not start: etcdmain ends the process.
func runEtcd(args []string) error {
	etcdmain.Main(append([]string{"etcd"}, args...))
	return errors.New("etcd returned")
}
