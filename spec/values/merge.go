// Package values holds the rules by which maps of values merge. There are
// several, because helmfile has several and files in the field rely on each.
// No rule changes its arguments; results may share parts with them.
package values

import "time"

// Override lays src over dst as helmfile does with the entries of one values
// list (mergo with override): maps merge deeply, everything else that src
// names replaces, even false, 0, "", null and an empty list. An empty map in
// src keeps the map of dst.
func Override(dst, src map[string]any) map[string]any {
	out := copyMap(dst, len(src))
	for k, v := range src {
		over, isMap := v.(map[string]any)
		under, both := out[k].(map[string]any)
		if isMap && both {
			out[k] = Override(under, over)
			continue
		}
		out[k] = v
	}
	return out
}

// Helm lays src over dst as Helm does with its -f files: like Override. A null
// stays in the result, where it later deletes the chart's own value.
func Helm(dst, src map[string]any) map[string]any { return Override(dst, src) }

// Sparse lays src over dst as helmfile does between layers of state values
// (defaults, environment, parent): maps merge deeply, null never replaces what
// is there, and a list replaces unless it holds a null: then its elements go
// over those of dst one by one.
func Sparse(dst, src map[string]any) map[string]any { return layer(dst, src, sparseLists) }

// Elements is Sparse with lists always merged element by element, as
// --state-values-set does, so that l[1]=x changes one element.
func Elements(dst, src map[string]any) map[string]any { return layer(dst, src, elementLists) }

// Fallback lays acc over next: what an earlier file says stays, a later one
// fills gaps. Explicit false, 0 and "" stay, an earlier null is filled. It is
// helmfile's mergeStrategy fallback.
func Fallback(acc, next map[string]any) map[string]any { return Sparse(next, acc) }

type lists func(dst, src []any) []any

func layer(dst, src map[string]any, merge lists) map[string]any {
	out := copyMap(dst, len(src))
	for k, v := range src {
		under, exists := out[k]
		switch over := v.(type) {
		case nil:
			if !exists {
				out[k] = nil
			}
		case map[string]any:
			if m, ok := under.(map[string]any); ok {
				out[k] = layer(m, over, merge)
			} else {
				out[k] = over
			}
		case []any:
			if l, ok := under.([]any); ok {
				out[k] = merge(l, over)
			} else {
				out[k] = over
			}
		default:
			out[k] = v
		}
	}
	return out
}

func sparseLists(dst, src []any) []any {
	for _, v := range src {
		if v == nil {
			return eachElement(dst, src, sparseLists)
		}
	}
	return src
}

func elementLists(dst, src []any) []any { return eachElement(dst, src, elementLists) }

func eachElement(dst, src []any, merge lists) []any {
	out := make([]any, max(len(dst), len(src)))
	copy(out, dst)
	for i, v := range src {
		if v == nil {
			continue
		}
		over, isMap := v.(map[string]any)
		under, both := out[i].(map[string]any)
		if isMap && both {
			out[i] = layer(under, over, merge)
			continue
		}
		out[i] = v
	}
	return out
}

func copyMap(m map[string]any, more int) map[string]any {
	out := make(map[string]any, len(m)+more)
	for k, v := range m {
		out[k] = v
	}
	return out
}

// Copy copies maps and lists deeply, so that a template that changes its data
// changes only its own.
func Copy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return CopyMap(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = Copy(e)
		}
		return out
	default:
		return v
	}
}

// CopyMap is Copy for a map; a nil map becomes an empty one.
func CopyMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, e := range m {
		out[k] = Copy(e)
	}
	return out
}

// AsJSON copies data with every whole number as a float64, the type that Helm
// gives numbers of values files, because templates print the two differently
// (1e+06 against 1000000). A date becomes the text that a values file written
// by helmfile holds.
func AsJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = AsJSON(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = AsJSON(e)
		}
		return out
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	default:
		return v
	}
}
