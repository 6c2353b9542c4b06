package schema

import "reflect"

// Lists says what Merge does with two lists.
type Lists string

// The ways to merge lists: parts of a file replace, bases and templates append.
const (
	ReplaceLists Lists = "replace"
	AppendLists  Lists = "append"
)

// Merge lays src over dst, both pointers to the same struct type, by the rules
// that helmfile has from mergo: a zero value (false, 0, "", an empty list, and
// pointers to them) never overrides, maps merge by key with whole entries
// replaced, lists are replaced or appended. Unlike helmfile nothing of src is
// shared with dst afterwards, so no merge shows through in another one.
func Merge[T any](dst, src *T, lists Lists) {
	mergeValue(reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem(), lists)
}

func mergeValue(dst, src reflect.Value, lists Lists) {
	switch src.Kind() {
	case reflect.Struct:
		for i := range src.NumField() {
			if src.Field(i).Type() == reflect.TypeFor[Pos]() {
				mergePos(dst.Field(i), src.Field(i))
				continue
			}
			mergeValue(dst.Field(i), src.Field(i), lists)
		}
	case reflect.Map:
		mergeMap(dst, src)
	case reflect.Slice:
		mergeList(dst, src, lists)
	case reflect.Pointer:
		if src.IsNil() {
			return
		}
		fresh := reflect.New(src.Type().Elem())
		if !dst.IsNil() {
			fresh.Elem().Set(dst.Elem())
			mergeValue(fresh.Elem(), src.Elem(), lists)
		} else {
			fresh.Elem().Set(src.Elem())
		}
		dst.Set(fresh)
	default:
		if !src.IsZero() {
			dst.Set(src)
		}
	}
}

func mergePos(dst, src reflect.Value) {
	if !src.IsZero() {
		dst.Set(src)
	}
}

func mergeMap(dst, src reflect.Value) {
	if src.Len() == 0 {
		if dst.IsNil() && !src.IsNil() {
			dst.Set(reflect.MakeMap(src.Type()))
		}
		return
	}
	out := reflect.MakeMapWithSize(src.Type(), src.Len()+dst.Len())
	for _, m := range []reflect.Value{dst, src} {
		for it := m.MapRange(); it.Next(); {
			out.SetMapIndex(it.Key(), it.Value())
		}
	}
	dst.Set(out)
}

func mergeList(dst, src reflect.Value, lists Lists) {
	if src.Len() == 0 {
		if dst.IsNil() && !src.IsNil() {
			dst.Set(reflect.MakeSlice(src.Type(), 0, 0))
		}
		return
	}
	out := reflect.MakeSlice(src.Type(), 0, dst.Len()+src.Len())
	if lists == AppendLists {
		out = reflect.AppendSlice(out, dst)
	}
	dst.Set(reflect.AppendSlice(out, src))
}

// MergeEnvironments lays the environments of src over dst as helmfile does for
// bases: lists of values and secrets are concatenated (under the strategy
// fallback the later layer goes first, because there the first one wins), other
// fields override. It returns a new map.
func MergeEnvironments(dst, src map[string]Environment) map[string]Environment {
	if dst == nil && src == nil {
		return nil
	}
	out := make(map[string]Environment, len(dst)+len(src))
	for name, env := range dst {
		out[name] = env
	}
	for name, over := range src {
		under, ok := out[name]
		if !ok {
			out[name] = over
			continue
		}
		merged := under
		Merge(&merged, &over, AppendLists)
		if merged.MergeStrategy == "fallback" {
			merged.Values = append(append([]Entry{}, over.Values...), under.Values...)
		}
		out[name] = merged
	}
	return out
}

// Fill gives dst what it lacks from the parent, as helmfile's "inherits" does
// for helmDefaults: only zero fields are filled.
func Fill(dst *HelmDefaults, parent HelmDefaults) {
	over := *dst
	*dst = parent
	Merge(dst, &over, ReplaceLists)
}
