package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// inherit lays a release over the templates that it names, and those over the
// ones they name: later templates over earlier ones, lists appended.
func inherit(r *schema.Release, templates map[string]schema.Release, path []string) (schema.Release, error) {
	var out schema.Release
	for _, in := range r.Inherit {
		if in.Template == "" {
			continue
		}
		through := append(slices.Clone(path), in.Template)
		if slices.Contains(path, in.Template) {
			return out, mistake(in.Pos, "inherit", fmt.Errorf("templates inherit in a cycle: %s", strings.Join(through, " -> ")))
		}
		template, ok := templates[in.Template]
		if !ok {
			return out, mistake(in.Pos, "inherit", fmt.Errorf("there is no template %q", in.Template))
		}
		whole, err := inherit(&template, templates, through)
		if err != nil {
			return out, err
		}
		if err := leaveOut(&whole, in); err != nil {
			return out, err
		}
		mergeRelease(&out, &whole)
	}
	mergeRelease(&out, r)
	out.Inherit = nil
	return out, nil
}

// mergeRelease lays a release over another by the rules of inheritance.
func mergeRelease(dst, src *schema.Release) { schema.Merge(dst, src, schema.AppendLists) }

// leaveOut drops the fields that an entry of inherit excepts.
func leaveOut(r *schema.Release, in schema.Inherit) error {
	for _, name := range in.Except {
		switch name {
		case "labels":
			r.Labels = nil
		case "values":
			r.Values = nil
		case "valuesTemplate":
			r.ValuesTemplate = nil
		case "set":
			r.Set = nil
		case "setTemplate":
			r.SetTemplate = nil
		case "setString":
			r.SetString = nil
		case "secrets":
			r.Secrets = nil
		default:
			return mistake(in.Pos, "inherit.except", fmt.Errorf("%q cannot be excepted, expected labels, values, valuesTemplate, set, setTemplate, setString or secrets", name))
		}
	}
	return nil
}

// withDefaultInherit puts the file's default templates before those that a
// release names itself.
func withDefaultInherit(own schema.Inherits, defaults schema.Names, pos schema.Pos) schema.Inherits {
	var out schema.Inherits
	for _, name := range defaults {
		has := func(in schema.Inherit) bool { return strings.TrimSpace(in.Template) == name }
		if !slices.ContainsFunc(own, has) && !slices.ContainsFunc(out, has) {
			out = append(out, schema.Inherit{Pos: pos, Template: name})
		}
	}
	return append(out, own...)
}
