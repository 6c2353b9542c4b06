package report

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
)

// writePrometheus writes gauges in the text format 0.0.4. All have labels that
// tell command, environment and owner, so that the files of several jobs can lie
// in one folder: a collector refuses the same series twice.
func writePrometheus(b *bytes.Buffer, r *facts) {
	p := &samples{out: b, common: []string{"command", r.Command, "environment", r.Environment, "owner", r.Owner}}
	p.family("flotilla_run_exit_code", "Exit code of the newest run.")
	p.sample(float64(r.ExitCode))
	p.family("flotilla_run_timestamp_seconds", "When the newest run ended, in seconds since 1970.")
	p.sample(float64(r.Ended.Unix()))
	p.family("flotilla_run_errors", "Errors that belong to no release, such as what could not be seen.")
	p.sample(float64(len(r.faults())))
	if r.Executed != nil {
		p.family("flotilla_run_duration_seconds", "How long the newest run executed its plan.")
		p.sample(r.Executed.Finished.Sub(r.Executed.Started).Seconds())
	}
	if r.Drift != nil {
		p.drift(r)
	}
	if r.Plan != nil {
		p.plan(r)
	}
	if r.Executed != nil {
		p.results(r)
	}
}

// drift has no sample that says "not drifted" of what could not be seen.
func (p *samples) drift(r *facts) {
	p.family("flotilla_release_drifted", "1 where a release is not as it was deployed, 0 where it is; none where that could not be seen.")
	for _, id := range r.looked {
		found := len(r.found[id])
		if found > 0 || len(r.unseenOf(id)) == 0 {
			p.sample(truth(found > 0), labelsOf(id)...)
		}
	}
	p.family("flotilla_release_unseen", "1 where not all of a release could be seen, else 0.")
	for _, id := range r.looked {
		p.sample(truth(len(r.unseenOf(id)) > 0), labelsOf(id)...)
	}
	p.family("flotilla_release_drift_findings", "What is not as it was deployed, counted by release.")
	for _, id := range r.looked {
		p.sample(float64(len(r.found[id])), labelsOf(id)...)
	}
	p.family("flotilla_drift_findings", "What is not as it was deployed, counted by kind.")
	kinds := map[drift.Kind]int{}
	for _, f := range r.Drift.Findings {
		kinds[f.Kind]++
	}
	for _, k := range driftKinds() {
		p.sample(float64(kinds[k]), "kind", string(k))
	}
	p.family("flotilla_drift_ignored", "What is not as it was deployed and does not count.")
	p.sample(float64(len(r.Drift.Ignored)))
}

func driftKinds() []drift.Kind {
	return []drift.Kind{
		drift.KindChanged, drift.KindRemoved, drift.KindMissing, drift.KindAdded,
		drift.KindAbsent, drift.KindFailed, drift.KindPending, drift.KindOutside, drift.KindUndeclared,
	}
}

func truth(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

func (p *samples) plan(r *facts) {
	p.family("flotilla_releases", "Releases of the newest run by what was planned for them.")
	for _, a := range []plan.Action{plan.ActionNone, plan.ActionInstall, plan.ActionUpgrade, plan.ActionUninstall, plan.ActionRollback, plan.ActionRemove} {
		p.sample(float64(r.Plan.Count(a)), "action", string(a))
	}
	p.family("flotilla_release_changed_objects", "Objects of a release that differ from what is declared.")
	for _, one := range r.releases {
		p.sample(float64(len(one.step.Changes)), labelsOf(one.id)...)
	}
	p.family("flotilla_release_objections", "What the cluster has against applying a release.")
	for _, one := range r.releases {
		p.sample(float64(len(one.step.Objections)), labelsOf(one.id)...)
	}
}

func (p *samples) results(r *facts) {
	p.family("flotilla_results", "Releases of the newest run by how their step ended.")
	for _, o := range []executor.Outcome{
		executor.OutcomeUnchanged, executor.OutcomeDone, executor.OutcomeFailed, executor.OutcomeCancelled,
		executor.OutcomeSkipped, executor.OutcomeUndone, executor.OutcomeUndoFailed,
	} {
		p.sample(float64(r.Executed.Count(o)), "outcome", string(o))
	}
	p.family("flotilla_release_failed", "1 where the step of a release did not end well, else 0.")
	for _, one := range r.releases {
		p.sample(truth(one.failed()), labelsOf(one.id)...)
	}
	p.family("flotilla_release_duration_seconds", "How long the step of a release took.")
	for _, one := range r.releases {
		if one.result != nil {
			p.sample(one.result.Elapsed.Seconds(), labelsOf(one.id)...)
		}
	}
}

// samples writes one family after the other.
type samples struct {
	out    *bytes.Buffer
	common []string
	name   string
}

func (p *samples) family(name, help string) {
	p.name = name
	fmt.Fprintf(p.out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
}

func labelsOf(id spec.ReleaseID) []string {
	return []string{"context", id.Context, "namespace", id.Namespace, "release", id.Name}
}

// sample writes a value with the common labels and others, as pairs.
func (p *samples) sample(value float64, labels ...string) {
	var all []string
	for _, list := range [][]string{p.common, labels} {
		for i := 0; i+1 < len(list); i += 2 {
			all = append(all, list[i]+`="`+labelValue(list[i+1])+`"`)
		}
	}
	fmt.Fprintf(p.out, "%s{%s} %s\n", p.name, strings.Join(all, ","), strconv.FormatFloat(value, 'f', -1, 64))
}

func labelValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text(s))
}
