package spec

import "github.com/flotilla-sh/flotilla/spec/values"

// env is the environment while a file loads. The three layers stay apart until
// they are used, because they merge by different rules.
type env struct {
	name        string
	kubeContext string
	defaults    map[string]any // top-level values
	values      map[string]any // environment, parent and --state-values-file
	cli         map[string]any // --state-values-set
}

// merge lays another environment over this one; either may be nil.
func (e *env) merge(over *env) *env {
	switch {
	case e == nil && over == nil:
		return nil
	case e == nil:
		return over
	case over == nil:
		return e
	}
	out := *e
	if over.name != "" {
		out.name = over.name
	}
	if over.kubeContext != "" {
		out.kubeContext = over.kubeContext
	}
	out.defaults = values.Sparse(e.defaults, over.defaults)
	out.values = values.Sparse(e.values, over.values)
	out.cli = values.Elements(e.cli, over.cli)
	return &out
}

// merged is .Values of templates.
func (e *env) merged() map[string]any {
	return values.Elements(values.Sparse(values.Sparse(nil, e.defaults), e.values), e.cli)
}

// envData is .Environment of templates.
type envData struct {
	Name         string
	KubeContext  string
	Values       map[string]any
	Defaults     map[string]any
	CLIOverrides map[string]any
}

// stateData is what templates of state files and of environment values see.
type stateData struct {
	Environment envData
	Namespace   string
	Values      map[string]any
	StateValues map[string]any
}

// data makes template data. It is a copy, so that a template that changes it
// changes nothing else.
func (e *env) data(namespace string, merged map[string]any) stateData {
	merged = values.CopyMap(merged)
	return stateData{Environment: e.view(), Namespace: namespace, Values: merged, StateValues: merged}
}

func (e *env) view() envData {
	return envData{
		Name:         e.name,
		KubeContext:  e.kubeContext,
		Values:       values.CopyMap(values.Elements(e.values, e.cli)),
		Defaults:     values.CopyMap(e.defaults),
		CLIOverrides: values.CopyMap(e.cli),
	}
}

// over lays the values of one part over this environment, which may be nil. A
// name or context that was set before stays.
func (e *env) over(own, defaults map[string]any, part env) *env {
	out := env{name: part.name, kubeContext: part.kubeContext, values: own, defaults: defaults}
	if e == nil {
		return &out
	}
	out.defaults = values.Override(e.defaults, defaults)
	out.values = values.Sparse(e.values, own)
	out.cli = e.cli
	if e.name != "" {
		out.name = e.name
	}
	if e.kubeContext != "" {
		out.kubeContext = e.kubeContext
	}
	return &out
}
