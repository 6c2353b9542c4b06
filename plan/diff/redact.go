package diff

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
)

// side is one side of a comparison.
type side string

const (
	sideOld side = "old"
	sideNew side = "new"
)

func (s side) other() side {
	if s == sideOld {
		return sideNew
	}
	return sideOld
}

// frame is what a line has around a secret.
type frame struct{ before, after string }

// redaction masks secrets in all fields of an object, whatever its kind. Only
// the secrets of this run are known, not the one that an old revision was made
// with: therefore a line of one side that the other does not have, and that has
// the same text around it as a line with a secret in the same field, is masked
// too. Lines that differ stay different.
type redaction struct {
	redact func(string) string
	lines  map[side]map[string]map[string]bool // field -> lines
	frames map[string][]frame
}

// redactBoth masks both sides, each of which may be nil. It changes nothing
// that it is given.
func redactBoth(before, after object, redact func(string) string) (maskedBefore, maskedAfter object) {
	r := &redaction{
		redact: redact,
		lines:  map[side]map[string]map[string]bool{sideOld: {}, sideNew: {}},
		frames: map[string][]frame{},
	}
	r.collect(sideOld, "", before)
	r.collect(sideNew, "", after)
	if len(r.frames) == 0 {
		return before, after
	}
	maskedBefore, _ = r.rewrite(sideOld, "", before).(object)
	maskedAfter, _ = r.rewrite(sideNew, "", after).(object)
	return maskedBefore, maskedAfter
}

// collect notes the lines of every field, and what is around secrets.
func (r *redaction) collect(s side, field string, v any) {
	switch v := v.(type) {
	case object:
		for key, e := range v {
			if !identifies(field, key) {
				r.collect(s, field+"."+key, e)
			}
		}
	case []any:
		for _, e := range v {
			r.collect(s, element(field, e), e)
		}
	default:
		text, ok := scalar(v)
		if !ok {
			return
		}
		if r.lines[s][field] == nil {
			r.lines[s][field] = map[string]bool{}
		}
		for line := range strings.SplitSeq(text, "\n") {
			r.lines[s][field][line] = true
			if parts := strings.Split(r.redact(line), spec.Masked); len(parts) > 1 {
				f := frame{parts[0], parts[len(parts)-1]}
				if !slices.Contains(r.frames[field], f) {
					r.frames[field] = append(r.frames[field], f)
				}
			}
		}
	}
}

// identifies says whether a field is part of what names the object, which a
// diff shows anyway.
func identifies(field, key string) bool {
	switch field {
	case "":
		return key == "apiVersion" || key == "kind"
	case ".metadata":
		return key == "name" || key == "namespace"
	default:
		return false
	}
}

// element names an element of a list: by its name where it has one, because
// elements move.
func element(field string, e any) string {
	if o, ok := e.(object); ok && text(o, "name") != "" {
		return field + "[" + text(o, "name") + "]"
	}
	return field + "[]"
}

func (r *redaction) rewrite(s side, field string, v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case object:
		if v == nil {
			return v
		}
		out := make(object, len(v))
		for key, e := range v {
			out[key] = r.rewrite(s, field+"."+key, e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = r.rewrite(s, element(field, e), e)
		}
		return out
	default:
		text, ok := scalar(v)
		if !ok || len(r.frames[field]) == 0 {
			return v
		}
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			lines[i] = r.line(s, field, line)
		}
		if masked := strings.Join(lines, "\n"); masked != text {
			return masked
		}
		return v
	}
}

func (r *redaction) line(s side, field, line string) string {
	others := r.lines[s.other()][field]
	moved := len(others) > 0 && !others[line]
	word := spec.Masked
	if moved {
		word = fmt.Sprintf("(masked, %s)", s)
	}
	if masked := r.redact(line); masked != line {
		return strings.ReplaceAll(masked, spec.Masked, word)
	}
	if !moved {
		return line
	}
	for _, f := range r.frames[field] {
		if len(line) > len(f.before)+len(f.after) && strings.HasPrefix(line, f.before) && strings.HasSuffix(line, f.after) {
			return f.before + word + f.after
		}
	}
	return line
}

// scalar is a value as a text may show it; only strings and numbers can be
// secrets.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case int64:
		return strconv.FormatInt(v, 10), true
	default:
		return "", false
	}
}
