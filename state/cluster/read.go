package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

const (
	// ownedByHelm selects every record of Helm.
	ownedByHelm = "owner=helm"
	// current leaves out the superseded revisions, which are most of the payload.
	current = ownedByHelm + ",status!=superseded"
)

// Read looks at the records of the given releases, without superseded
// revisions: one LIST per cluster and namespace, or one per cluster where many
// namespaces are in use and the user may list them all. A release without
// records is not in the snapshot. Every id needs its namespace (Spec.Bind).
//
// Errors of all clusters and records are joined; there is no partial snapshot.
func (c *Clusters) Read(ctx context.Context, ids []spec.ReleaseID) (state.Snapshot, error) {
	wanted, err := c.group(ids)
	if err != nil {
		return nil, err
	}
	found := make([][]located, len(wanted))
	err = parallel(len(wanted), len(wanted), func(i int) error {
		var err error
		found[i], err = c.readCluster(ctx, wanted[i])
		return err
	})
	if err != nil {
		return nil, err
	}
	releases, err := decodeAll(slices.Concat(found...))
	if err != nil {
		return nil, err
	}
	snapshot := state.Snapshot{}
	for _, r := range releases {
		snapshot[r.ID] = r
	}
	return snapshot, nil
}

// History reads every revision of a release, superseded ones too, ascending.
// There is none when the release has no records.
func (c *Clusters) History(ctx context.Context, id spec.ReleaseID) ([]state.Revision, error) {
	wanted, err := c.group([]spec.ReleaseID{id})
	if err != nil {
		return nil, err
	}
	if len(validation.IsValidLabelValue(id.Name)) > 0 {
		return nil, nil // Helm could not have stored it
	}
	from := wanted[0].store
	records, err := c.list(ctx, from, id.Namespace, selector(ownedByHelm, []string{id.Name}))
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s: %w", id, err)
	}
	releases, err := decodeAll(locate(from, id.Context, records, nil))
	if err != nil || len(releases) == 0 {
		return nil, err
	}
	return releases[0].History, nil
}

// List reads every release of a namespace, without superseded revisions,
// ordered by id; an empty namespace means all namespaces.
func (c *Clusters) List(ctx context.Context, context, namespace string) ([]state.Release, error) {
	cluster, err := c.Get(context)
	if err != nil {
		return nil, err
	}
	from, err := cluster.store(c.opts.Driver)
	if err != nil {
		return nil, err
	}
	records, err := c.list(ctx, from, namespace, current)
	if err != nil {
		return nil, fmt.Errorf("listing releases: %w", err)
	}
	return decodeAll(locate(from, cluster.Context(), records, nil))
}

