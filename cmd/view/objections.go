package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	livediff "github.com/flotilla-sh/flotilla/plan/live"
)

// objections writes what speaks against a step.
func (h *human) objections(b *strings.Builder, s plan.Step, opts PlanOptions) {
	for _, line := range objectionLines(s) {
		fmt.Fprintf(b, "    %s %s\n", h.paint(red, "!"), line)
	}
	if slices.ContainsFunc(s.Objections, func(o plan.Objection) bool { return o.Kind == plan.ObjectionConflict }) {
		advice := opts.Conflicts
		if advice == "" {
			advice = "take these fields out of the chart, or take them over: --sync-args=--force-conflicts, or forceConflicts: true of the release"
		}
		fmt.Fprintf(b, "      %s\n", h.paint(dim, advice))
	}
}

func objectionText(o plan.Objection) string {
	if o.Kind == plan.ObjectionConflict {
		return o.Message // the server begins it with that word
	}
	return string(o.Kind) + ": " + o.Message
}

// drift writes in one line each who changed which field behind the release's
// back.
func (h *human) drift(b *strings.Builder, s plan.Step) {
	for _, line := range driftLines(s) {
		fmt.Fprintf(b, "    %s\n", h.paint(dim, line))
	}
}

func when(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " at " + at.UTC().Format(time.RFC3339)
}

// jsonObjection is something that speaks against a step.
type jsonObjection struct {
	Kind      plan.ObjectionKind `json:"kind"`
	Group     string             `json:"group,omitempty"`
	Object    string             `json:"object"` // kind
	Namespace string             `json:"namespace,omitempty"`
	Name      string             `json:"name"`
	Field     string             `json:"field,omitempty"`
	Message   string             `json:"message"`
}

func objectionsOf(list []plan.Objection) []jsonObjection {
	var all []jsonObjection
	for _, o := range list {
		all = append(all, jsonObjection{o.Kind, o.Object.Group, o.Object.Kind, o.Object.Namespace, o.Object.Name, o.Field, o.Message})
	}
	return all
}

// jsonDrift is one object that is not as it was stored.
type jsonDrift struct {
	Op        string      `json:"op"`
	Group     string      `json:"group,omitempty"`
	Kind      string      `json:"kind"`
	Namespace string      `json:"namespace,omitempty"`
	Name      string      `json:"name"`
	Fields    []jsonField `json:"fields,omitempty"`
}

type jsonField struct {
	Path    string     `json:"path"`
	Stored  string     `json:"stored,omitempty"` // JSON
	Live    string     `json:"live,omitempty"`   // JSON
	Manager string     `json:"manager,omitempty"`
	Time    *time.Time `json:"time,omitempty"`
}

func driftOf(list []livediff.Drift) []jsonDrift {
	var all []jsonDrift
	for _, d := range list {
		j := jsonDrift{Op: string(d.Op), Group: d.Object.Group, Kind: d.Object.Kind, Namespace: d.Object.Namespace, Name: d.Object.Name}
		for _, f := range d.Fields {
			field := jsonField{Path: f.Path, Stored: f.Was, Live: f.Is, Manager: f.By}
			if !f.At.IsZero() {
				field.Time = &f.At
			}
			j.Fields = append(j.Fields, field)
		}
		all = append(all, j)
	}
	return all
}
