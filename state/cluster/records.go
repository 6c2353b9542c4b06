package cluster

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// pageSize keeps one answer of a LIST small: a record has up to 1 MiB.
	pageSize = 250
	// maxReaders bounds the LISTs under way at once.
	maxReaders = 16
	// wideFrom is the number of namespaces of a cluster from which one LIST of
	// all namespaces costs less than one for each.
	wideFrom = 24
	// maxNames bounds the names in a selector, which travel in the URL: proxies
	// commonly refuse more than 8 KiB.
	maxNames = 4 << 10
)

// record is one release record, still encoded.
type record struct {
	namespace string
	name      string // of the Secret or ConfigMap
	labels    map[string]string
	data      []byte
	writer    string // field manager; empty: unknown
}

// release is the name of the record's release.
func (r record) release() string { return r.labels["name"] }

// page is one answer of a LIST.
type page struct {
	records []record
	next    string // continue token; empty: the last page
}

// store is where Helm keeps its records in a cluster: one of its drivers.
type store struct {
	cluster  *Cluster
	resource string
	kind     string
	list     func(ctx context.Context, namespace string, opts metav1.ListOptions) (page, error)
}

// store picks the driver by the names that Helm's Configuration.Init takes.
func (c *Cluster) store(driver string) (store, error) {
	switch driver {
	case "", "secret", "secrets":
		return store{cluster: c, resource: "secrets", kind: "Secret", list: c.secretRecords}, nil
	case "configmap", "configmaps":
		return store{cluster: c, resource: "configmaps", kind: "ConfigMap", list: c.configMapRecords}, nil
	default:
		return store{}, fmt.Errorf("%w: HELM_DRIVER is %q: use secret or configmap", ErrDriver, driver)
	}
}

func (c *Cluster) secretRecords(ctx context.Context, namespace string, opts metav1.ListOptions) (page, error) {
	list, err := c.kubernetes.CoreV1().Secrets(namespace).List(ctx, opts)
	if err != nil {
		return page{}, err
	}
	p := page{next: list.Continue}
	for _, s := range list.Items {
		p.records = append(p.records, record{s.Namespace, s.Name, s.Labels, s.Data["release"], writer(s.ManagedFields)})
	}
	return p, nil
}

func (c *Cluster) configMapRecords(ctx context.Context, namespace string, opts metav1.ListOptions) (page, error) {
	list, err := c.kubernetes.CoreV1().ConfigMaps(namespace).List(ctx, opts)
	if err != nil {
		return page{}, err
	}
	p := page{next: list.Continue}
	for _, m := range list.Items {
		p.records = append(p.records, record{m.Namespace, m.Name, m.Labels, []byte(m.Data["release"]), writer(m.ManagedFields)})
	}
	return p, nil
}

// writer is the field manager that wrote an object last. Programs that use
// client-go are known by their names there.
func writer(fields []metav1.ManagedFieldsEntry) string {
	var last metav1.ManagedFieldsEntry
	for _, f := range fields {
		if last.Time == nil || f.Time != nil && !f.Time.Before(last.Time) {
			last = f
		}
	}
	return last.Manager
}

// records lists all records of a namespace that a selector matches; an empty
// namespace means all. A namespace that does not exist has none.
func (s store) records(ctx context.Context, namespace, selector string) ([]record, error) {
	opts := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	var all []record
	for {
		p, err := s.list(ctx, namespace, opts)
		if apierrors.IsResourceExpired(err) && opts.Continue != "" {
			// The pages took so long that the server forgot their snapshot: one
			// answer with everything is consistent again.
			all, opts.Continue, opts.Limit = nil, "", 0
			continue
		}
		if err != nil {
			return nil, s.cluster.Explain(err, Access{Verb: "list", Resource: s.resource, Namespace: namespace})
		}
		all = append(all, p.records...)
		if p.next == "" {
			return all, nil
		}
		opts.Continue = p.next
	}
}

// selector matches the records of Helm that count: all of the named releases, or
// of any release when names is empty or too long for a URL.
func selector(base string, names []string) string {
	joined := strings.Join(names, ",")
	if joined == "" || len(joined) > maxNames {
		return base
	}
	return base + ",name in (" + joined + ")"
}
