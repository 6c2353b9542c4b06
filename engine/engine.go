// Package engine is Helm, adapted: it renders charts and installs, upgrades,
// rolls back and uninstalls releases through Helm's own actions.
//
// # Decisions
//
// What Render gave is what Install and Upgrade store and apply, byte for byte,
// without rendering again. The action gets a frozen chart whose templates only
// print the reviewed documents, and the storage driver puts the real chart back
// into the record that it writes; a record that differs from what was reviewed
// is refused before anything is applied. A post-renderer that replays a stream
// was rejected: Helm writes the YAML of post-rendered documents anew.
//
// Nothing that Helm made is shared between operations: each has its own
// Configuration, chart and client. Shared are the connection, discovery and
// mapper of state/cluster, which are made for it.
//
// Patches and transformers of a release are applied to what its chart renders,
// hooks included, in one render and before a post-renderer. helmfile renders a
// temporary chart twice, which loses notes, lookups and the release's revision.
// What is patched comes from one file, templates/patched_resources.yaml, in the
// order of kustomize, because releases that helmfile made look like that: so
// nothing changes for who comes from there.
//
// Operations run to their end on a background context and are cancelled only
// through their waits and between groups of objects. A cancelled operation
// therefore leaves a failed record and no goroutine. Helm's own
// rollback-on-failure is never used: undoing is the executor's.
package engine

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"helm.sh/helm/v4/pkg/kube"

	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/engine/kustomize"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// Charts brings charts. *chart.Store is one.
type Charts interface {
	Get(ctx context.Context, ref spec.Chart) (*chart.Chart, error)
	Open(digest string) (*chart.Chart, error)
	Derive(ctx context.Context, c *chart.Chart, ref spec.Chart, d chart.Derivation) (*chart.Chart, error)
	Fetch(ctx context.Context, url string) (path string, err error)
}

var _ Charts = (*chart.Store)(nil)

// Options are what an Engine works with. Charts is always needed, Clusters for
// everything but offline rendering and linting.
type Options struct {
	Charts   Charts
	Clusters func(context string) (*cluster.Cluster, error)
	Log      *slog.Logger // nil: nothing is logged
	// HookLogs receives the container logs of hooks that ask for it with
	// helm.sh/hook-output-log-policy, and of pods that a release tracks with
	// trackLogs; nil: they are dropped.
	HookLogs func(id spec.ReleaseID, pod, container string) io.Writer
	// Warn is told what does not fail an operation; nil: nobody is.
	Warn func(id spec.ReleaseID, text string)
	// Run is the ID of the run, which namespaces carry that it creates: so they are
	// known as its own even if it is killed. Empty: they carry none.
	Run string
	// Driver is where release records are kept, as HELM_DRIVER says it: secret
	// or configmap; empty: secret. Helm's other drivers are not supported.
	Driver string
	// NoExec starts no program that a state file names: post-renderers are
	// refused, and so are remote resources of kustomizations, for which git
	// would be run.
	NoExec bool
	// Concurrency bounds the requests that one operation has under way while
	// it applies objects; zero: 10.
	Concurrency int
	// Stop, when it ends, cuts off the requests of operations too, which then only
	// have a few seconds to write their records; nil: it never does. The context of
	// an operation lets them end.
	Stop context.Context
}

// Engine performs operations on releases. It is safe for concurrent use; the
// caller sees to it that one release has one operation at a time.
type Engine struct {
	opts Options
	log  *slog.Logger

	kustomize kustomize.Builder

	mu       sync.Mutex
	clusters map[string]*target
	adopted  map[spec.ReleaseID]kube.ResourceList // what takeOwnership took over, by this Engine
}

// claimFieldManager makes us one field manager with the helm CLI. Helm would
// otherwise take the name of our binary and conflict with every release that
// was installed by the CLI.
var claimFieldManager = sync.OnceFunc(func() { kube.ManagedFieldsManager = "helm" })

// New makes an Engine. It contacts nothing.
func New(opts Options) *Engine {
	claimFieldManager()
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if opts.Concurrency <= 0 {
		opts.Concurrency = 10
	}
	return &Engine{opts: opts, log: log, clusters: map[string]*target{}, adopted: map[spec.ReleaseID]kube.ResourceList{}}
}

// Helm's own defaults: helm.sh/helm/v4/pkg/cmd, flags --timeout of upgrade and
// uninstall.
const defaultTimeout = 300 * time.Second

func timeoutOf(d time.Duration) time.Duration {
	if d <= 0 {
		return defaultTimeout
	}
	return d
}
