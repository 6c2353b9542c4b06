package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/flotilla-sh/flotilla/cmd/bench/traffic"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// bench is one run of all measurements.
type bench struct {
	options
	dir     string
	tools   []tool
	cluster *cluster.Cluster
	proxy   *traffic.Proxy
	through string // kubeconfig of the proxy
	marks   int
}

func newBench(o options, dir string) (*bench, error) {
	var err error
	if o.kubeconfig, err = filepath.Abs(o.kubeconfig); err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir, through: filepath.Join(dir, "proxy.kubeconfig")}
	if b.tools, err = o.tools(dir); err != nil {
		return nil, err
	}
	clusters := cluster.New(cluster.Options{Kubeconfig: o.kubeconfig})
	if b.cluster, err = clusters.Get(""); err != nil {
		return nil, err
	}
	config, err := b.cluster.Getter("").ToRESTConfig()
	if err != nil {
		return nil, err
	}
	if b.proxy, err = traffic.Listen(config.Host, config.Transport); err != nil {
		return nil, err
	}
	return b, os.WriteFile(b.through, b.proxy.Kubeconfig(), 0o600)
}

// all measures every work with every set. A first apply has a set of its own
// kind, because it is given in objects.
func (b *bench) all(ctx context.Context) ([]result, error) {
	var results []result
	for _, size := range b.sizes {
		for _, kind := range b.sets {
			s, err := newSet(b.dir, kind, size)
			if err != nil {
				return nil, err
			}
			found, err := b.deployed(ctx, s)
			if err != nil {
				return nil, err
			}
			results = append(results, found...)
		}
		if !slices.Contains(b.works, workInstall) {
			continue
		}
		s, err := newSet(b.dir, setFive, size)
		if err != nil {
			return nil, err
		}
		found, err := b.compare(ctx, workInstall, s, func(run string) (place, func() error, error) { return b.empty(ctx, s, run) })
		if err != nil {
			return nil, err
		}
		results = append(results, found...)
	}
	return results, nil
}

// deployed measures the works on releases that are there already.
func (b *bench) deployed(ctx context.Context, s set) ([]result, error) {
	at, remove, err := b.empty(ctx, s, "deployed")
	if err != nil {
		return nil, err
	}
	at.kubeconfig = b.kubeconfig
	b.progress("%s: installing", s)
	if _, err := b.measure(ctx, gently(b.tool("flotilla")), workInstall, at); err != nil {
		return nil, err
	}
	var results []result
	for _, work := range []string{workDiff, workChange} {
		if !slices.Contains(b.works, work) {
			continue
		}
		found, err := b.compare(ctx, work, s, func(string) (place, func() error, error) { return at, nothing, b.change(work, at) })
		if err != nil {
			return nil, err
		}
		results = append(results, found...)
	}
	return results, remove()
}

// gently makes a tool of ours work on few releases at once: what is not measured
// need not ask as much of a small API server as it bears.
func gently(t tool) tool {
	commands := t.commands
	t.commands = func(work string, at place) [][]string {
		lines := commands(work, at)
		for i := range lines {
			lines[i] = append(lines[i], "--concurrency", "8")
		}
		return lines
	}
	return t
}

func nothing() error { return nil }

// change gives the first release of a set another value.
func (b *bench) change(work string, at place) error {
	if work != workChange {
		return nil
	}
	b.marks++
	return at.write(at.namespace, fmt.Sprintf("change %d", b.marks))
}

// compare runs the tools in turn, so that what else the machine does meets all
// of them alike, and then each once more through the proxy.
func (b *bench) compare(ctx context.Context, work string, s set, ready func(run string) (place, func() error, error)) ([]result, error) {
	samples := map[string][]sample{}
	counted := map[string]traffic.Count{}
	for round := range b.rounds + 1 {
		for _, t := range b.tools {
			if t.commands(work, place{}) == nil || !b.takesPart(t, s, round) {
				continue
			}
			b.progress("%s %s: %s, round %d of %d", work, s, t.name, round+1, b.rounds+1)
			at, done, err := ready(fmt.Sprintf("%s-%d", t.name, round))
			if err != nil {
				return nil, err
			}
			at.kubeconfig = b.kubeconfig
			if round == b.rounds {
				at.kubeconfig = b.through
				b.proxy.Take()
			}
			took, err := b.measure(ctx, t, work, at)
			if err != nil {
				return nil, err
			}
			if round == b.rounds {
				counted[t.name] = b.proxy.Take()
			} else {
				samples[t.name] = append(samples[t.name], took)
			}
			if err := done(); err != nil {
				return nil, err
			}
		}
	}
	objects, err := s.objects()
	if err != nil {
		return nil, err
	}
	var results []result
	for _, t := range b.tools {
		if all := samples[t.name]; len(all) > 0 {
			results = append(results, result{
				Work: work, Set: s.kind, Size: s.size, Objects: objects, Tool: t.name, Rounds: len(all),
				sample: median(all), Count: counted[t.name],
			})
		}
	}
	// As soon as it is known: a run may take long, and be interrupted.
	_, err = io.WriteString(os.Stdout, table(results))
	return results, err
}

// takesPart says whether a tool runs in a round; the last one counts requests.
func (b *bench) takesPart(t tool, s set, round int) bool {
	if !t.other {
		return true
	}
	return s.size <= b.otherUpTo && (round < b.otherRounds || round == b.rounds)
}

func (b *bench) tool(name string) tool {
	return b.tools[slices.IndexFunc(b.tools, func(t tool) bool { return t.name == name })]
}

// measure runs a tool with caches of the run, which the first one fills.
func (b *bench) measure(ctx context.Context, t tool, work string, at place) (sample, error) {
	env := append(os.Environ(), "KUBECONFIG="+at.kubeconfig, "XDG_CACHE_HOME="+filepath.Join(b.dir, "cache"))
	return measure(ctx, at.dir, env, t.commands(work, at))
}

// empty makes a namespace for one run, and state files that use it.
func (b *bench) empty(ctx context.Context, s set, run string) (place, func() error, error) {
	at := place{set: s}
	prefix := strings.Join([]string{"bench", s.String(), run, ""}, "-")
	made, err := b.cluster.Kubernetes().CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix}}, metav1.CreateOptions{})
	if err != nil {
		return at, nil, err
	}
	at.namespace = made.Name
	return at, func() error { return b.remove(ctx, made.Name) }, s.write(made.Name, "0")
}

// remove waits until the namespace is gone: its end is work for the cluster,
// which the next run would pay.
func (b *bench) remove(ctx context.Context, name string) error {
	namespaces := b.cluster.Kubernetes().CoreV1().Namespaces()
	one := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
	if err := namespaces.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	for { // a server may end a watch at any time
		left, err := namespaces.List(ctx, one)
		if err != nil || len(left.Items) == 0 {
			return err
		}
		one.ResourceVersion = left.ResourceVersion
		changes, err := namespaces.Watch(ctx, one)
		if err != nil {
			return err
		}
		for change := range changes.ResultChan() {
			if change.Type == watch.Deleted {
				changes.Stop()
				return nil
			}
		}
		one.ResourceVersion = ""
	}
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
