package state

// RunAnnotation is what a namespace carries that a run created: the ID of that run.
const RunAnnotation = "flotilla.sh/run"

// Trace is what one operation on a release left behind, for whoever has to undo
// it and must not undo anything else. The zero value: it changed nothing.
type Trace struct {
	Revision int    // the newest record that it wrote; zero: it wrote none
	Status   Status // of that record when the operation ended
	Began    bool   // it got past its checks: hooks may have run, CRDs may be there
	// Namespace is the UID of the release's namespace, if the operation created
	// that; empty: it did not.
	Namespace string
	// CRDs are the custom resource definitions of the chart's crds/ folder that
	// were not there before; no undo deletes them.
	CRDs []ObjectID
	// Reinstalled: the release was uninstalled and installed anew, because an
	// upgrade was not possible.
	Reinstalled bool
	// Unsure: it may have taken objects over, and which ones only the process knew
	// that is gone. Undoing it would delete them.
	Unsure bool
}

// Changed reports whether there is anything to undo.
func (t Trace) Changed() bool { return t.Began || t.Revision > 0 || t.Namespace != "" }

// Then is what is left when another operation on the release follows.
func (t Trace) Then(next Trace) Trace {
	if next.Revision > 0 {
		t.Revision, t.Status = next.Revision, next.Status
	}
	if next.Namespace != "" {
		t.Namespace = next.Namespace
	}
	t.Began = t.Began || next.Began
	t.Reinstalled, t.Unsure = t.Reinstalled || next.Reinstalled, t.Unsure || next.Unsure
	t.CRDs = append(t.CRDs[:len(t.CRDs):len(t.CRDs)], next.CRDs...)
	return t
}
