package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
)

// checkSchemas refuses a values.schema.json that refers to files of this
// machine: Helm would read any of them, and errors could show what is in it.
// References to the web are Helm's to follow, because charts in wide use have
// them.
func checkSchemas(c *chartv2.Chart) error {
	if len(c.Schema) > 0 {
		var document any
		if err := json.Unmarshal(c.Schema, &document); err != nil {
			return nil // Helm tells what is wrong with it
		}
		refs := schemaRefs{ids: map[string]bool{}}
		refs.collect(document, "")
		for _, ref := range refs.refs {
			if !refs.inside(ref) {
				return fmt.Errorf("%w: values.schema.json of %s refers to %s, a file outside of the chart: put it into the schema, or set skipSchemaValidation: true", ErrChart, c.ChartFullPath(), ref)
			}
		}
	}
	for _, d := range c.Dependencies() {
		if err := checkSchemas(d); err != nil {
			return err
		}
	}
	return nil
}

// schemaRefs are the references of one schema, resolved, and the names that
// parts of it have.
type schemaRefs struct {
	ids  map[string]bool
	refs []string
}

func (s *schemaRefs) collect(v any, base string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			s.collect(item, base)
		}
	case map[string]any:
		for _, key := range []string{"$id", "id"} {
			if id, ok := v[key].(string); ok {
				base = resolveRef(base, id)
				s.ids[withoutFragment(base)] = true
			}
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			ref, isText := v[key].(string)
			switch {
			case !isText:
				s.collect(v[key], base)
			case strings.HasPrefix(ref, "#"):
			case key == "$ref", key == "$dynamicRef", key == "$recursiveRef", key == "$schema":
				s.refs = append(s.refs, resolveRef(base, ref))
			}
		}
	}
}

// inside reports whether a reference needs nothing of this machine but the
// schema: it is a part of it, or a name or an address of the web.
func (s *schemaRefs) inside(ref string) bool {
	ref = withoutFragment(ref)
	scheme, _, _ := strings.Cut(ref, ":")
	return ref == "" || s.ids[ref] || slices.Contains([]string{"http", "https", "urn"}, strings.ToLower(scheme))
}

func resolveRef(base, ref string) string {
	from, err := url.Parse(base)
	if err != nil {
		return ref
	}
	to, err := from.Parse(ref)
	if err != nil {
		return ref
	}
	return to.String()
}

func withoutFragment(ref string) string {
	ref, _, _ = strings.Cut(ref, "#")
	return ref
}