// list bounds the LISTs of all clusters together.
func (c *Clusters) list(ctx context.Context, from store, namespace, selector string) ([]record, error) {
	select {
	case c.readers <- struct{}{}:
		defer func() { <-c.readers }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return from.records(ctx, namespace, selector)
}

// wanted are the releases to read in one cluster.
type wanted struct {
	context string // as the ids have it
	store   store
	names   map[string][]string // by namespace
}

// key tells releases of one cluster apart.
type key struct{ namespace, name string }

func (w wanted) keys() map[key]bool {
	keys := map[key]bool{}
	for namespace, names := range w.names {
		for _, name := range names {
			keys[key{namespace, name}] = true
		}
	}
	return keys
}

// group sorts ids by cluster. It fails for all contexts that are not there.
func (c *Clusters) group(ids []spec.ReleaseID) ([]wanted, error) {
	byContext := map[string]*wanted{}
	var errs []error
	for _, id := range slices.Compact(slices.SortedFunc(slices.Values(ids), spec.ReleaseID.Compare)) {
		if id.Namespace == "" || id.Name == "" {
			errs = append(errs, fmt.Errorf("reading release %q: its namespace or name is empty", id))
			continue
		}
		w, ok := byContext[id.Context]
		if !ok {
			w = &wanted{context: id.Context, names: map[string][]string{}}
			byContext[id.Context] = w
			cluster, err := c.Get(id.Context)
			if err == nil {
				w.store, err = cluster.store(c.opts.Driver)
			}
			errs = append(errs, err)
		}
		w.names[id.Namespace] = append(w.names[id.Namespace], id.Name)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	all := make([]wanted, 0, len(byContext))
	for _, context := range slices.Sorted(maps.Keys(byContext)) {
		all = append(all, *byContext[context])
	}
	return all, nil
}

// readCluster reads the records of one cluster, in the way that costs least.
func (c *Clusters) readCluster(ctx context.Context, w wanted) ([]located, error) {
	cluster := w.store.cluster
	if len(w.names) >= wideFrom && !cluster.wideDenied.Load() {
		names := labelValues(slices.Concat(slices.Collect(maps.Values(w.names))...))
		records, err := c.list(ctx, w.store, "", selector(current, names))
		if err == nil {
			return locate(w.store, w.context, records, w.keys()), nil
		}
		if !errors.Is(err, ErrForbidden) {
			return nil, fmt.Errorf("reading releases: %w", err)
		}
		cluster.wideDenied.Store(true)
	}
	namespaces := slices.Sorted(maps.Keys(w.names))
	found := make([][]record, len(namespaces))
	err := parallel(len(namespaces), maxReaders, func(i int) error {
		names := labelValues(w.names[namespaces[i]])
		if len(names) == 0 {
			return nil
		}
		var err error
		if found[i], err = c.list(ctx, w.store, namespaces[i], selector(current, names)); err != nil {
			return fmt.Errorf("reading releases: %w", err)
		}
		return nil
	})
	return locate(w.store, w.context, slices.Concat(found...), w.keys()), err
}

// labelValues drops names that cannot be a label: Helm stores no such release,
// and a server refuses a selector with one.
func labelValues(names []string) []string {
	valid := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return len(validation.IsValidLabelValue(name)) > 0
	})
	slices.Sort(valid)
	return slices.Compact(valid)
}

// located is a record and the release that it belongs to.
type located struct {
	record
	id   spec.ReleaseID
	kind string
}

// locate keeps the records whose release is wanted; nil wants all.
func locate(from store, context string, records []record, wanted map[key]bool) []located {
	var kept []located
	for _, r := range records {
		if wanted == nil || wanted[key{r.namespace, r.release()}] {
			id := spec.ReleaseID{Context: context, Namespace: r.namespace, Name: r.release()}
			kept = append(kept, located{record: r, id: id, kind: from.kind})
		}
	}
	return kept
}

// decodeAll makes releases of records, on all cores, ordered by id.
func decodeAll(records []located) ([]state.Release, error) {
	revisions := make([]state.Revision, len(records))
	workers := min(runtime.GOMAXPROCS(0), len(records))
	err := parallel(workers, workers, func(worker int) error {
		var d decoder
		var errs []error
		for i := worker; i < len(records); i += workers {
			r := records[i]
			rev, err := d.revision(r.data, r.labels)
			if err != nil {
				errs = append(errs, fmt.Errorf("reading the record of %s in %s %s/%s: it is corrupt: %w",
					r.id, r.kind, r.namespace, r.name, err))
			}
			rev.Writer = r.writer
			revisions[i] = rev
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, err
	}
	byID := map[spec.ReleaseID]state.Release{}
	for i, r := range records {
		release := byID[r.id]
		release.ID = r.id
		release.History = append(release.History, revisions[i])
		byID[r.id] = release
	}
	releases := make([]state.Release, 0, len(byID))
	for _, r := range byID {
		slices.SortFunc(r.History, func(a, b state.Revision) int { return cmp.Compare(a.Number, b.Number) })
		r.Phase = state.PhaseOf(r.Last().Status)
		releases = append(releases, r)
	}
	slices.SortFunc(releases, func(a, b state.Release) int { return a.ID.Compare(b.ID) })
	return releases, nil
}

// parallel calls do for 0..n-1, at most limit at once, waits for all, and joins
// their errors in order.
func parallel(n, limit int, do func(i int) error) error {
	errs := make([]error, n)
	slots := make(chan struct{}, max(limit, 1))
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
