package spec

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/tmpl"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// maxRounds is how often the templates of a release are rendered until nothing
// changes any more, helmfile's number.
const maxRounds = 6

// releaseView is .Release of templates.
type releaseView struct {
	Name         string
	Namespace    string
	Labels       map[string]string
	Chart        string
	ChartVersion string
	KubeContext  string
}

// releaseData is what templates of release fields and of release values see.
type releaseData struct {
	Environment envData
	Release     releaseView
	Values      map[string]any
	StateValues map[string]any
	KubeContext string
	Namespace   string
	Chart       string
}

// renderRelease renders the fields of a release that may be templates. They
// may refer to each other, so it is repeated until a fixed point.
func renderRelease(texts *tmpl.Session, path string, base *schema.Release, data releaseData) (*schema.Release, error) {
	last := base
	for range maxRounds {
		data.Release = releaseView{
			Name: last.Name, Namespace: last.Namespace, Labels: last.Labels,
			Chart: last.Chart, ChartVersion: last.Version, KubeContext: last.KubeContext,
		}
		r := &fieldRenderer{texts: texts, path: path, data: data}
		next := r.release(base)
		if err := errors.Join(r.errs...); err != nil {
			return nil, err
		}
		if reflect.DeepEqual(last, next) {
			return next, applyBooleans(next)
		}
		last = next
	}
	return nil, mistake(base.Pos, "releases."+base.Name, fmt.Errorf("recursive references can't be resolved: its templates still change after %d rounds", maxRounds))
}

// fieldRenderer renders the fields of one release in one round.
type fieldRenderer struct {
	texts *tmpl.Session
	path  string // of the state file
	data  releaseData
	pos   schema.Pos
	name  string
	errs  []error
}

func (r *fieldRenderer) release(base *schema.Release) *schema.Release {
	out := *base
	r.pos, r.name = base.Pos, base.Name
	out.Name = strings.TrimSpace(r.text("name", base.Name))
	out.Chart = strings.TrimSpace(r.text("chart", base.Chart))
	out.Namespace = strings.TrimSpace(r.text("namespace", base.Namespace))
	out.Version = strings.TrimSpace(r.text("version", base.Version))
	out.WaitTemplate = r.pointer("waitTemplate", base.WaitTemplate)
	out.InstalledTemplate = r.pointer("installedTemplate", base.InstalledTemplate)
	out.ConditionTemplate = r.pointer("conditionTemplate", base.ConditionTemplate)
	out.VerifyTemplate = r.pointer("verifyTemplate", base.VerifyTemplate)
	out.Labels = make(map[string]string, len(base.Labels))
	for k, v := range base.Labels {
		out.Labels[k] = r.text("labels."+k, v)
	}
	out.PostRendererArgs = slices.Clone(base.PostRendererArgs)
	for i, s := range base.PostRendererArgs {
		out.PostRendererArgs[i] = r.text("postRendererArgs", s)
	}
	out.ValuesTemplate = r.valuesTemplate(base.ValuesTemplate)
	out.Values = r.paths("values", append(slices.Clone(out.ValuesTemplate), base.Values...))
	out.Secrets = r.paths("secrets", base.Secrets)
	out.SetTemplate = r.setTemplate(base.SetTemplate)
	out.Set = append(slices.Clone(out.SetTemplate), base.Set...)
	out.Needs = slices.Clone(base.Needs)
	for i, n := range base.Needs {
		out.Needs[i].Value = r.text("needs", n.Value)
	}
	return &out
}

func (r *fieldRenderer) text(field, s string) string {
	if !strings.Contains(s, "{{") {
		return s
	}
	out, err := r.texts.String(r.path, s, r.data)
	if err != nil {
		var at *tmpl.Error
		if errors.As(err, &at) && at.File == r.path {
			err = at.Err // its line is one of the field, not of the file
		}
		r.errs = append(r.errs, mistake(r.pos, "releases."+r.name+"."+field, fmt.Errorf("%q: %w", s, err)))
	}
	return out
}

func (r *fieldRenderer) pointer(field string, s *string) *string {
	if s == nil {
		return nil
	}
	out := r.text(field, *s)
	return &out
}

