// Package cluster builds Kubernetes clients and reads what is live: release
// records, and why an object is not as it should be. It is the only builder of
// clients; it changes nothing in a cluster.
package cluster

import (
	"net/http"
	"sync"
	"time"

	"github.com/flotilla-sh/flotilla/state"
)

// Options say how clusters are reached. The zero value is what kubectl does
// without flags. The fields that name a server, a user or credentials override
// the kubeconfig for every context, as Helm's HELM_KUBE* variables do.
type Options struct {
	Kubeconfig string // list of files as in KUBECONFIG; empty: KUBECONFIG, then ~/.kube/config, then in-cluster

	Server                string
	CAFile                string
	TLSServerName         string
	InsecureSkipTLSVerify bool
	Token                 string
	ImpersonateUser       string
	ImpersonateGroups     []string

	// WrapTransport is called once per cluster, on the transport below
	// authentication. What it returns must be safe for concurrent use.
	WrapTransport func(http.RoundTripper) http.RoundTripper

	UserAgent   string        // empty: client-go's default
	DialTimeout time.Duration // of one connection attempt; zero: 30 s

	// Retries bounds how often a request is sent again that failed for a reason
	// which passes, and that can be repeated without harm; zero: 14, which takes
	// 40 seconds at least; negative: none.
	Retries int
	// Retrying is told of each attempt that is repeated, where the request's own
	// context names nobody (state.WithRetries). It may be called from several
	// goroutines.
	Retrying func(context string, r state.Retry)

	// Warn gets each distinct warning of an API server once; nil drops them.
	// It may be called from several goroutines.
	Warn func(context, text string)

	// Driver is where Helm keeps release records, as in HELM_DRIVER: secret,
	// secrets, configmap or configmaps; empty: secret.
	Driver string
}

// Clusters are the clusters that a run talks to: one Cluster per context of the
// kubeconfig, built when first asked for. Safe for concurrent use.
type Clusters struct {
	opts Options
	load func() (*kubeconfig, error)

	mu      sync.Mutex
	byName  map[string]func() (*Cluster, error)
	readers chan struct{} // bounds the LISTs under way, over all clusters
}

// New only keeps the options: no file is read and no server contacted before
// Resolve or Get.
func New(opts Options) *Clusters {
	return &Clusters{
		opts:    opts,
		load:    sync.OnceValues(func() (*kubeconfig, error) { return loadKubeconfig(opts.Kubeconfig) }),
		byName:  map[string]func() (*Cluster, error){},
		readers: make(chan struct{}, maxReaders),
	}
}

// Resolve gives a context's name and default namespace; an empty context means
// the current one. It reads the kubeconfig and contacts no server. Errors:
// ErrKubeconfig, ErrContext.
func (c *Clusters) Resolve(context string) (name, namespace string, err error) {
	kc, err := c.load()
	if err != nil {
		return "", "", err
	}
	return kc.resolve(context)
}

// Get gives the one Cluster of a context; an empty context means the current
// one. Building it contacts no server. Errors are those of Resolve and of
// unusable settings in the kubeconfig, such as a certificate that is missing.
func (c *Clusters) Get(context string) (*Cluster, error) {
	name, namespace, err := c.Resolve(context)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	build, ok := c.byName[name]
	if !ok {
		build = sync.OnceValues(func() (*Cluster, error) {
			kc, err := c.load()
			if err != nil {
				return nil, err
			}
			return connect(kc, c.opts, name, namespace)
		})
		c.byName[name] = build
	}
	c.mu.Unlock()
	return build()
}
