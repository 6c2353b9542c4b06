package engine

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/flotilla-sh/flotilla/spec"
)

// masked is an error whose text shows no value of a Secret.
type masked struct {
	text string
	err  error
}

// Error is the text without values.
func (m *masked) Error() string { return m.text }

// Unwrap gives the error as it was, for its type.
func (m *masked) Unwrap() error { return m.err }

// keepSecret remembers the values of the Secrets that an operation sends.
func (c *client) keepSecret(list kube.ResourceList) {
	for _, info := range list.Filter(func(i *resource.Info) bool {
		return i.Mapping.GroupVersionKind.Kind == "Secret" && i.Mapping.GroupVersionKind.Group == ""
	}) {
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(info.Object)
		if err != nil {
			continue
		}
		for field, v := range object {
			if !slices.Contains([]string{"apiVersion", "kind", "metadata", "type"}, field) {
				c.keepValue(v) // a value in the wrong field is a value, too
			}
		}
	}
}

func (c *client) keepValue(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			c.keepValue(inner)
		}
		return
	case []any:
		for _, inner := range v {
			c.keepValue(inner)
		}
		return
	case bool, nil:
		return
	}
	text := strings.TrimSpace(fmt.Sprint(v))
	if text == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets = append(c.secrets, text)
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil && len(plain) > 0 {
		c.secrets = append(c.secrets, string(plain))
	}
}

// hide takes the values of Secrets out of a text that tells of a Secret: what
// the API server refuses, it quotes. Other texts stay as they are, because a
// value is often also the name of something.
func (c *client) hide(text string) string {
	if !strings.Contains(strings.ToLower(text), "secret") {
		return text
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// A value may be a part of a longer one, of which the rest would stay.
	values := slices.SortedFunc(slices.Values(c.secrets), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	for _, value := range values {
		const short = 4 // such a value is also part of many words
		if len(value) >= short {
			text = strings.ReplaceAll(text, value, spec.Masked)
			continue
		}
		if whole, err := regexp.Compile(`\b` + regexp.QuoteMeta(value) + `\b`); err == nil {
			text = whole.ReplaceAllString(text, spec.Masked)
		}
	}
	return text
}

// redact takes the values of Secrets out of what the cluster tells: a container may
// print what it was given. It knows those that were sent until now.
func (c *client) redact() func(text string) string {
	var met spec.Redactor
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, value := range c.secrets {
		met.Take(value)
	}
	return met.Redact
}

// hidden is an error without the values of Secrets.
func (c *client) hidden(err error) error {
	if text := c.hide(err.Error()); text != err.Error() {
		return &masked{text: text, err: err}
	}
	return err
}