// paths renders the entries that are strings; inline maps stay as they are.
func (r *fieldRenderer) paths(field string, in []schema.Entry) []schema.Entry {
	out := slices.Clone(in)
	for i, e := range in {
		if s, ok := e.Value.(string); ok {
			out[i].Value = r.text(field, s)
		}
	}
	return out
}

// valuesTemplate renders inline maps as one text, so that keys and types can
// come out of templates; strings are rendered later as part of values.
func (r *fieldRenderer) valuesTemplate(in []schema.Entry) []schema.Entry {
	out := slices.Clone(in)
	for i, e := range in {
		m, ok := e.Value.(map[string]any)
		if !ok {
			continue
		}
		text, err := schema.Marshal(m)
		if err == nil && strings.Contains(string(text), "{{") {
			rendered := r.text("valuesTemplate", string(text))
			out[i].Value, err = schema.Map([]byte(rendered), schema.InFile(""))
		}
		if err != nil {
			r.errs = append(r.errs, mistake(e.Pos, "releases."+r.name+".valuesTemplate", err))
		}
	}
	return out
}

func (r *fieldRenderer) setTemplate(in []schema.SetValue) []schema.SetValue {
	out := slices.Clone(in)
	for i, s := range in {
		out[i].Name = r.text("setTemplate", s.Name)
		out[i].Value = r.text("setTemplate", s.Value)
		out[i].File = r.text("setTemplate", s.File)
		out[i].Values = slices.Clone(s.Values)
		for j, v := range s.Values {
			if text, ok := v.(string); ok {
				out[i].Values[j] = r.text("setTemplate", text)
			}
		}
	}
	return out
}

// applyBooleans reads the rendered *Template fields and puts them in place of
// the plain ones.
func applyBooleans(r *schema.Release) error {
	var errs []error
	read := func(field string, text *string) *bool {
		if text == nil {
			return nil
		}
		var b bool
		if err := yaml.Unmarshal([]byte(*text), &b); err != nil {
			errs = append(errs, mistake(r.Pos, "releases."+r.Name+"."+field, fmt.Errorf("expected a template that makes true or false, it makes %q", *text)))
		}
		return &b
	}
	if b := read("installedTemplate", r.InstalledTemplate); b != nil {
		r.InstalledTemplate, r.Installed = nil, b
	}
	if b := read("waitTemplate", r.WaitTemplate); b != nil {
		r.WaitTemplate, r.Wait = nil, b
	}
	if b := read("verifyTemplate", r.VerifyTemplate); b != nil {
		verify := schema.Verify{Provenance: b}
		if r.Verify != nil {
			verify.Gates = r.Verify.Gates
		}
		r.VerifyTemplate, r.Verify = nil, &verify
	}
	if b := read("conditionTemplate", r.ConditionTemplate); b != nil {
		r.ConditionTemplate, r.Condition = nil, fmt.Sprint(*b)
	}
	return errors.Join(errs...)
}

// enabled evaluates a condition: true, false, or the path of a boolean named
// enabled in the state values. A missing leaf is false, a missing map on the
// way an error.
func enabled(condition string, state map[string]any) (bool, error) {
	switch strings.ToLower(condition) {
	case "", "true":
		return true, nil
	case "false":
		return false, nil
	}
	keys := strings.Split(condition, ".")
	if keys[len(keys)-1] != "enabled" || len(keys) < 2 {
		return false, fmt.Errorf("%q is no condition, expected true, false or NAME.enabled", condition)
	}
	m := state
	for i, key := range keys[:len(keys)-1] {
		next, ok := m[key]
		if !ok {
			return false, fmt.Errorf("the state values have no %s", strings.Join(keys[:i+1], "."))
		}
		if m, ok = next.(map[string]any); !ok {
			return false, fmt.Errorf("%s in the state values is no map", strings.Join(keys[:i+1], "."))
		}
	}
	on, _ := m["enabled"].(bool)
	return on, nil
}

// releaseTemplateData is the data without .Release.
func (l *loader) releaseTemplateData(f *stateFile) releaseData {
	merged := values.CopyMap(f.env.merged())
	return releaseData{
		Environment: f.env.view(), Values: merged, StateValues: merged,
		KubeContext: f.state.KubeContext, Namespace: f.state.Namespace, Chart: f.state.Chart,
	}
}
