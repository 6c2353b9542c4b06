package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ErrNoKind: nothing defines a kind.
var ErrNoKind = errors.New("kind is not defined")

// Sources are where the kinds of one cluster come from.
type Sources struct {
	// Published are the documents of the server, which need not be all of them.
	Published map[schema.GroupVersion][]byte
	// Applied are definitions that are put into the cluster before objects of
	// their kinds: they win over what is published. Of two for one kind the last
	// counts.
	Applied []*Definition
	// Served are definitions in the cluster. They count where nothing of their
	// kind is published: a server takes a moment to publish a new kind.
	Served []*Definition
	// Added are definitions that only count where the cluster has nothing of their
	// kind, as those in the crds/ folder of a chart.
	Added []*Definition
}

// Catalog knows the kinds of one cluster, as a plan leaves it. Each document is
// parsed, and each schema compiled, when it is first asked for, and once. Safe
// for concurrent use.
type Catalog struct {
	published map[schema.GroupVersion]func() (*Document, error)
	applied   map[schema.GroupKind]*Definition
	served    map[schema.GroupKind]*Definition
	added     map[schema.GroupKind]*Definition

	mu         sync.Mutex
	validators map[schema.GroupVersionKind]func() (*Validator, error)
}

// NewCatalog only keeps the sources: nothing is parsed.
func NewCatalog(from Sources) *Catalog {
	c := &Catalog{
		published:  make(map[schema.GroupVersion]func() (*Document, error), len(from.Published)),
		applied:    byKind(from.Applied),
		served:     byKind(from.Served),
		added:      byKind(from.Added),
		validators: map[schema.GroupVersionKind]func() (*Validator, error){},
	}
	for gv, data := range from.Published {
		c.published[gv] = sync.OnceValues(func() (*Document, error) {
			d, err := Parse(data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", gv, err)
			}
			return d, nil
		})
	}
	return c
}

func byKind(all []*Definition) map[schema.GroupKind]*Definition {
	found := make(map[schema.GroupKind]*Definition, len(all))
	for _, d := range all {
		found[d.Kind] = d
	}
	return found
}

// Type gives the schema of a kind for a walk; the zero Type when nobody knows
// it. Kinds that no document and no definition describes are looked for among
// the built-in ones.
func (c *Catalog) Type(gvk schema.GroupVersionKind) (Type, error) {
	document, err := c.document(gvk)
	if errors.Is(err, ErrNoKind) {
		t, _ := Builtin().Type(gvk)
		return t, nil
	}
	if err != nil {
		return Type{}, err
	}
	t, _, err := document.Type(gvk)
	return t, err
}

// Validator gives what checks objects of a kind. Errors: ErrNoKind, with what
// there is instead, and schemas that cannot be read.
func (c *Catalog) Validator(gvk schema.GroupVersionKind) (*Validator, error) {
	c.mu.Lock()
	find := c.validators[gvk]
	if find == nil {
		find = sync.OnceValues(func() (*Validator, error) { return c.compile(gvk) })
		c.validators[gvk] = find
	}
	c.mu.Unlock()
	return find()
}

func (c *Catalog) compile(gvk schema.GroupVersionKind) (*Validator, error) {
	document, err := c.document(gvk)
	if err != nil {
		return nil, err
	}
	v, _, err := document.Validator(gvk)
	return v, err
}

// document finds what describes a kind.
func (c *Catalog) document(gvk schema.GroupVersionKind) (*Document, error) {
	if d := c.applied[gvk.GroupKind()]; d != nil {
		return d.serving(gvk)
	}
	if d, err := c.inCluster(gvk); d != nil || err != nil {
		return d, err
	}
	if d := c.added[gvk.GroupKind()]; d != nil {
		return d.serving(gvk)
	}
	return nil, ErrNoKind
}

// inCluster finds what describes a kind that the cluster has; nil: nothing.
func (c *Catalog) inCluster(gvk schema.GroupVersionKind) (*Document, error) {
	if parse := c.published[gvk.GroupVersion()]; parse != nil {
		if d, err := parse(); err != nil || d.Has(gvk) {
			return d, err
		}
	}
	if d := c.served[gvk.GroupKind()]; d != nil && slices.Contains(d.Versions, gvk.Version) {
		return d.Document, nil
	}
	return nil, nil
}

// Find reports whether the catalog has a kind; ErrNoKind tells that it has not.
func (c *Catalog) Find(gvk schema.GroupVersionKind) error {
	_, err := c.document(gvk)
	return err
}

// Serves reports whether the cluster has a kind already, in that version.
func (c *Catalog) Serves(gvk schema.GroupVersionKind) bool {
	d, err := c.inCluster(gvk)
	return d != nil && err == nil
}

// serving gives the schemas of a definition if it serves the version.
func (d *Definition) serving(gvk schema.GroupVersionKind) (*Document, error) {
	if slices.Contains(d.Versions, gvk.Version) {
		return d.Document, nil
	}
	return nil, &NotServed{Definition: d.Name, Version: gvk.Version, Versions: d.Versions}
}

// NotServed is a version that the definition of a kind, which is part of a plan,
// does not serve.
type NotServed struct {
	Definition string
	Version    string
	Versions   []string // served ones
}

// Error names the versions that there are.
func (e *NotServed) Error() string {
	return fmt.Sprintf("the definition %s in this plan serves %s and not %s", e.Definition, strings.Join(e.Versions, ", "), e.Version)
}

// Is makes a NotServed match ErrNoKind.
func (e *NotServed) Is(target error) bool { return target == ErrNoKind }
