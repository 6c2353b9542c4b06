package plan

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// valueMask hides values that are secret. Of the wanted revision a run knows the
// secrets that it met; of the stored one it does not. So a value is also taken
// for a secret because of its name or its looks, and because it went into a
// Secret.
type valueMask struct {
	redact  func(string) string
	secrets []string // what is in the Secrets of both revisions
}

func (m *valueMask) mask(c *difference) {
	if c.Kind != CauseValue {
		return
	}
	if c.secret || spec.SecretNamed(c.Subject) || m.secret(c.Before) || m.secret(c.After) {
		c.Before, c.After = maskedText(c.Before), maskedText(c.After)
		return
	}
	before, after := m.inside(c.Subject, c.Before), m.inside(c.Subject, c.After)
	if before == after && before != c.Before { // nothing but secrets differs
		before, after = maskedText(before), maskedText(after)
	}
	c.Before, c.After = before, after
}

func maskedText(text string) string {
	if text == "" {
		return ""
	}
	return spec.Masked
}

// inside masks, of a list or map in JSON, the values that are secret. Other
// texts stay.
func (m *valueMask) inside(path, text string) string {
	if trimmed := strings.TrimSpace(text); !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") {
		return text
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return text
	}
	found := false
	v = m.walk(path, v, &found)
	if !found {
		return text
	}
	return valueText(v)
}

func (m *valueMask) walk(path string, v any, found *bool) any {
	switch v := v.(type) {
	case map[string]any:
		if spec.SecretElement(v) && v["value"] != "" {
			v["value"], *found = spec.Masked, true
		}
		for key, e := range v {
			v[key] = m.walk(path+"."+key, e, found)
		}
		return v
	case []any:
		for i, e := range v {
			v[i] = m.walk(path+"[]", e, found)
		}
		return v
	case nil, bool:
		return v
	}
	text := fmt.Sprint(v)
	if text != "" && (spec.SecretNamed(path) || m.secret(text)) {
		*found = true
		return spec.Masked
	}
	if within := m.inside(path, text); within != text {
		*found = true
		return within
	}
	return v
}

// longEnough is the length from which on a text inside of a Secret is no chance.
const longEnough = 8

func (m *valueMask) secret(text string) bool {
	if text == "" {
		return false
	}
	if m.redact != nil && m.redact(text) != text || spec.SecretText(text) && !json.Valid([]byte(text)) {
		return true
	}
	return slices.ContainsFunc(m.secrets, func(s string) bool {
		s = strings.TrimSpace(s)
		return s != "" && (s == text || len(s) >= longEnough && strings.Contains(text, s) || len(text) >= longEnough && strings.Contains(s, text))
	})
}

// secretData gives what the Secrets of a revision hold, those of hooks and in
// Lists too: as it is written, and in and out of base64, because values may be
// in either form.
func secretData(r *state.Revision) []string {
	docs := diff.Documents(r.Stream)
	for _, h := range r.Hooks {
		docs = append(docs, diff.Documents([]byte(h.Manifest))...)
	}
	var out []string
	for _, doc := range docs {
		var o map[string]any
		if strings.Contains(doc, "Secret") && yaml.Unmarshal([]byte(doc), &o) == nil {
			out = append(out, heldBy(o, "")...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(out)))
}

// heldBy gives what an object holds that is a Secret, or a list with some. kind
// is that of an item which names none.
func heldBy(o map[string]any, kind string) []string {
	if named, _ := o["kind"].(string); named != "" {
		kind = named
	}
	var out []string
	if of, isList := strings.CutSuffix(kind, "List"); isList {
		items, _ := o["items"].([]any)
		for _, i := range items {
			if item, ok := i.(map[string]any); ok {
				out = append(out, heldBy(item, of)...)
			}
		}
	}
	if kind != "Secret" {
		return out
	}
	for field, v := range o {
		switch field {
		case "apiVersion", "kind", "metadata", "type", "immutable":
		default:
			out = append(out, textsIn(v)...) // a value in the wrong field is a value, too
		}
	}
	return out
}

func textsIn(v any) []string {
	var out []string
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			out = append(out, textsIn(e)...)
		}
		return out
	case []any:
		for _, e := range v {
			out = append(out, textsIn(e)...)
		}
		return out
	case nil, bool:
		return nil
	}
	text := valueText(v)
	out = append(out, text, base64.StdEncoding.EncodeToString([]byte(text)))
	if plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil {
		out = append(out, string(plain))
	}
	return out
}
