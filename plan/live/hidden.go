package live

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
)

// hiding gives the options with what Redact does not know: the values that
// stand, in one of the three states of an object, where another state has a
// secret of this run. One that is rotated, or was edited by hand, is as secret
// as the one that is wanted.
func (o object) hiding(opts diff.Options) diff.Options {
	met := opts.Redact
	if met == nil || !slices.ContainsFunc([]any{o.wanted, o.stored, o.live, o.liveAsStored}, func(v any) bool { return hasMet(v, met) }) {
		return opts
	}
	wanted, stored, now := fieldLines{}, fieldLines{}, fieldLines{}
	wanted.collect("", o.wanted)
	stored.collect("", o.stored)
	now.collect("", o.live)
	now.collect("", o.liveAsStored)
	h := hidden{met: met, exact: map[string]bool{}}
	for field, f := range framesOf(met, wanted, stored, now) {
		for line, single := range now[field] {
			if _, declared := stored[field][line]; !declared || len(wanted[field]) > 0 {
				h.learn(f, line, single, wanted[field])
			}
		}
		for line, single := range stored[field] {
			if _, there := now[field][line]; !there || len(wanted[field]) > 0 {
				h.learn(f, line, single, wanted[field])
			}
		}
	}
	opts.Redact = h.redactor()
	return opts
}

func hasMet(v any, met func(string) string) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if hasMet(e, met) {
				return true
			}
		}
		return false
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return hasMet(e, met) })
	case nil, bool:
		return false
	default:
		text := text(v)
		return met(text) != text
	}
}

// fieldLines are the lines of every field of an object, each with whether it is all
// that its value has. Elements of lists are named as package diff does it: by
// their name, if they have one.
type fieldLines map[string]map[string]bool

func (l fieldLines) collect(field string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if below := field + "." + key; below != ".metadata.managedFields" && below != ".status" {
				l.collect(below, e)
			}
		}
	case []any:
		for _, e := range v {
			o, _ := e.(map[string]any)
			name, _ := o["name"].(string)
			l.collect(field+"["+name+"]", e)
		}
	case nil, bool:
	default:
		if l[field] == nil {
			l[field] = map[string]bool{}
		}
		whole := strings.TrimSuffix(text(v), "\n")
		for line := range strings.SplitSeq(whole, "\n") {
			l[field][line] = !strings.Contains(whole, "\n")
		}
	}
}

// frame is what a line has around a secret.
type frame struct{ before, after string }

func framesOf(met func(string) string, all ...fieldLines) map[string][]frame {
	found := map[string][]frame{}
	for _, l := range all {
		for field, of := range l {
			for line := range of {
				parts := strings.Split(met(line), spec.Masked)
				if f := (frame{parts[0], parts[len(parts)-1]}); len(parts) > 1 && !slices.Contains(found[field], f) {
					found[field] = append(found[field], f)
				}
			}
		}
	}
	return found
}

// hidden is what to mask in one object.
type hidden struct {
	met   func(string) string
	exact map[string]bool // texts that are secret as a whole
	parts []string        // texts that are secret wherever they stand
}

// learn takes of a line what stands where a secret does in another state. A line
// with something else around it is secret as a whole, if it is all there is. One
// of several lines that is wanted as it is, is none.
func (h *hidden) learn(frames []frame, line string, single bool, wanted map[string]bool) {
	if _, same := wanted[line]; same && len(wanted) > 1 || line == "" || h.met(line) != line {
		return
	}
	framed := false
	for _, f := range frames {
		if len(line) > len(f.before)+len(f.after) && strings.HasPrefix(line, f.before) && strings.HasSuffix(line, f.after) {
			framed = true
			h.keep(line, line[len(f.before):len(line)-len(f.after)])
		}
	}
	if single && !framed {
		h.keep(line, line)
	}
}

// keep hides a text wherever it stands, or, where it is so short that it is part
// of many words, the line that has it.
func (h *hidden) keep(line, text string) {
	const enough = 4
	h.exact[text] = true
	if len(text) < enough || strings.Contains(spec.Masked, text) {
		h.exact[line] = true
		return
	}
	h.parts = append(h.parts, text)
}

func (h *hidden) redactor() func(string) string {
	slices.SortFunc(h.parts, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, part := range slices.Compact(h.parts) {
		pairs = append(pairs, part, spec.Masked)
	}
	replacer := strings.NewReplacer(pairs...)
	return func(text string) string {
		if h.exact[text] {
			return spec.Masked
		}
		return replacer.Replace(h.met(text))
	}
}

// redacted masks the secrets in a value in JSON.
func redacted(value string, opts diff.Options) string {
	if opts.Redact == nil || opts.ShowSecrets || value == "" {
		return value
	}
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return opts.Redact(value)
	}
	masked, differs := within(v, false, func(v any, _ bool) (any, bool) { return redactedIn(v, opts.Redact) })
	if differs {
		return encoded(masked)
	}
	return value
}

// redactedIn masks the secrets in a number or text that stands in such a value.
func redactedIn(v any, redact func(string) string) (masked any, differs bool) {
	if _, truth := v.(bool); truth || v == nil {
		return v, false
	}
	was := fmt.Sprint(v)
	is := was
	if all := strings.Split(was, "\n"); len(all) > 1 {
		for i, line := range all {
			all[i] = redact(line)
		}
		is = strings.Join(all, "\n")
	}
	if is = redact(is); is != was {
		return is, true
	}
	return v, false
}

// redactedPath masks a path, of which what tells elements apart is a value.
func redactedPath(path string, opts diff.Options) string {
	before, within, keyed := strings.Cut(path, "[")
	if !keyed || opts.Redact == nil || opts.ShowSecrets || !strings.Contains(within, "=") {
		return path
	}
	return before + "[" + opts.Redact(within)
}
