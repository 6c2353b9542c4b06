package cluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Cluster is the one way to a cluster that everything in a run shares: one
// transport, one cached discovery, one mapper. Safe for concurrent use.
type Cluster struct {
	context   string
	namespace string
	server    *url.URL
	authority string // authorityOf
	raw       api.Config
	config    *rest.Config // for others: the transport is final, nothing to authenticate is left in it

	kubernetes *kubernetes.Clientset
	dynamic    *dynamic.DynamicClient
	discovery  *discovery.DiscoveryClient
	cached     discovery.CachedDiscoveryInterface
	mapper     *restmapper.DeferredDiscoveryRESTMapper

	versionLock sync.Mutex
	version     *version.Info

	documents documents

	wideDenied atomic.Bool // a LIST over all namespaces was refused once
}

// connect builds the clients of a context. It contacts no server.
func connect(kc *kubeconfig, opts Options, name, namespace string) (*Cluster, error) {
	cfg, err := kc.restConfig(name, opts)
	if err != nil {
		return nil, fmt.Errorf("%w: context %q: %w", ErrKubeconfig, name, err)
	}
	authority, err := authorityOf(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: context %q: %w", ErrKubeconfig, name, err)
	}
	shared, server, err := share(cfg, opts, name)
	if err != nil {
		return nil, fmt.Errorf("%w: context %q: %w", ErrKubeconfig, name, err)
	}
	c := &Cluster{context: name, namespace: namespace, server: server, authority: authority, raw: kc.raw, config: shared}
	if err := c.buildClients(); err != nil {
		return nil, fmt.Errorf("building clients of context %q: %w", name, err)
	}
	return c, nil
}

// share turns cfg into one whose transport is already built, so that whoever
// makes a client of a copy uses the same connections and wraps nothing twice.
func share(cfg *rest.Config, opts Options, name string) (*rest.Config, *url.URL, error) {
	server, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, nil, err
	}
	timeout := opts.DialTimeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	cfg.Dial = (&net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}).DialContext
	if cfg.UserAgent = opts.UserAgent; cfg.UserAgent == "" {
		cfg.UserAgent = rest.DefaultKubernetesUserAgent()
	}
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return wire{next} })
	if opts.WrapTransport != nil {
		cfg.Wrap(opts.WrapTransport)
	}
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		return nil, nil, err
	}
	return &rest.Config{
		Host:      server.String(),
		Transport: newPatient(transport, opts, name),
		UserAgent: cfg.UserAgent,
		// The server's priority and fairness paces clients better than a
		// client that knows nothing of its load.
		QPS:                       -1,
		WarningHandlerWithContext: &warnings{context: name, warn: opts.Warn},
	}, server, nil
}

func (c *Cluster) buildClients() error {
	client := &http.Client{Transport: c.config.Transport}
	typed := rest.CopyConfig(c.config)
	typed.ContentType = runtime.ContentTypeProtobuf
	typed.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	var err error
	if c.kubernetes, err = kubernetes.NewForConfigAndClient(typed, client); err != nil {
		return err
	}
	if c.dynamic, err = dynamic.NewForConfigAndClient(rest.CopyConfig(c.config), client); err != nil {
		return err
	}
	if c.discovery, err = discovery.NewDiscoveryClientForConfigAndClient(rest.CopyConfig(c.config), client); err != nil {
		return err
	}
	c.cached = memory.NewMemCacheClient(c.discovery)
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(c.cached)
	return nil
}

// Context is the name of the kubeconfig context.
func (c *Cluster) Context() string { return c.context }

// Namespace is the context's default namespace.
func (c *Cluster) Namespace() string { return c.namespace }

// Server is the URL of the API server, without credentials.
func (c *Cluster) Server() string { return c.server.Redacted() }

// Kubernetes is the shared client of built-in kinds. It speaks protobuf.
func (c *Cluster) Kubernetes() kubernetes.Interface { return c.kubernetes }

// Dynamic is the shared client of any kind.
func (c *Cluster) Dynamic() dynamic.Interface { return c.dynamic }

// ServerVersion asks the server for its version, once a run.
func (c *Cluster) ServerVersion(ctx context.Context) (*version.Info, error) {
	c.versionLock.Lock()
	defer c.versionLock.Unlock()
	if c.version == nil {
		v, err := c.discovery.ServerVersionWithContext(ctx)
		if err != nil {
			return nil, c.Explain(err, Access{Verb: "get", Resource: "/version"})
		}
		c.version = v
	}
	v := *c.version
	return &v, nil
}

// APIVersions lists what the server serves as Helm's capabilities do it:
// "group/version" and "group/version/Kind", sorted. It comes from the shared
// discovery. Groups that cannot be listed, such as a broken aggregated API, are
// left out, as Helm does.
func (c *Cluster) APIVersions(ctx context.Context) ([]string, error) {
	groups, resources, err := discovery.ToDiscoveryInterfaceWithContext(c.cached).ServerGroupsAndResourcesWithContext(ctx)
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, c.Explain(err, Access{Verb: "get", Resource: "/apis"})
	}
	found := map[string]struct{}{}
	for _, g := range groups {
		for _, v := range g.Versions {
			found[v.GroupVersion] = struct{}{}
		}
	}
	for _, list := range resources {
		for _, r := range list.APIResources {
			found[path.Join(list.GroupVersion, r.Kind)] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// Invalidate forgets what discovery and the mapper know. To be called after
// custom resource definitions came or went. Documents of OpenAPI stay: schemas
// are looked at before anything is written.
func (c *Cluster) Invalidate() { c.mapper.Reset() }

// warnings hands each distinct warning of a server on, once.
type warnings struct {
	context string
	warn    func(context, text string)
	seen    sync.Map
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
// Code 299 is the only one that Kubernetes sends on purpose.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, code int, _ string, text string) {
	if w.warn == nil || code != 299 || text == "" {
		return
	}
	if _, old := w.seen.LoadOrStore(text, true); !old {
		w.warn(w.context, text)
	}
}
