package view

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// schema is the version of what is printed as JSON; it moves when a field
// changes its meaning or goes away.
const schema = "flotilla/v1"

// jsonView prints one object a line, or one YAML document each: plans, steps and reports to Out, for they
// are the result; warnings, errors, questions and the output of hooks to Err.
type jsonView struct {
	mu  sync.Mutex
	out io.Writer
	err io.Writer
	now func() time.Time

	encode func(io.Writer, any) error // JSON or, for the same values as YAML, document
}

var _ View = (*jsonView)(nil)

type jsonHeader struct {
	Type   string    `json:"type"`
	Schema string    `json:"schema"`
	Time   time.Time `json:"time"`
}

type jsonID struct {
	Context   string `json:"context,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

type jsonStep struct {
	Release  jsonID       `json:"release"`
	Action   plan.Action  `json:"action"`
	Reason   plan.Reason  `json:"reason"`
	Chart    string       `json:"chart,omitempty"`
	Revision int          `json:"revision,omitempty"`
	Causes   []jsonCause  `json:"causes,omitempty"`
	Changes  []jsonChange `json:"changes,omitempty"`

	Drift      []jsonDrift     `json:"drift,omitempty"`
	Objections []jsonObjection `json:"objections,omitempty"`

	Folds    []jsonFold  `json:"folds,omitempty"`    // of --fold-labels
	NotShown *jsonHidden `json:"notShown,omitempty"` // changes that are suppressed as a whole
	Gates    []jsonGate  `json:"gates,omitempty"`    // what the release has to pass when it is done
}

func (v *jsonView) header(kind string) jsonHeader {
	return jsonHeader{Type: kind, Schema: schema, Time: v.now().UTC()}
}

func (v *jsonView) write(value any) { v.print(v.out, value) }

func (v *jsonView) tell(value any) { v.print(v.err, value) }

func (v *jsonView) print(w io.Writer, value any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.encode(w, value) // a closed stdout has nowhere to be reported to
}

func idOf(id spec.ReleaseID) jsonID {
	return jsonID{Context: id.Context, Namespace: id.Namespace, Name: id.Name}
}

func (v *jsonView) Plan(p *plan.Plan, opts PlanOptions) {
	v.write(struct {
		jsonHeader
		jsonPlan
	}{v.header("plan"), planOf(p, opts)})
}

type jsonPlan struct {
	Mode  plan.Mode  `json:"mode"`
	Saved *jsonSaved `json:"saved,omitempty"`
	Steps []jsonStep `json:"steps"`
	Edges []jsonEdge `json:"edges,omitempty"`
}

func planOf(p *plan.Plan, opts PlanOptions) jsonPlan {
	steps := make([]jsonStep, 0, len(p.Steps))
	for _, s := range p.Steps {
		j := jsonStep{Release: idOf(s.Release.ID), Action: s.Action, Reason: s.Reason, Causes: causesOf(s.Causes)}
		j.Drift, j.Objections, j.Gates = driftOf(s.Drift), objectionsOf(s.Objections), gatesOf(s)
		if s.Before != nil {
			j.Chart, j.Revision = chartOf(s.Before), s.Before.Number
		}
		if s.After != nil {
			j.Chart = chartOf(s.After)
		}
		if !opts.Brief && !s.Release.Options.SuppressDiff {
			shown := diff.Show(s.Changes, opts.selection(s))
			j.Changes, j.Folds, j.NotShown = changesOf(shown.Items, opts), foldsOf(shown.Folds), hiddenOf(shown)
		}
		steps = append(steps, j)
	}
	return jsonPlan{p.Mode, savedOf(opts.Saved), steps, edgesOf(p.Edges)}
}

// jsonSaved tells where a saved plan comes from.
type jsonSaved struct {
	Flotilla string     `json:"flotilla"`
	Created  time.Time  `json:"created"`
	Files    []jsonFile `json:"files"`
}

type jsonFile struct {
	Path   string `json:"path"`
	Digest string `json:"digest"`
}

func savedOf(s *plan.Saved) *jsonSaved {
	if s == nil {
		return nil
	}
	j := &jsonSaved{Flotilla: s.Flotilla, Created: s.Created, Files: []jsonFile{}}
	for _, f := range s.Files {
		j.Files = append(j.Files, jsonFile(f))
	}
	return j
}

// jsonEdge says that one end starts only when the other has ended well, and why.
type jsonEdge struct {
	From   jsonNode      `json:"from"`
	To     jsonNode      `json:"to"`
	Reason plan.EdgeKind `json:"reason"`
}

// jsonNode is a release, or a gate: all releases of a file.
type jsonNode struct {
	Release *jsonID `json:"release,omitempty"`
	Gate    string  `json:"gate,omitempty"`
}

func edgesOf(edges []plan.Edge) []jsonEdge {
	var list []jsonEdge
	for _, e := range edges {
		list = append(list, jsonEdge{nodeOf(e.From), nodeOf(e.To), e.Kind})
	}
	return list
}

func nodeOf(n plan.Node) jsonNode {
	if n.Gate != "" {
		return jsonNode{Gate: n.Gate}
	}
	id := idOf(n.Release)
	return jsonNode{Release: &id}
}

func (v *jsonView) Begin(*plan.Plan) {}

func (v *jsonView) End() {}

func (v *jsonView) Event(e executor.Event) {
	v.write(struct {
		jsonHeader
		Event   executor.EventKind `json:"event"`
		Release jsonID             `json:"release"`
		Action  plan.Action        `json:"action"`
		Undo    bool               `json:"undo,omitempty"`
		Outcome executor.Outcome   `json:"outcome,omitempty"`
		Because string             `json:"because,omitempty"`
		Seconds float64            `json:"seconds,omitempty"`
		Error   *jsonError         `json:"error,omitempty"`
		Retry   *jsonRetry         `json:"retry,omitempty"`
	}{v.header("step"), e.Kind, idOf(e.Step.Release.ID), e.Step.Action, e.Undo, e.Outcome, e.Because, e.Elapsed.Seconds(), errorOf(e.Err), retryOf(e)})
}

// jsonRetry is what is tried again, of an event of that kind.
type jsonRetry struct {
	Request string  `json:"request,omitempty"` // missing: the whole step
	Attempt int     `json:"attempt"`
	Of      int     `json:"of"`
	Seconds float64 `json:"seconds"` // before it
	Reason  string  `json:"reason"`
}

func retryOf(e executor.Event) *jsonRetry {
	if e.Kind != executor.EventRetrying {
		return nil
	}
	return &jsonRetry{e.Retry.What, e.Retry.Attempt, e.Retry.Of, e.Retry.Pause.Seconds(), e.Retry.Reason}
}

type jsonError struct {
	Message  string        `json:"message"`
	Troubles []jsonTrouble `json:"troubles,omitempty"`
}

type jsonTrouble struct {
	Object  string    `json:"object"`
	Message string    `json:"message"`
	Events  []string  `json:"events,omitempty"`
	Logs    []jsonLog `json:"logs,omitempty"`
}

type jsonLog struct {
	Pod       string   `json:"pod"`
	Container string   `json:"container"`
	Lines     []string `json:"lines"`
}

func errorOf(err error) *jsonError {
	if err == nil {
		return nil
	}
	j := &jsonError{Message: err.Error()}
	var op *state.OperationError
	if errors.As(err, &op) {
		for _, t := range op.Troubles {
			var logs []jsonLog
			for _, l := range t.Logs {
				logs = append(logs, jsonLog(l))
			}
			j.Troubles = append(j.Troubles, jsonTrouble{t.Object.String(), t.Message, t.Events, logs})
		}
	}
	return j
}

func errorsOf(errs []error) []*jsonError {
	var list []*jsonError
	for _, err := range errs {
		list = append(list, errorOf(err))
	}
	return list
}

type jsonResult struct {
	Release   jsonID           `json:"release"`
	Action    plan.Action      `json:"action"`
	Outcome   executor.Outcome `json:"outcome"`
	Because   string           `json:"because,omitempty"`
	Seconds   float64          `json:"seconds"`
	Error     *jsonError       `json:"error,omitempty"`
	UndoError *jsonError       `json:"undoError,omitempty"`
	Reinstall bool             `json:"reinstalled,omitempty"`
}

func (v *jsonView) Report(r executor.Report, mode plan.Mode) {
	v.write(struct {
		jsonHeader
		jsonReport
	}{v.header("report"), reportOf(r, mode)})
}

type jsonReport struct {
	Mode        plan.Mode    `json:"mode"`
	Failed      bool         `json:"failed"`
	Interrupted bool         `json:"interrupted"`
	TimedOut    bool         `json:"timedOut,omitempty"`
	Undone      bool         `json:"undone"`
	Seconds     float64      `json:"seconds"`
	Results     []jsonResult `json:"results"`
	NotUndone   []string     `json:"notUndone,omitempty"`
	HookErrs    []*jsonError `json:"hookErrors,omitempty"`
	RecordErrs  []*jsonError `json:"recordErrors,omitempty"`
	LockLost    *jsonError   `json:"lockLost,omitempty"`
}

func reportOf(r executor.Report, mode plan.Mode) jsonReport {
	results := make([]jsonResult, 0, len(r.Results))
	for _, x := range r.Results {
		results = append(results, jsonResult{idOf(x.Step.Release.ID), x.Step.Action, x.Outcome, x.Because,
			x.Elapsed.Seconds(), errorOf(x.Err), errorOf(x.Undo), x.Left.Reinstalled})
	}
	lost := []string{}
	for _, l := range r.Lost {
		lost = append(lost, l.Release.String()+": "+l.Object.String()+": "+l.Why)
	}
	return jsonReport{mode, r.Failed(), r.Interrupted, r.TimedOut, r.FullyUndone(), r.Finished.Sub(r.Started).Seconds(), results, lost,
		errorsOf(r.HookErrs), errorsOf(r.RecordErrs), errorOf(r.Fenced)}
}

func (v *jsonView) Hook(event spec.HookEvent, name, line string) {
	v.tell(struct {
		jsonHeader
		Event spec.HookEvent `json:"event"`
		Hook  string         `json:"hook"`
		Line  string         `json:"line"`
	}{v.header("hook"), event, name, line})
}

func (v *jsonView) Warn(message string) {
	v.tell(struct {
		jsonHeader
		Message string `json:"message"`
	}{v.header("warning"), message})
}

func (v *jsonView) Ask(question string) {
	v.tell(struct {
		jsonHeader
		Question string `json:"question"`
	}{v.header("question"), question})
}

func (v *jsonView) Error(err error) {
	for _, e := range Flatten(err) {
		v.tell(struct {
			jsonHeader
			*jsonError
		}{v.header("error"), errorOf(e)})
	}
}
