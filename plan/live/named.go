package live

import (
	"encoding/json"
	"strings"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
)

// unnamed masks in a departure the texts that are called, or look, as secrets do:
// what somebody sets by hand is known as a secret to no state file.
func (d Departure) unnamed(opts diff.Options) Departure {
	if opts.Redact == nil || opts.ShowSecrets {
		return d
	}
	called := calledSecret(d.Steps)
	was, is := maskNamed(d.Was, called), maskNamed(d.Is, called)
	if was == is && was != d.Was && d.Is != "" { // nothing but what is masked differs
		was, is = encoded(spec.Masked), encoded(spec.Masked)
	}
	d.Was, d.Is = was, is
	return d
}

// hidingNamed makes the options hide the same texts in a difference of the whole
// object.
func (o object) hidingNamed(opts diff.Options, stored map[string]any) diff.Options {
	if opts.Redact == nil || opts.ShowSecrets || o.liveAsStored == nil {
		return opts
	}
	secret := map[string]bool{}
	fields, _ := o.project(o.liveAsStored, nil, stored)
	for _, f := range fields {
		for _, value := range []string{f.Was, f.Is} {
			var text string
			if !calledSecret(f.Steps) || json.Unmarshal([]byte(value), &text) != nil {
				continue
			}
			for line := range strings.Lines(text) {
				secret[strings.TrimSuffix(line, "\n")] = true
			}
			secret[text] = true
		}
	}
	delete(secret, "")
	next := opts.Redact
	opts.Redact = func(text string) string {
		if secret[text] {
			return spec.Masked
		}
		return next(text)
	}
	return opts
}

// calledSecret reports whether the field at the end is called so. That of an
// environment variable is called as its element is.
func calledSecret(steps []Step) bool {
	if len(steps) == 0 {
		return false
	}
	last := steps[len(steps)-1]
	if len(steps) > 1 && last.Key == "value" && last.Index < 0 {
		if name, ok := strings.CutPrefix(steps[len(steps)-2].Key, "name="); ok {
			return spec.SecretNamed(name)
		}
	}
	return last.Index < 0 && spec.SecretNamed(strings.ReplaceAll(last.Key, ".", "_"))
}

// maskNamed masks the secret texts in a value in JSON; called: it is one as a whole.
func maskNamed(value string, called bool) string {
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.UseNumber()
	var v any
	if value == "" || decoder.Decode(&v) != nil {
		return value
	}
	masked, differs := within(v, called, func(v any, called bool) (any, bool) {
		if text, ok := v.(string); ok {
			return maskedLines(text, called)
		}
		return v, false // numbers and booleans are no secrets
	})
	if !differs {
		return value
	}
	return encoded(masked)
}

// within replaces in a value what leaf gives something else for. called tells of each
// whether it is called as secrets are: by its key, or as a list that it is in.
func within(v any, called bool, leaf func(v any, called bool) (is any, differs bool)) (is any, differs bool) {
	switch v := v.(type) {
	case map[string]any:
		named := spec.SecretElement(v)
		for key, e := range v {
			below, other := within(e, spec.SecretNamed(key) || named && key == "value", leaf)
			v[key], differs = below, differs || other
		}
		return v, differs
	case []any:
		for i, e := range v {
			below, other := within(e, called, leaf)
			v[i], differs = below, differs || other
		}
		return v, differs
	default:
		return leaf(v, called)
	}
}

// maskedLines masks a text, or of one with several lines those that have a secret
// inside.
func maskedLines(text string, called bool) (masked string, differs bool) {
	switch {
	case text == "" || text == spec.Masked:
		return text, false
	case called, strings.Contains(text, "-----BEGIN") && spec.SecretText(text):
		return spec.Masked, true
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if spec.SecretText(line) {
			lines[i], differs = spec.Masked, true
		}
	}
	return strings.Join(lines, "\n"), differs
}
