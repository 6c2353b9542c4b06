package plan

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/state"
)

// CauseKind is what sort of difference makes a release change.
type CauseKind string

// The kinds of causes, in the order in which a step lists them. Image is what
// came of the causes before it. Templates and Random stand alone: the chart's
// version and all values are the same.
const (
	CauseChart     CauseKind = "chart"     // another chart, or another version
	CauseContent   CauseKind = "content"   // the same version of the chart with other files
	CauseValue     CauseKind = "value"     // a value that the user gives
	CauseValues    CauseKind = "values"    // the values that are too many to be listed
	CauseImage     CauseKind = "image"     // of a container in an object
	CauseTemplates CauseKind = "templates" // what else goes into a rendering: templates, patches, post-renderer, the cluster
	CauseRandom    CauseKind = "random"    // every rendering gives something else
)

// Cause is one reason why a release changes. Before and After are texts for
// people, on one line, with secrets masked; empty: there is none.
type Cause struct {
	Kind    CauseKind
	Subject string // the path of a value; the object and container of an image
	Op      diff.Op
	Before  string
	After   string
	Count   int         // of CauseValues: how many there are
	From    ValueOrigin // of a value that is there: who says it; zero: unknown
}

// ValueOrigin is the place and the layer that say a value.
type ValueOrigin struct {
	Pos   spec.Pos
	Layer string // as explain names it: values, set, --set and so on
}

// mostValues is how many values a step names; of those beyond it keeps the
// number.
const mostValues = 10

// causes compares what two revisions were made of. Of a step that installs or
// deletes there is nothing to compare.
func causes(s Step, options diff.Options) []Cause {
	if s.Before == nil || s.After == nil || !s.Action.Writes() {
		return nil
	}
	out := chartCauses(s.Before.Chart, s.After.Chart)
	out = append(out, valueCauses(s.Before, s.After, options)...)
	explained := len(out) > 0
	out = append(out, imageCauses(s.Changes)...)
	if !explained && s.Reason == ReasonChanged && len(s.Changes) > 0 {
		out = append(out, Cause{Kind: CauseTemplates, Op: diff.OpChange})
	}
	return out
}

func chartCauses(before, after state.Chart) []Cause {
	switch {
	case before.Name != after.Name || before.Version != after.Version:
		b, a := before.Version, after.Version
		if before.Name != after.Name {
			b, a = before.Name+" "+b, after.Name+" "+a
		}
		return []Cause{{Kind: CauseChart, Subject: after.Name, Op: diff.OpChange, Before: b, After: a}}
	case before.Digest != after.Digest && before.Digest != "" && after.Digest != "":
		return []Cause{{Kind: CauseContent, Subject: after.Name, Op: diff.OpChange, Before: before.Digest, After: after.Digest}}
	default:
		return nil
	}
}

func valueCauses(before, after *state.Revision, options diff.Options) []Cause {
	var found []difference
	differing(nil, mapOf(before.Values), mapOf(after.Values), &found)
	if len(found) == 0 {
		return nil
	}
	if !options.ShowSecrets {
		m := &valueMask{redact: options.Redact, secrets: slices.Concat(secretData(before), secretData(after))}
		for i := range found {
			m.mask(&found[i])
		}
	}
	out := make([]Cause, 0, len(found))
	for _, d := range found {
		d.Before, d.After = oneLine(d.Before), oneLine(d.After)
		out = append(out, d.Cause)
	}
	if more := len(out) - mostValues; more > 0 {
		out = append(out[:mostValues], Cause{Kind: CauseValues, Op: diff.OpChange, Count: more})
	}
	return out
}

func mapOf(m map[string]any) any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// difference is a value that differs.
type difference struct {
	Cause
	secret bool // something beside it says that it is one
}

// differing finds the values that differ, in order of paths. A list whose
// length changes differs as a whole.
func differing(path origin.Path, before, after any, out *[]difference) {
	if origin.Equal(before, after) {
		return
	}
	was, wasMap := before.(map[string]any)
	is, isMap := after.(map[string]any)
	if wasMap && isMap {
		keys := slices.AppendSeq(slices.Collect(maps.Keys(was)), maps.Keys(is))
		slices.Sort(keys)
		for _, key := range slices.Compact(keys) {
			b, had := was[key]
			a, has := is[key]
			from := len(*out)
			one(path.With(origin.Key(key)), side{b, had}, side{a, has}, out)
			for i := range (*out)[from:] {
				d := &(*out)[from+i]
				d.secret = d.secret || key == "value" && (spec.SecretElement(before) || spec.SecretElement(after))
			}
		}
		return
	}
	b, wasList := before.([]any)
	a, isList := after.([]any)
	if wasList && isList && len(a) == len(b) {
		for i := range a {
			differing(path.With(origin.Index(i)), b[i], a[i], out)
		}
		return
	}
	*out = append(*out, difference{Cause: Cause{Kind: CauseValue, Subject: path.String(), Op: diff.OpChange, Before: valueText(before), After: valueText(after)}})
}

// side is a value that may be missing.
type side struct {
	value any
	there bool
}

// one compares one key. Of a map that comes or goes the values in it are told.
func one(path origin.Path, before, after side, out *[]difference) {
	switch {
	case before.there && after.there:
		differing(path, before.value, after.value, out)
		return
	case before.there && hasKeys(before.value):
		differing(path, before.value, map[string]any{}, out)
		return
	case after.there && hasKeys(after.value):
		differing(path, map[string]any{}, after.value, out)
		return
	}
	c := Cause{Kind: CauseValue, Subject: path.String(), Op: diff.OpAdd, After: valueText(after.value)}
	if before.there {
		c.Op, c.Before, c.After = diff.OpRemove, valueText(before.value), ""
	}
	*out = append(*out, difference{Cause: c})
}

func hasKeys(v any) bool {
	m, _ := v.(map[string]any)
	return len(m) > 0
}

func valueText(v any) string {
	if text, ok := v.(string); ok && text != "" {
		return text
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// longestValue is how many characters of a value a cause shows.
const longestValue = 60

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longestValue {
		return string(runes[:longestValue-3]) + "..."
	}
	return text
}

// imageCauses finds the containers whose image is another one. Changes are
// masked already.
func imageCauses(changes []diff.Change) []Cause {
	var out []Cause
	for _, c := range changes {
		if c.Op != diff.OpChange || c.Hook || !strings.Contains(c.After, "image:") {
			continue
		}
		was, is := images(c.Before), images(c.After)
		for _, name := range slices.Sorted(maps.Keys(is)) {
			if old, both := was[name]; both && old != is[name] {
				subject := strings.TrimSpace(c.Object.Kind + "/" + c.Object.Name + " " + name)
				out = append(out, Cause{Kind: CauseImage, Subject: subject, Op: diff.OpChange, Before: old, After: is[name]})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Cause) int { return cmp.Compare(a.Subject, b.Subject) })
	return out
}

// images gives the image of every container of an object, by its name.
func images(text string) map[string]string {
	var o map[string]any
	if yaml.Unmarshal([]byte(text), &o) != nil {
		return nil
	}
	found := map[string]string{}
	var walk func(v any)
	walk = func(v any) {
		m, _ := v.(map[string]any)
		for key, below := range m {
			if key != "containers" && key != "initContainers" {
				walk(below)
				continue
			}
			list, _ := below.([]any)
			for _, e := range list {
				container, _ := e.(map[string]any)
				name, _ := container["name"].(string)
				if image, ok := container["image"].(string); ok {
					found[name] = image
				}
			}
		}
	}
	walk(o)
	return found
}
