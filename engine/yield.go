package engine

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"helm.sh/helm/v4/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/flotilla-sh/flotilla/state"
)

// objectError is what went wrong with one object. The server's answer to a field
// conflict does not say with which.
type objectError struct {
	object state.ObjectID
	err    error
}

func (e *objectError) Error() string { return e.err.Error() }

func (e *objectError) Unwrap() error { return e.err }

func ofObject(info *resource.Info, err error) error {
	if err == nil {
		return nil
	}
	return &objectError{objectID(info), err}
}

// yielding applies what an undo puts back, and leaves to other managers the
// fields that they have: the operation that is undone did not take them either,
// because it forced nothing. So an object over which it failed is left as it was
// before, and the undo does not fail over it a second time.
func (c *client) yielding(before, target kube.ResourceList, wanted runtime.Object, options []kube.ClientUpdateOption) (*kube.Result, error) {
	target[0].Object = wanted.DeepCopyObject()
	result, err := c.Client.Update(before, target, options...)
	if !c.yields || err == nil {
		return result, err
	}
	rest, ok := withoutConflicts(wanted, err)
	if !ok {
		return result, err
	}
	target[0].Object = rest
	return c.Client.Update(before, target, options...)
}

// withoutConflicts gives an object without the fields of a conflict; false: err
// is none, or a field of it is not found.
func withoutConflicts(wanted runtime.Object, err error) (runtime.Object, bool) {
	var answer apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &answer) || !hasCause(answer.Status(), metav1.CauseTypeFieldManagerConflict) {
		return nil, false
	}
	var fields []string
	for _, cause := range answer.Status().Details.Causes {
		if cause.Type == metav1.CauseTypeFieldManagerConflict {
			fields = append(fields, cause.Field)
		}
	}
	return withoutFields(wanted, fields)
}

// withoutFields gives an object without fields, each of which may be named more
// than once; false: one is not found.
func withoutFields(wanted runtime.Object, fields []string) (runtime.Object, bool) {
	o, ok := wanted.DeepCopyObject().(*unstructured.Unstructured)
	if !ok {
		return nil, false
	}
	removed := map[string]bool{} // several managers may have one field
	for _, field := range fields {
		if removed[field] {
			continue
		}
		removed[field] = true
		if _, found := without(o.Object, field); !found {
			return nil, false
		}
	}
	return o, true
}

// without removes from a value what is at a path as servers write it, such as
// .spec.containers[name="web"].image. Names of fields may have points in them, so
// that each field is tried whose name the path can begin with.
func without(v any, path string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			rest, ok := strings.CutPrefix(path, "."+key)
			if !ok {
				continue
			}
			if rest == "" {
				delete(v, key)
				return v, true
			}
			if child, found := without(v[key], rest); found {
				v[key] = child
				return v, true
			}
		}
	case []any:
		keys, rest, ok := selector(path)
		if !ok {
			return v, false
		}
		i := slices.IndexFunc(v, func(e any) bool { return fits(e, keys, exactly) })
		if i < 0 {
			i = slices.IndexFunc(v, func(e any) bool { return fits(e, keys, byDefault) })
		}
		if i < 0 {
			return v, false
		}
		if rest == "" {
			return slices.Delete(v, i, i+1), true
		}
		child, found := without(v[i], rest)
		v[i] = child
		return v, found
	}
	return v, false
}

// selector reads [name="web"], [port=80,protocol="TCP"] or [="value"] at the
// beginning of a path; the key of a value is empty.
func selector(path string) (keys map[string]string, rest string, ok bool) {
	body, isList := strings.CutPrefix(path, "[")
	end := endOf(body, ']')
	if !isList || end < 0 {
		return nil, "", false
	}
	body, rest = body[:end], body[end+1:]
	keys = map[string]string{}
	for body != "" {
		one, more := body, ""
		if at := endOf(body, ','); at >= 0 {
			one, more = body[:at], body[at+1:]
		}
		key, value, hasKey := strings.Cut(one, "=")
		if !hasKey {
			return nil, "", false
		}
		keys[key], body = value, more
	}
	return keys, rest, true
}

// match is how an element fits keys.
type match string

const (
	exactly   match = "exactly"
	byDefault match = "by default" // keys that it does not declare have their default
)

func fits(element any, keys map[string]string, how match) bool {
	if want, isSet := keys[""]; isSet {
		return inPath(element) == want
	}
	o, _ := element.(map[string]any)
	known := false
	for key, want := range keys {
		is, declared := o[key]
		if declared && inPath(is) != want || !declared && how == exactly {
			return false
		}
		known = known || declared
	}
	return known
}

// inPath is a key's value as paths have it, which quote texts as Go does.
func inPath(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// endOf finds a sign outside of quotes; -1: it is not there.
func endOf(text string, sign byte) int {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && text[i] == sign:
			return i
		}
	}
	return -1
}
