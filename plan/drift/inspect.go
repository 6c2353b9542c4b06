package drift

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/plan/live"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// Program is how the server knows this program as a writer of records.
const Program = "flotilla"

// Subject is one declared release with what was seen of it.
type Subject struct {
	Release spec.Release
	Have    state.Release // of phase absent, or the zero value, where it has no record
	// Writers are the programs that ever wrote a record of the release; of use
	// where the newest one is not of Program.
	Writers    []string
	Stored     diff.Manifest    // what its deployed revision declares; nil: its objects were not looked at
	Deviations []live.Deviation // of its objects
	Additions  []live.Deviation // fields that nobody declared
}

// Settled reports whether the objects of a release can be held against a
// revision: the newest one, which is deployed.
func Settled(have state.Release) bool {
	return have.Phase == state.PhaseDeployed && have.Last() != nil
}

// Input is all that a report is made of.
type Input struct {
	Subjects []Subject
	Owner    string // the id of spec.Owner; empty: nobody knows
	// Owned are the releases in the cluster that carry the mark of the owner, and
	// Declared all that the state files declare, selected or not.
	Owned    []state.Release
	Declared map[spec.ReleaseID]bool
	Spec     *spec.Spec // whose rules count
	Partly   bool       // not all that the rules may match was looked at
	Now      time.Time  // that decides whether rules have expired
	Redact   func(string) string
}

// Find makes the report, without what could not be seen.
func Find(in Input) Report {
	f := &finder{in: in, rules: rulesOf(in)}
	for _, s := range in.Subjects {
		f.report.Releases = append(f.report.Releases, s.Release.ID)
		f.release(s)
		under := scaled(s.Stored)
		for _, d := range s.Deviations {
			f.object(s, d, under)
		}
		for _, d := range s.Additions {
			f.added(s, d, under)
		}
	}
	for _, r := range in.Owned {
		if !in.Declared[r.ID] {
			f.undeclared(r)
		}
	}
	f.report.Notes = append(f.report.Notes, f.rules.notes(in)...)
	f.report.sort()
	return f.report
}

type finder struct {
	in     Input
	rules  *rules
	report Report
}

// release finds what is to be told of the release itself.
func (f *finder) release(s Subject) {
	last := s.Have.Last()
	found := Finding{Release: s.Release.ID}
	if last != nil {
		found.Revision, found.Manager, found.Time = last.Number, last.Writer, last.Deployed
	}
	switch s.Have.Phase {
	case state.PhaseAbsent, "":
		found.Kind = KindAbsent
		found.Text = "it is declared, and there is no record of it: it was never installed, or somebody uninstalled it"
	case state.PhaseUninstalled:
		found.Kind = KindAbsent
		found.Text = "it is declared, and was uninstalled: only its history is left"
	case state.PhaseFailed:
		found.Kind = KindFailed
		found.Text = fmt.Sprintf("revision %d is %s%s; its objects were not compared", last.Number, last.Status, f.told(last))
	case state.PhasePending, state.PhaseUninstalling:
		found.Kind = KindPending
		found.Text = fmt.Sprintf("revision %d is %s: an operation is under way, or was cut off; its objects were not compared", last.Number, last.Status)
	case state.PhaseDeployed:
		f.outside(s, found)
		return
	default:
		found.Kind, found.Text = KindFailed, fmt.Sprintf("its phase %q is unknown", s.Have.Phase)
	}
	if found.Kind == KindAbsent && !s.Release.Installed {
		return
	}
	f.report.Findings = append(f.report.Findings, found)
}

// outside finds a revision that another program made of a release of ours.
func (f *finder) outside(s Subject, found Finding) {
	last := s.Have.Last()
	if last.Writer == Program || last.Writer == "" {
		return
	}
	marked := f.in.Owner != "" && last.Labels[state.OwnerLabel] == state.OwnerValue(f.in.Owner)
	if !marked && !slices.Contains(s.Writers, Program) {
		f.report.Notes = append(f.report.Notes, Note{Release: s.Release.ID,
			Text: fmt.Sprintf("flotilla has not written this release yet: revision %d is one of %s", last.Number, last.Writer)})
		return
	}
	found.Kind = KindOutside
	found.Text = fmt.Sprintf("revision %d was made by %s%s", last.Number, last.Writer, f.told(last))
	f.report.Findings = append(f.report.Findings, found)
}

// told is the description of a revision, of which Helm's usual ones say nothing.
func (f *finder) told(r *state.Revision) string {
	text := strings.TrimSpace(r.Description)
	switch text {
	case "", "Install complete", "Upgrade complete":
		return ""
	}
	if f.in.Redact != nil {
		text = f.in.Redact(text)
	}
	return ": " + strings.Join(strings.Fields(text), " ")
}

func (f *finder) undeclared(r state.Release) {
	last := r.Last()
	if last == nil {
		return
	}
	f.report.Findings = append(f.report.Findings, Finding{
		Kind: KindUndeclared, Release: r.ID, Revision: last.Number, Manager: last.Writer, Time: last.Deployed,
		Text: fmt.Sprintf("revision %d of chart %s-%s is %s, and no state file of this owner declares it", last.Number, last.Chart.Name, last.Chart.Version, last.Status),
	})
}

// object finds what of a stored object is not as it was deployed.
func (f *finder) object(s Subject, d live.Deviation, under map[state.ObjectID]bool) {
	found := Finding{Release: s.Release.ID, Object: d.Object}
	if last := s.Have.Last(); last != nil {
		found.Revision = last.Number
	}
	if d.Gone {
		found.Kind = KindMissing
		f.judge(s, found, natural(found, d, under))
		return
	}
	for _, field := range d.Fields {
		one := of(found, field)
		switch {
		case field.Is == "":
			one.Kind = KindRemoved
		default:
			one.Kind = KindChanged
		}
		f.judge(s, one, natural(one, d, under))
	}
}

// added finds what somebody set and nobody declared.
func (f *finder) added(s Subject, d live.Deviation, under map[state.ObjectID]bool) {
	for _, field := range d.Fields {
		one := of(Finding{Kind: KindAdded, Release: s.Release.ID, Object: d.Object, Revision: s.Have.Last().Number}, field)
		f.judge(s, one, natural(one, d, under))
	}
}

func of(found Finding, d live.Departure) Finding {
	found.Field, found.Declared, found.Live = d.Path, d.Was, d.Is
	found.Manager, found.Operation, found.Subresource, found.Time = d.By, d.Operation, d.Subresource, d.At
	found.owned, found.steps = d.Owned, d.Steps
	return found
}

// judge counts a finding, unless it is in the nature of things or a rule of the
// state files says that it does not count. A rule is asked first, so that it is
// not told to match nothing.
func (f *finder) judge(s Subject, found Finding, because string) {
	if rule := f.rules.match(found, s.Release.File); rule != nil {
		f.report.Ignored = append(f.report.Ignored, Ignored{Finding: found, Because: rule.Reason, Rule: rule})
		return
	}
	if because != "" {
		f.report.Ignored = append(f.report.Ignored, Ignored{Finding: found, Because: because})
		return
	}
	f.report.Findings = append(f.report.Findings, found)
}
