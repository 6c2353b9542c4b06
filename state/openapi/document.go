package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"k8s.io/kube-openapi/pkg/validation/spec"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
)

// Document is what a server publishes of one group version, or what one custom
// resource definition says. Its schemas are decoded when they are asked for,
// each once. Safe for concurrent use.
type Document struct {
	kinds map[schema.GroupVersionKind]string // -> name of the schema

	mu      sync.Mutex
	raw     map[string]json.RawMessage
	decoded map[string]*spec.Schema
	types   map[string]Type // by name of the schema
	nodes   map[string]*node
}

const (
	kindExtension = "x-kubernetes-group-version-kind"
	refPrefix     = "#/components/schemas/"
)

// Parse reads an OpenAPI v3 document, as a server gives it in JSON for one group
// version.
func Parse(data []byte) (*Document, error) {
	var doc struct {
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("reading an OpenAPI document: %w", err)
	}
	return newDocument(doc.Components.Schemas)
}

func newDocument(schemas map[string]json.RawMessage) (*Document, error) {
	d := &Document{
		kinds:   map[schema.GroupVersionKind]string{},
		raw:     schemas,
		decoded: map[string]*spec.Schema{},
		types:   map[string]Type{},
		nodes:   map[string]*node{},
	}
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		kinds, err := kindsOf(schemas[name])
		if err != nil {
			return nil, fmt.Errorf("reading the schema %s: %w", name, err)
		}
		for _, gvk := range kinds {
			d.kinds[gvk] = name
		}
	}
	return d, nil
}

// kindsOf reads which kinds a schema is for; most are for none.
func kindsOf(raw json.RawMessage) ([]schema.GroupVersionKind, error) {
	if !bytes.Contains(raw, []byte(kindExtension)) {
		return nil, nil
	}
	var marked struct {
		Kinds []struct{ Group, Version, Kind string } `json:"x-kubernetes-group-version-kind"`
	}
	if err := json.Unmarshal(raw, &marked); err != nil {
		return nil, err
	}
	var kinds []schema.GroupVersionKind
	for _, k := range marked.Kinds {
		kinds = append(kinds, schema.GroupVersionKind{Group: k.Group, Version: k.Version, Kind: k.Kind})
	}
	return kinds, nil
}

// Has reports whether the document describes a kind.
func (d *Document) Has(gvk schema.GroupVersionKind) bool {
	_, ok := d.kinds[gvk]
	return ok
}

// Type gives the schema of a kind, and false if the document has none. An error
// tells of a schema that cannot be read.
func (d *Document) Type(gvk schema.GroupVersionKind) (Type, bool, error) {
	name, ok := d.kinds[gvk]
	if !ok {
		return Type{}, false, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if t, ok := d.types[name]; ok {
		return t, true, nil
	}
	models := map[string]*spec.Schema{}
	if err := d.reach(name, models); err != nil {
		return Type{}, false, fmt.Errorf("reading the schema of %s: %w", gvk, err)
	}
	converted, err := schemaconv.ToSchemaFromOpenAPI(models, false)
	if err != nil {
		return Type{}, false, fmt.Errorf("reading the schema of %s: %w", gvk, err)
	}
	t := Type{schema: converted, ref: smd.TypeRef{NamedType: &name}}
	d.types[name] = t
	return t, true, nil
}

// reach decodes a schema and all that it refers to.
func (d *Document) reach(name string, models map[string]*spec.Schema) error {
	if models[name] != nil {
		return nil
	}
	decoded, err := d.decode(name)
	if err != nil {
		return err
	}
	models[name] = decoded
	for _, ref := range refsIn(d.raw[name]) {
		if err := d.reach(ref, models); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) decode(name string) (*spec.Schema, error) {
	if s := d.decoded[name]; s != nil {
		return s, nil
	}
	raw, ok := d.raw[name]
	if !ok {
		return nil, fmt.Errorf("the document refers to %s and does not have it", name)
	}
	s := &spec.Schema{}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d.decoded[name] = s
	return s, nil
}

// refsIn finds the names of the schemas that one refers to, in order of first
// mention.
func refsIn(raw json.RawMessage) []string {
	var names []string
	rest := string(raw)
	for {
		_, after, found := strings.Cut(rest, `"`+refPrefix)
		if !found {
			return names
		}
		name, tail, _ := strings.Cut(after, `"`)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		rest = tail
	}
}
