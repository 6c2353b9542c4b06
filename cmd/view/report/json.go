package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
)

// jsonRun is the whole report. Its parts have the fields that the lines of
// --output json have.
type jsonRun struct {
	Type        string      `json:"type"`
	Schema      string      `json:"schema"`
	Flotilla    string      `json:"flotilla"`
	Command     string      `json:"command"`
	Environment string      `json:"environment,omitempty"`
	Owner       string      `json:"owner,omitempty"`
	ExitCode    int         `json:"exitCode"`
	Interrupted bool        `json:"interrupted,omitempty"`
	Started     *time.Time  `json:"started,omitempty"`  // only where something was executed
	Finished    *time.Time  `json:"finished,omitempty"` // likewise
	Replan      any         `json:"replan,omitempty"`
	Plan        any         `json:"plan,omitempty"`
	Report      any         `json:"report,omitempty"`
	Drift       any         `json:"drift,omitempty"`
	Errors      []jsonError `json:"errors"`
	Warnings    []string    `json:"warnings"`
}

type jsonError struct {
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
}

func writeJSON(b *bytes.Buffer, r *facts) error {
	j := jsonRun{
		Type: "run", Schema: view.Schema, Flotilla: r.Flotilla, Command: r.Command, Environment: r.Environment, Owner: r.Owner,
		ExitCode: r.ExitCode, Interrupted: r.interrupted(), Errors: []jsonError{}, Warnings: append([]string{}, r.Warnings...),
	}
	if r.Plan != nil {
		j.Plan = view.PlanValue(r.Plan, r.Show)
	}
	if r.Renewals != nil {
		j.Replan = view.ReplanValue(*r.Renewals, r.Show)
	}
	if r.Drift != nil {
		j.Drift = view.DriftValue(*r.Drift, r.Look)
	}
	if x := r.Executed; x != nil {
		started, finished := x.Started.UTC(), x.Finished.UTC()
		j.Started, j.Finished = &started, &finished
		j.Report = view.ReportValue(*x, r.Mode)
	}
	for _, err := range r.Errors {
		e := jsonError{Message: err.Error()}
		if at := placeOf(err); at.File != "" {
			e.File, e.Line, e.Column = at.File, at.Line, at.Col
		}
		j.Errors = append(j.Errors, e)
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(j)
}

// placeOf is where in a file the mistake is that an error tells of.
func placeOf(err error) spec.Pos {
	var mistake *spec.Error
	if errors.As(err, &mistake) {
		return mistake.Pos
	}
	return spec.Pos{}
}
