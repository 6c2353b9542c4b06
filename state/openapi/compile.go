package openapi

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// node is a schema in the form that validating wants. Nodes may form cycles.
type node struct {
	name  string // of the schema, where it has one
	goes  bool   // decoded into a Go type, with the rules of that
	types string // JSON type; empty: any

	fields   map[string]*node
	required []string
	structs  []string // fields that are structs and no pointers in Go
	extra    *node    // of fields without a name; nil: see free
	free     bool     // fields without a name are taken
	preserve bool
	items    *node
	list     ListKind
	keys     []string

	intOrString, quantity, nullable bool
	format                          string
	enum                            []any
	pattern                         *regexp.Regexp
	limits                          *spec.Schema // numbers, lengths and counts; nil: none
	fallback                        any          // default

	all, any, one []*node
	not           *node
}

// Validator checks objects of one kind. It is compiled once and is safe for
// concurrent use.
type Validator struct{ root *node }

// Custom reports whether the kind comes from a custom resource definition, and
// not from a Go type of the server.
func (v *Validator) Custom() bool { return !v.root.goes }

// Validator compiles the schema of a kind, once; false if the document has none.
func (d *Document) Validator(gvk schema.GroupVersionKind) (*Validator, bool, error) {
	name, ok := d.kinds[gvk]
	if !ok {
		return nil, false, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	goes := false // what a custom resource refers to is its metadata alone
	for _, ref := range refsIn(d.raw[name]) {
		goes = goes || !strings.HasSuffix(ref, ".ObjectMeta")
	}
	c := compiler{document: d}
	root, err := c.named(name, goes || strings.HasPrefix(name, "io.k8s.api."))
	if err != nil {
		return nil, false, fmt.Errorf("reading the schema of %s: %w", gvk, err)
	}
	return &Validator{root: root}, true, nil
}

type compiler struct{ document *Document }

// named compiles a schema with a name. What is referred to is always of a Go
// type.
func (c compiler) named(name string, goes bool) (*node, error) {
	if n := c.document.nodes[name]; n != nil {
		return n, nil
	}
	s, err := c.document.decode(name)
	if err != nil {
		return nil, err
	}
	n := &node{name: name}
	c.document.nodes[name] = n
	if err := c.fill(n, s, goes); err != nil {
		delete(c.document.nodes, name)
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

// node compiles a schema that is part of another one.
func (c compiler) node(s *spec.Schema, goes bool) (*node, error) {
	ref := s.Ref.String()
	if ref == "" && len(s.AllOf) == 1 && s.AllOf[0].Ref.String() != "" {
		ref = s.AllOf[0].Ref.String()
	}
	if name, ok := strings.CutPrefix(ref, refPrefix); ok {
		return c.named(name, true)
	}
	n := &node{}
	return n, c.fill(n, s, goes)
}

func (c compiler) fill(n *node, s *spec.Schema, goes bool) error {
	n.goes = goes
	if len(s.Type) > 0 {
		n.types = s.Type[0]
	}
	n.preserve, _ = s.Extensions.GetBool("x-kubernetes-preserve-unknown-fields")
	n.intOrString, _ = s.Extensions.GetBool("x-kubernetes-int-or-string")
	n.intOrString = n.intOrString || n.name == intOrStringName || s.Format == "int-or-string"
	n.quantity = n.name == quantityName
	n.nullable, n.format, n.enum, n.fallback = s.Nullable, s.Format, s.Enum, s.Default
	n.required = s.Required
	if accepted := forgiven(n.name); goes && len(accepted) > 0 {
		n.required = slices.DeleteFunc(slices.Clone(s.Required), func(field string) bool { return slices.Contains(accepted, field) })
	}
	n.free = n.preserve || goes && len(s.Properties) == 0
	if limited(s) {
		n.limits = s
	}
	if s.Pattern != "" {
		var err error
		if n.pattern, err = regexp.Compile(s.Pattern); err != nil {
			return fmt.Errorf("pattern %q: %w", s.Pattern, err)
		}
	}
	if err := c.list(n, s); err != nil {
		return err
	}
	if err := c.fieldsOf(n, s); err != nil {
		return err
	}
	return c.combined(n, s)
}

func (c compiler) list(n *node, s *spec.Schema) error {
	switch kind, _ := s.Extensions.GetString("x-kubernetes-list-type"); ListKind(kind) {
	case ListSet:
		n.list = ListSet
	case ListMap:
		n.list = ListMap
		n.keys, _ = s.Extensions.GetStringSlice("x-kubernetes-list-map-keys")
	case ListAtomic, ListNone:
	default:
		return fmt.Errorf("x-kubernetes-list-type is %q", kind)
	}
	if s.Items == nil || s.Items.Schema == nil {
		return nil
	}
	var err error
	n.items, err = c.node(s.Items.Schema, n.goes)
	return err
}

func (c compiler) fieldsOf(n *node, s *spec.Schema) error {
	if more := s.AdditionalProperties; more != nil {
		n.free = n.free || more.Allows && more.Schema == nil
		if more.Schema != nil {
			var err error
			if n.extra, err = c.node(more.Schema, n.goes); err != nil {
				return err
			}
		}
	}
	if len(s.Properties) == 0 {
		return nil
	}
	n.fields = make(map[string]*node, len(s.Properties))
	for name, property := range s.Properties {
		field, err := c.node(&property, n.goes)
		if err != nil {
			return err
		}
		n.fields[name] = field
		if zero, ok := property.Default.(map[string]any); ok && n.goes && len(zero) == 0 {
			n.structs = append(n.structs, name)
		}
	}
	return nil
}

func (c compiler) combined(n *node, s *spec.Schema) error {
	for _, group := range []struct {
		from []spec.Schema
		to   *[]*node
	}{{s.AllOf, &n.all}, {s.AnyOf, &n.any}, {s.OneOf, &n.one}} {
		for i := range group.from {
			part, err := c.node(&group.from[i], n.goes)
			if err != nil {
				return err
			}
			*group.to = append(*group.to, part)
		}
	}
	if s.Not == nil {
		return nil
	}
	var err error
	n.not, err = c.node(s.Not, n.goes)
	return err
}

func limited(s *spec.Schema) bool {
	return s.Minimum != nil || s.Maximum != nil || s.MultipleOf != nil ||
		s.MinLength != nil || s.MaxLength != nil || s.MinItems != nil || s.MaxItems != nil ||
		s.MinProperties != nil || s.MaxProperties != nil || s.UniqueItems
}

// forgiven are the fields that the schema of a Go type requires because the type
// always has them, yet the server takes an object without them: the zero value
// is valid, or has a default. From pkg/apis/*/validation of k8s.io/kubernetes.
func forgiven(schema string) []string {
	switch strings.TrimPrefix(schema, "io.k8s.") {
	case "api.apps.v1.ControllerRevision":
		return []string{"revision"}
	case "api.apps.v1.StatefulSetSpec":
		return []string{"serviceName"}
	case "api.batch.v1.PodFailurePolicy", "api.rbac.v1.ClusterRole", "api.rbac.v1.Role":
		return []string{"rules"}
	case "api.batch.v1.PodFailurePolicyOnPodConditionsPattern":
		return []string{"status"}
	case "api.core.v1.Event":
		return []string{"metadata", "involvedObject"}
	case "api.core.v1.HTTPHeader", "api.core.v1.Sysctl", "api.scheduling.v1.PriorityClass":
		return []string{"value"}
	case "api.core.v1.ISCSIPersistentVolumeSource", "api.core.v1.ISCSIVolumeSource":
		return []string{"lun"}
	case "api.core.v1.LimitRangeSpec":
		return []string{"limits"}
	case "api.core.v1.PreferredSchedulingTerm":
		return []string{"preference"}
	case "api.core.v1.SleepAction":
		return []string{"seconds"}
	case "api.discovery.v1.EndpointSlice":
		return []string{"endpoints"}
	case "api.networking.v1.NetworkPolicySpec":
		return []string{"podSelector"}
	case "api.resource.v1.DeviceClass", "api.resource.v1.ResourceClaim", "api.resource.v1.ResourceClaimTemplate", "api.storage.v1.CSIDriver":
		return []string{"spec"}
	case "api.storage.v1.CSINodeSpec":
		return []string{"drivers"}
	case "api.storage.v1.TokenRequest":
		return []string{"audience"}
	case "apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion":
		return []string{"served", "storage"}
	default:
		return nil
	}
}
