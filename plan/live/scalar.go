package live

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/flotilla-sh/flotilla/spec"
)

// same reports whether two values mean the same at a place; nil is no value.
func same(at place, a, b any) bool {
	if a == nil || b == nil {
		return empty(a) && empty(b)
	}
	if encoded(a) == encoded(b) {
		return true
	}
	x, y := fmt.Sprint(a), fmt.Sprint(b)
	switch name := at.typ.Name(); {
	case isCollection(a) || isCollection(b):
		return false
	case at.typ.Quantity():
		p, err := resource.ParseQuantity(x)
		q, other := resource.ParseQuantity(y)
		return err == nil && other == nil && p.Cmp(q) == 0
	case at.typ.IntOrString():
		return x == y
	case strings.HasSuffix(name, "meta.v1.Duration"):
		p, err := time.ParseDuration(x)
		q, other := time.ParseDuration(y)
		return err == nil && other == nil && p == q
	case strings.HasSuffix(name, "meta.v1.Time"), strings.HasSuffix(name, "meta.v1.MicroTime"):
		p, err := time.Parse(time.RFC3339Nano, x)
		q, other := time.Parse(time.RFC3339Nano, y)
		return err == nil && other == nil && p.Equal(q)
	case at.exact && strings.HasPrefix(at.name, ".data"):
		p, err := decoded(x)
		q, other := decoded(y)
		return err == nil && other == nil && bytes.Equal(p, q)
	default:
		return false
	}
}

func isCollection(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	default:
		return false
	}
}

// encoded is a value in JSON, in which whole numbers look alike whatever type
// they were read as.
func encoded(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // for people to read
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// decoded reads base64, in which manifests may break lines.
func decoded(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}

// empty reports whether a value is one that servers leave out.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case int64:
		return v == 0
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, e := range v {
			if !empty(e) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// shown is a value for a message; of a Secret's data it tells nothing.
func shown(at place, v any) string {
	switch {
	case v == nil:
		return ""
	case at.exact:
		return spec.Masked
	default:
		return encoded(v)
	}
}

// inFormOf gives live and stored of a Secret with the keys of data and
// stringData in the field in which they are wanted, else stored: a server has
// only data.
func inFormOf(live, wanted, stored map[string]any) (liveForm, storedForm map[string]any) {
	asText := map[string]bool{}
	for _, declared := range []map[string]any{stored, wanted} { // the later decides
		for key := range entries(declared, "data") {
			asText[key] = false
		}
		for key := range entries(declared, "stringData") {
			asText[key] = true
		}
	}
	return move(live, asText), move(stored, asText)
}

func move(o map[string]any, asText map[string]bool) map[string]any {
	if o == nil {
		return nil
	}
	data, plain := map[string]any{}, map[string]any{}
	put := func(key, value string, isText bool) {
		switch {
		case asText[key] == isText && isText:
			plain[key] = value
		case asText[key] == isText:
			data[key] = value
		case isText:
			data[key] = base64.StdEncoding.EncodeToString([]byte(value))
		default:
			raw, err := decoded(value)
			if err != nil {
				raw = []byte(value)
			}
			plain[key] = string(raw)
		}
	}
	for key, v := range entries(o, "data") {
		put(key, fmt.Sprint(v), false)
	}
	for key, v := range entries(o, "stringData") {
		put(key, fmt.Sprint(v), true)
	}
	out := make(map[string]any, len(o)+1)
	for key, v := range o {
		out[key] = v
	}
	delete(out, "data")
	delete(out, "stringData")
	if len(data) > 0 {
		out["data"] = data
	}
	if len(plain) > 0 {
		out["stringData"] = plain
	}
	return out
}

func entries(o map[string]any, field string) map[string]any {
	m, _ := o[field].(map[string]any)
	return m
}
