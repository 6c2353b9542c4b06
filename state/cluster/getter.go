package cluster

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Getter shows one namespace of a cluster in the form that Helm asks for (its
// RESTClientGetter). It is cheap: what it gives out is shared by the Cluster.
type Getter struct {
	cluster   *Cluster
	namespace string
}

// Getter looks at the cluster from a namespace; empty: the context's own.
func (c *Cluster) Getter(namespace string) *Getter {
	if namespace == "" {
		namespace = c.namespace
	}
	return &Getter{cluster: c, namespace: namespace}
}

// ToRESTConfig gives a private copy, because clients built on kubectl's factory
// write into what they get.
func (g *Getter) ToRESTConfig() (*rest.Config, error) {
	return rest.CopyConfig(g.cluster.config), nil
}

// ToDiscoveryClient gives the shared discovery, cached in memory.
func (g *Getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.cluster.cached, nil
}

// ToRESTMapper gives the shared mapper. It knows no short names.
func (g *Getter) ToRESTMapper() (meta.RESTMapper, error) {
	return g.cluster.mapper, nil
}

// ToRawKubeConfigLoader gives the kubeconfig with the getter's namespace.
func (g *Getter) ToRawKubeConfigLoader() clientcmd.ClientConfig { return loader{g} }

// loader is the kubeconfig as seen through a Getter.
type loader struct{ getter *Getter }

var _ clientcmd.ClientConfig = loader{}

func (l loader) RawConfig() (api.Config, error) {
	raw := *l.getter.cluster.raw.DeepCopy()
	raw.CurrentContext = l.getter.cluster.context
	return raw, nil
}

func (l loader) ClientConfig() (*rest.Config, error) { return l.getter.ToRESTConfig() }

func (l loader) Namespace() (namespace string, overridden bool, err error) {
	return l.getter.namespace, true, nil
}

// ConfigAccess is for writing a kubeconfig, which nothing here does.
func (l loader) ConfigAccess() clientcmd.ConfigAccess { return &clientcmd.PathOptions{} }
