package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Identify tells which cluster each context of the ids leads to, ordered by
// context: one GET per cluster. Where the user may not read the namespace
// kube-system the identity is without its UID, which is no error.
func (c *Clusters) Identify(ctx context.Context, ids []spec.ReleaseID) ([]state.ClusterID, error) {
	contexts := map[string]bool{}
	for _, id := range ids {
		contexts[id.Context] = true
	}
	names := slices.Sorted(maps.Keys(contexts))
	found := make([]state.ClusterID, len(names))
	err := parallel(len(names), maxReaders, func(i int) error {
		cluster, err := c.Get(names[i])
		if err != nil {
			return err
		}
		from, err := cluster.store(c.opts.Driver)
		if err != nil {
			return err
		}
		uid, err := cluster.uid(ctx)
		if err != nil {
			return fmt.Errorf("asking which cluster %s is: %w", names[i], err)
		}
		found[i] = state.ClusterID{Context: names[i], UID: uid, Server: cluster.Server(), CA: cluster.authority, Records: from.resource}
		return nil
	})
	return found, err
}

// uid is the one that lasts as long as the cluster: that of a namespace which
// nobody can delete.
func (c *Cluster) uid(ctx context.Context) (string, error) {
	namespace, err := c.kubernetes.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	switch {
	case err == nil:
		return string(namespace.UID), nil
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err):
		return "", nil
	default:
		return "", c.Explain(err, Access{Verb: "get", Resource: "namespaces"})
	}
}

// authorityOf is a digest of the certificates that a server's own is checked
// against; empty: those of the system, or none.
func authorityOf(cfg *rest.Config) (string, error) {
	tls := rest.CopyConfig(cfg)
	if err := rest.LoadTLSFiles(tls); err != nil {
		return "", err
	}
	var certificates [][]byte
	for block, rest := pem.Decode(tls.CAData); block != nil; block, rest = pem.Decode(rest) {
		certificates = append(certificates, block.Bytes)
	}
	if len(certificates) == 0 {
		return "", nil
	}
	slices.SortFunc(certificates, bytes.Compare)
	sum := sha256.Sum256(bytes.Join(certificates, nil))
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
