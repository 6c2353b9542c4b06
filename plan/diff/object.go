package diff

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/state"
)

type object = map[string]any

// Documents splits a manifest stream at its "---" lines and drops documents
// without content. Comments such as Helm's "# Source:" are no content.
func Documents(stream []byte) []string {
	var docs []string
	var current strings.Builder
	flush := func() {
		if text := current.String(); hasContent(text) {
			docs = append(docs, text)
		}
		current.Reset()
	}
	for line := range strings.Lines(string(stream)) {
		if isSeparator(line) {
			flush()
			continue
		}
		if current.Len() == 0 && (strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "") {
			continue
		}
		current.WriteString(line)
	}
	flush()
	return docs
}

func isSeparator(line string) bool {
	rest, ok := strings.CutPrefix(line, "---")
	return ok && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
}

func hasContent(text string) bool {
	for line := range strings.Lines(text) {
		if t := strings.TrimSpace(line); t != "" && !strings.HasPrefix(t, "#") {
			return true
		}
	}
	return false
}

// index parses documents, opens Lists, and keys the objects by id. Of two
// objects with one id the later wins, as it does when applied.
func index(docs []string, opts Options) (map[state.ObjectID]object, error) {
	found := make(map[state.ObjectID]object, len(docs))
	for _, doc := range docs {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			return nil, fmt.Errorf("parsing YAML: %w", err)
		}
		for _, item := range items(o) {
			id := Identify(item, opts.Namespace)
			if opts.ClusterScoped[schema.GroupKind{Group: id.Group, Kind: id.Kind}] {
				id.Namespace = ""
			}
			found[id] = item
		}
	}
	return found, nil
}

// items opens Lists. An item of a typed list that names no kind has the list's,
// as Kubernetes reads it.
func items(o object) []object {
	list, ok := o["items"].([]any)
	kind, isList := strings.CutSuffix(text(o, "kind"), "List")
	if !ok || !isList {
		return []object{o}
	}
	var all []object
	for _, i := range list {
		item, ok := i.(object)
		if !ok {
			continue
		}
		if kind != "" && text(item, "kind") == "" {
			item["kind"], item["apiVersion"] = kind, o["apiVersion"]
		}
		all = append(all, items(item)...)
	}
	return all
}

// Identify reads the id of an object; namespace fills in for one that names
// none.
func Identify(o map[string]any, namespace string) state.ObjectID {
	meta, _ := o["metadata"].(object)
	group, _, found := strings.Cut(text(o, "apiVersion"), "/")
	if !found {
		group = ""
	}
	id := state.ObjectID{Group: group, Kind: text(o, "kind"), Name: text(meta, "name"), Namespace: text(meta, "namespace")}
	if id.Namespace == "" {
		id.Namespace = namespace
	}
	return id
}

func text(o object, key string) string {
	s, _ := o[key].(string)
	return s
}

// texts prints both sides as canonical YAML, lists in the order of after where
// that is noise, masked unless opts says otherwise.
func texts(before, after object, opts Options) (b, a string, err error) {
	before = inOrderOf(before, after, opts)
	shownBefore, shownAfter := before, after
	if !opts.ShowSecrets {
		before, after = mask(before, after)
		shownBefore, shownAfter = before, after
		if opts.Redact != nil {
			shownBefore, shownAfter = redactBoth(before, after, opts.Redact)
		}
	}
	if b, err = canonical(shownBefore); err != nil {
		return "", "", err
	}
	if a, err = canonical(shownAfter); err != nil {
		return "", "", err
	}
	if b == a && opts.Redact != nil && !reflect.DeepEqual(before, after) {
		a += "# a masked value differs\n" // what is masked must not hide that there is a change
	}
	return b, a, nil
}

func canonical(o object) (string, error) {
	if o == nil {
		return "", nil
	}
	out, err := yaml.Marshal(o)
	return string(out), err
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// mask replaces the values of a Secret by their size, and tells old from new
// where both sides have the key with different values. It copies what it
// changes.
func mask(before, after object) (maskedBefore, maskedAfter object) {
	return maskSide(before, after, "old"), maskSide(after, before, "new")
}

func maskSide(o, other object, word string) object {
	if o == nil || text(o, "kind") != "Secret" {
		return o
	}
	masked := make(object, len(o))
	for key, value := range o {
		masked[key] = value
	}
	for _, field := range []string{"data", "stringData"} {
		values, ok := o[field].(object)
		if !ok {
			if o[field] != nil {
				masked[field] = "(masked)"
			}
			continue
		}
		others, _ := other[field].(object)
		masked[field] = maskValues(field, values, others, word)
	}
	if meta, ok := o["metadata"].(object); ok {
		masked["metadata"] = withoutLastApplied(meta)
	}
	return masked
}

func maskValues(field string, values, others object, word string) object {
	masked := make(object, len(values))
	for key, value := range values {
		note := fmt.Sprintf("(masked, %d bytes)", size(field, value))
		if other, both := others[key]; both && fmt.Sprint(other) != fmt.Sprint(value) {
			note = fmt.Sprintf("(masked, %d bytes, %s)", size(field, value), word)
		}
		masked[key] = note
	}
	return masked
}

func size(field string, value any) int {
	s, ok := value.(string)
	if !ok {
		return len(fmt.Sprint(value))
	}
	if field != "data" {
		return len(s)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return len(s)
	}
	return len(raw)
}

func withoutLastApplied(meta object) object {
	annotations, ok := meta["annotations"].(object)
	if !ok || annotations[lastApplied] == nil {
		return meta
	}
	copied := make(object, len(meta))
	for key, value := range meta {
		copied[key] = value
	}
	kept := make(object, len(annotations))
	for key, value := range annotations {
		if key != lastApplied {
			kept[key] = value
		}
	}
	copied["annotations"] = kept
	return copied
}
