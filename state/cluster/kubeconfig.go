package cluster

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// inClusterContext is the name of the only context of a pod without kubeconfig.
const inClusterContext = "in-cluster"

// inClusterNamespace is where Kubernetes mounts a pod's own namespace.
const inClusterNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// kubeconfig is the merged kubeconfig, or the place of a pod in its cluster.
type kubeconfig struct {
	raw       api.Config
	rules     *clientcmd.ClientConfigLoadingRules
	inCluster *rest.Config // nil: raw counts
}

func loadKubeconfig(paths string) (*kubeconfig, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if paths != "" {
		rules = &clientcmd.ClientConfigLoadingRules{Precedence: filepath.SplitList(paths)}
	}
	rules.WarnIfAllMissing = false
	raw, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKubeconfig, err)
	}
	if len(raw.Contexts) > 0 {
		return &kubeconfig{raw: *raw, rules: rules}, nil
	}
	if paths == "" {
		in, err := rest.InClusterConfig()
		if err == nil {
			return &kubeconfig{raw: *raw, rules: rules, inCluster: in}, nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return nil, fmt.Errorf("%w: reading the pod's service account: %w", ErrKubeconfig, err)
		}
	}
	return nil, fmt.Errorf("%w: no context in %s: set KUBECONFIG or --kubeconfig to a file that has one",
		ErrKubeconfig, strings.Join(rules.GetLoadingPrecedence(), ", "))
}

func (kc *kubeconfig) resolve(context string) (name, namespace string, err error) {
	if kc.inCluster != nil {
		if context != "" && context != inClusterContext {
			return "", "", fmt.Errorf("%w: %q: there is no kubeconfig, only this pod's cluster (context %q)",
				ErrContext, context, inClusterContext)
		}
		return inClusterContext, podNamespace(), nil
	}
	if context == "" {
		context = kc.raw.CurrentContext
	}
	known := strings.Join(slices.Sorted(maps.Keys(kc.raw.Contexts)), ", ")
	if context == "" {
		return "", "", fmt.Errorf("%w: no current context is set: name one of %s", ErrContext, known)
	}
	found, ok := kc.raw.Contexts[context]
	if !ok {
		return "", "", fmt.Errorf("%w: %q: it has %s", ErrContext, context, known)
	}
	if found.Namespace == "" {
		return context, "default", nil
	}
	return context, found.Namespace, nil
}

func podNamespace() string {
	data, err := os.ReadFile(inClusterNamespace)
	if ns := strings.TrimSpace(string(data)); err == nil && ns != "" {
		return ns
	}
	return "default"
}

// restConfig is the config of one context with the overrides of opts.
func (kc *kubeconfig) restConfig(name string, opts Options) (*rest.Config, error) {
	if kc.inCluster != nil {
		cfg := rest.CopyConfig(kc.inCluster)
		cfg.Impersonate = rest.ImpersonationConfig{UserName: opts.ImpersonateUser, Groups: opts.ImpersonateGroups}
		return cfg, nil
	}
	overrides := &clientcmd.ConfigOverrides{
		ClusterInfo: api.Cluster{
			Server:                opts.Server,
			CertificateAuthority:  opts.CAFile,
			TLSServerName:         opts.TLSServerName,
			InsecureSkipTLSVerify: opts.InsecureSkipTLSVerify,
		},
		AuthInfo: api.AuthInfo{
			Token:             opts.Token,
			Impersonate:       opts.ImpersonateUser,
			ImpersonateGroups: opts.ImpersonateGroups,
		},
	}
	return clientcmd.NewNonInteractiveClientConfig(kc.raw, name, overrides, kc.rules).ClientConfig()
}
