package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/strvals"

	"github.com/flotilla-sh/flotilla/spec"
)

// withSets puts the sets on top of a copy of values, in the order given, with
// the parsers of Helm's --set flags. All mistakes are told at once.
func withSets(values map[string]any, sets []spec.SetValue) (map[string]any, error) {
	out := copyMap(values)
	var mistakes []error
	for _, set := range sets {
		if err := applySet(out, set); err != nil {
			mistakes = append(mistakes, &spec.Error{Pos: set.Pos, Field: "set", Err: err})
		}
	}
	return out, errors.Join(mistakes...)
}

// applySet leaves values out of its errors: they may be secret. What strvals
// itself says names keys only.
func applySet(values map[string]any, set spec.SetValue) error {
	var err error
	switch set.Kind {
	case spec.SetTyped, "":
		err = strvals.ParseInto(set.Name+"="+set.Value, values)
	case spec.SetString:
		err = strvals.ParseIntoString(set.Name+"="+set.Value, values)
	case spec.SetLiteral:
		err = strvals.ParseLiteralInto(set.Name+"="+set.Value, values)
	case spec.SetRaw:
		err = strvals.ParseInto(set.Value, values)
	case spec.SetJSON:
		err = setJSON(values, set.Value)
	case spec.SetFile:
		err = setFile(values, set)
	default:
		return fmt.Errorf("setting %s: unknown kind of set %q", set.Name, set.Kind)
	}
	if err != nil && set.Name == "" {
		return fmt.Errorf("parsing it as Helm's --set does: %w", err)
	}
	if err != nil {
		return fmt.Errorf("setting %s: %w", set.Name, err)
	}
	return nil
}

// setJSON takes a whole object, or name=JSON,... Source: MergeValues of
// helm.sh/helm/v4/pkg/cli/values.
func setJSON(values map[string]any, text string) error {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return strvals.ParseJSON(text, values)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return errors.New("it is no JSON object") // the text may be secret
	}
	maps.Copy(values, loader.MergeMaps(values, object))
	return nil
}

// setFile takes the path as it is: strvals would read commas and equal signs
// in it as syntax.
func setFile(values map[string]any, set spec.SetValue) error {
	content, err := os.ReadFile(set.Value)
	if err != nil {
		return err
	}
	read := func([]rune) (any, error) { return string(content), nil }
	return strvals.ParseIntoFile(strings.TrimSpace(set.Name)+"=file", values, read)
}

func copyMap(in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for k, v := range in {
		out[k] = copyValue(v)
	}
	return out
}

func copyValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		return copyMap(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = copyValue(e)
		}
		return out
	default:
		return v
	}
}
