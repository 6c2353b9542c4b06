package diff

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
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

// indexed are the objects of one side: those with a name by id, of two with one
// id the later, as when they are applied; and those without in their order.
type indexed struct {
	named   map[state.ObjectID]object
	unnamed map[state.ObjectID][]object
}

// index parses documents, opens Lists, and sorts the objects by id.
func index(docs []string, opts Options) (indexed, error) {
	found := indexed{named: make(map[state.ObjectID]object, len(docs)), unnamed: map[state.ObjectID][]object{}}
	for _, doc := range docs {
		var o object
		if err := decode(doc, &o); err != nil {
			return indexed{}, fmt.Errorf("parsing YAML: %w", err)
		}
		for _, item := range items(o) {
			id := Identify(item, opts.Namespace)
			if opts.ClusterScoped[schema.GroupKind{Group: id.Group, Kind: id.Kind}] {
				id.Namespace = ""
				if meta, ok := item["metadata"].(object); ok {
					delete(meta, "namespace") // servers drop it, too
				}
			}
			if Named(item) {
				found.named[id] = item
				continue
			}
			found.unnamed[id] = append(found.unnamed[id], item)
		}
	}
	return found, nil
}

// decode reads YAML with whole numbers as int64, as servers do: a float64 tells
// no two apart that are near each other and above 2^53.
func decode(text string, into any) error {
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// numbered puts the objects without a name to the others, those of one id with
// a number from the second on. Equal ones of both sides get the same, and so do
// in their order those that are left. It changes what it is given.
func numbered(before, after indexed) (old, wanted map[state.ObjectID]object) {
	for id, objects := range after.unnamed {
		for n, o := range objects {
			after.named[nth(id, n)] = o
		}
	}
	for id, objects := range before.unnamed {
		taken := map[int]bool{}
		var left []object
		for _, o := range objects {
			n := 0
			for n < len(after.unnamed[id]) && (taken[n] || !reflect.DeepEqual(o, after.unnamed[id][n])) {
				n++
			}
			if n == len(after.unnamed[id]) {
				left = append(left, o)
				continue
			}
			taken[n] = true
			before.named[nth(id, n)] = o
		}
		n := 0
		for _, o := range left {
			for taken[n] {
				n++
			}
			taken[n] = true
			before.named[nth(id, n)] = o
		}
	}
	return before.named, after.named
}

func nth(id state.ObjectID, n int) state.ObjectID {
	if n > 0 {
		id.Name += fmt.Sprintf(" (%d)", n+1)
	}
	return id
}

// items opens Lists and leaves out null, which Kubernetes skips, too. An item of
// a typed list that names no kind has the list's, as Kubernetes reads it.
func items(o object) []object {
	if o == nil {
		return nil
	}
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

// Named says whether an object has a name. Of one that has none, because the
// server makes it, nobody knows which it is in a cluster.
func Named(o map[string]any) bool {
	meta, _ := o["metadata"].(object)
	return text(meta, "name") != ""
}

// Identify reads the id of an object; namespace fills in for one that names
// none. What stands for a name or a kind that is missing is none that a server
// accepts: the beginning of the name that it makes with a star, or words in
// parentheses.
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
	if id.Kind == "" {
		id.Kind = "(no kind)"
	}
	if id.Name == "" {
		id.Name = "(no name)"
		if made := text(meta, "generateName"); made != "" {
			id.Name = made + "*"
		}
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
