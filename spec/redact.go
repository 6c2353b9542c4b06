package spec

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Masked is what stands in the place of a secret.
const Masked = "(masked)"

// minSecret is the length from which on a value is taken for a secret: shorter
// ones are part of too many words.
const minSecret = 4

// Redactor knows the secrets that a run has met: what was decrypted, and what
// references stood for. The zero value knows none. Safe for concurrent use.
type Redactor struct {
	mu       sync.Mutex
	secrets  map[string]bool
	replacer *strings.Replacer // nil: secrets came since it was made
}

// Redact replaces every known secret in a text by Masked, and what is usual to
// make of one: base64, the text inside JSON, YAML or Go's quotes, once or twice,
// the text inside a URL, and the lines of one with several.
func (r *Redactor) Redact(text string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.secrets) == 0 {
		return text
	}
	if r.replacer == nil {
		r.replacer = r.build()
	}
	return r.replacer.Replace(text)
}

// Known lists every text that Redact replaces, in order, for a later run that
// has to keep the same secrets. The list is as secret as they are.
func (r *Redactor) Known() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.secrets))
}

// Learn makes Redact replace what Known listed in another run, too.
func (r *Redactor) Learn(texts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.secrets == nil {
		r.secrets = map[string]bool{}
	}
	for _, text := range texts {
		if len(text) >= minSecret {
			r.secrets[text], r.replacer = true, nil
		}
	}
}

// Take makes Redact replace a text in all of those forms; one that is too short to
// be told from words it leaves alone.
func (r *Redactor) Take(secret string) { r.text(secret) }

// build puts longer secrets first, because one may be part of another.
func (r *Redactor) build() *strings.Replacer {
	all := make([]string, 0, len(r.secrets))
	for s := range r.secrets {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(all))
	for _, s := range all {
		pairs = append(pairs, s, Masked)
	}
	return strings.NewReplacer(pairs...)
}

// add takes every string and number of a tree for a secret; keys are none.
func (r *Redactor) add(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			r.add(e)
		}
	case []any:
		for _, e := range v {
			r.add(e)
		}
	case string:
		r.text(v)
	case int:
		r.text(strconv.Itoa(v))
	case int64:
		r.text(strconv.FormatInt(v, 10))
	case uint64:
		r.text(strconv.FormatUint(v, 10))
	case float64:
		r.text(strconv.FormatFloat(v, 'f', -1, 64))
	}
}

func (r *Redactor) text(s string) {
	trimmed := strings.TrimSpace(s)
	switch strings.ToLower(trimmed) {
	case "true", "false", "null", "none":
		return
	}
	if len(trimmed) < minSecret {
		return
	}
	forms := []string{trimmed, url.QueryEscape(trimmed), url.PathEscape(trimmed)}
	for _, whole := range []string{s, trimmed} {
		forms = append(forms, base64.StdEncoding.EncodeToString([]byte(whole)))
	}
	for _, quoted := range quotedForms(trimmed) {
		forms = append(forms, quoted)
		forms = append(forms, quotedForms(quoted)...) // an object in JSON that a message quotes
	}
	if strings.Contains(trimmed, "\n") {
		for line := range strings.Lines(trimmed) {
			line = strings.TrimSpace(line)
			if len(line) >= minSecret && !strings.HasPrefix(line, "-----") { // the frame of a PEM block
				forms = append(forms, line)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.secrets == nil {
		r.secrets = map[string]bool{}
	}
	for _, f := range forms {
		if !r.secrets[f] {
			r.secrets[f], r.replacer = true, nil
		}
	}
}

// quotedForms are a text as it stands between quotes: in JSON as Go and as others
// write it, in Go's %q, in YAML.
func quotedForms(text string) []string {
	goQuoted, ascii := strconv.Quote(text), strconv.QuoteToASCII(text)
	forms := []string{goQuoted[1 : len(goQuoted)-1], ascii[1 : len(ascii)-1], strings.ReplaceAll(text, "'", "''")}
	if quoted, err := json.Marshal(text); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) == nil {
		quoted := strings.TrimSuffix(plain.String(), "\n")
		forms = append(forms, quoted[1:len(quoted)-1])
	}
	return forms
}
