package journal

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// history reads revisions such as "1 superseded, 2 deployed back 1, 3 failed by helm":
// number, status, which revision a rollback made it of, who wrote it if not we, and
// what it was before somebody found it dead.
// after says how much later than it should a revision was written, and of whose it is
// by its label.
func history(began time.Time, text string) []state.Revision {
	var revs []state.Revision
	for one := range strings.SplitSeq(text, ", ") {
		words := strings.Fields(one)
		if len(words) == 0 {
			continue
		}
		number, err := strconv.Atoi(words[0])
		if err != nil {
			panic(err)
		}
		rev := state.Revision{Number: number, Status: state.Status(words[1]), Writer: "flotilla", Deployed: began.Add(time.Duration(number) * time.Second)}
		for pair := range slices.Chunk(words[2:], 2) {
			switch pair[0] {
			case "back":
				rev.RolledBack, _ = strconv.Atoi(pair[1])
			case "by":
				rev.Writer = pair[1]
			case "was":
				rev.Description = state.Interrupted + pair[1]
			case "after":
				late, _ := time.ParseDuration(pair[1])
				rev.Deployed = rev.Deployed.Add(late)
			case "of":
				rev.Labels = map[string]string{state.OwnerLabel: pair[1]}
			}
		}
		revs = append(revs, rev)
	}
	return revs
}

func TestRecover(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	install := Step{Action: "install", Intended: 1}
	again := Step{Action: "install", Base: 4, BaseStatus: state.StatusUninstalled, Intended: 5}
	upgrade := Step{Action: "upgrade", Base: 4, BaseStatus: state.StatusDeployed, Back: 4, BackStatus: state.StatusDeployed, Intended: 5}
	uninstall := Step{Action: "uninstall", Base: 4, BaseStatus: state.StatusDeployed, Back: 4, BackStatus: state.StatusDeployed}
	at := func(s Step, to State) Step { s.State = to; return s }
	left := func(s Step, to State, revision int, status state.Status) Step {
		s.State, s.Left = to, &state.Trace{Revision: revision, Status: status, Began: true}
		return s
	}
	tests := []struct {
		name    string
		step    Step
		history string
		want    string // standing, revision, status, and what else the trace and the standing say
	}{
		{"a step that never began", at(upgrade, StatePending), "4 deployed", "not begun 0"},
		{"an install that never began", at(install, StatePending), "", "not begun 0"},
		{"a skipped step", at(upgrade, StateSkipped), "4 deployed", "not begun 0"},
		{"somebody upgraded what never began", at(upgrade, StatePending), "4 superseded, 5 deployed by helm", "moved 0"},
		{"somebody installed what never began", at(install, StatePending), "1 deployed by helm", "moved 0"},
		{"somebody uninstalled what never began", at(upgrade, StatePending), "4 uninstalled", "moved 0"},
		{"somebody removed what never began", at(upgrade, StatePending), "", "moved 0"},

		{"killed before Helm's first record", at(install, StateRunning), "", "cut off 0"},
		{"killed before Helm's record of an upgrade", at(upgrade, StateRunning), "4 deployed", "cut off 0"},
		{"killed in an install", at(install, StateRunning), "1 pending-install", "cut off 1 pending-install began"},
		{"killed in an upgrade", at(upgrade, StateRunning), "4 deployed, 5 pending-upgrade", "cut off 5 pending-upgrade began"},
		{"killed in an install on top of kept history", at(again, StateRunning), "4 superseded, 5 pending-install", "cut off 5 pending-install began"},
		{"killed between superseding kept history and the record of an install", at(again, StateRunning), "4 superseded", "cut off 4 superseded began"},
		{"killed after Helm was done and before that was stored", at(upgrade, StateRunning), "4 superseded, 5 deployed", "done 5 deployed began unended"},
		{"killed after Helm failed and before that was stored", at(upgrade, StateRunning), "4 deployed, 5 failed", "failed 5 failed began"},
		{"killed when it had only marked what the process before was killed in", at(install, StateRunning), "1 failed was pending-install", "cut off 1 failed began"},
		{"killed in the second attempt of an upgrade", at(upgrade, StateRunning), "4 deployed, 5 failed, 6 pending-upgrade", "cut off 6 pending-upgrade began"},
		{"a run that took over what was pending was killed at once", at(Step{Action: "upgrade", Base: 4, BaseStatus: state.StatusPendingUpgrade, Back: 3, BackStatus: state.StatusDeployed}, StateRunning), "3 deployed, 4 failed", "cut off 0"},

		{"done, and recorded so", left(upgrade, StateDone, 5, state.StatusDeployed), "4 superseded, 5 deployed", "done 5 deployed began"},
		{"done, and somebody else has upgraded since", left(upgrade, StateDone, 5, state.StatusDeployed), "5 superseded, 6 deployed by helm", "moved 5 deployed began"},
		{"done, and another flotilla has upgraded since", left(upgrade, StateDone, 5, state.StatusDeployed), "5 superseded, 6 deployed", "moved 5 deployed began"},
		{"done, and somebody rolled back by hand", left(upgrade, StateDone, 5, state.StatusDeployed), "4 superseded, 5 superseded, 6 deployed back 4 by Helm", "moved 5 deployed began"},
		{"done, and undone by a run whose record was lost", left(upgrade, StateDone, 5, state.StatusDeployed), "4 superseded, 5 superseded, 6 deployed back 4", "undone 5 deployed began"},
		{"done, and somebody removed it", left(install, StateDone, 1, state.StatusDeployed), "", "moved 1 deployed began"},
		{"failed, and recorded so", left(upgrade, StateFailed, 5, state.StatusFailed), "4 deployed, 5 failed", "failed 5 failed began"},
		{"failed after Helm was done, at a gate", left(upgrade, StateFailed, 5, state.StatusDeployed), "4 superseded, 5 deployed", "failed 5 deployed began"},
		{"failed before it changed anything", at(upgrade, StateFailed), "4 deployed", "failed 0"},
		{"cancelled", left(upgrade, StateCancelled, 5, state.StatusFailed), "4 deployed, 5 failed", "cut off 5 failed began"},

		{"killed in the hooks before an uninstall", at(uninstall, StateRunning), "4 deployed", "cut off 0 began"},
		{"killed in an uninstall", at(uninstall, StateRunning), "4 uninstalling", "cut off 4 uninstalling began"},
		{"killed after an uninstall and before that was stored", at(uninstall, StateRunning), "4 uninstalled", "done 4 uninstalled began unended"},
		{"uninstalled, history kept", left(uninstall, StateDone, 4, state.StatusUninstalled), "4 uninstalled", "done 4 uninstalled began"},
		{"uninstalled, history dropped", left(uninstall, StateDone, 4, state.StatusUninstalled), "", "done 4 uninstalled began"},
		{"uninstalled, and installed by somebody since", left(uninstall, StateDone, 4, state.StatusUninstalled), "1 deployed by helm", "moved 4 uninstalled began"},
		{"an uninstall that failed", at(uninstall, StateRunning), "4 failed", "failed 4 failed began"},

		{"killed before the record of a rollback", left(upgrade, StateUndoing, 5, state.StatusDeployed), "4 superseded, 5 deployed", "done 5 deployed began"},
		{"killed in a rollback", left(upgrade, StateUndoing, 5, state.StatusFailed), "4 deployed, 5 failed, 6 pending-rollback back 4", "cut off 6 pending-rollback began"},
		{"killed after a rollback and before that was stored", left(upgrade, StateUndoing, 5, state.StatusFailed), "4 superseded, 5 superseded, 6 deployed back 4", "undone 5 failed began"},
		{"a rollback that failed", left(upgrade, StateUndoFailed, 5, state.StatusFailed), "4 deployed, 5 superseded, 6 failed back 4", "cut off 6 failed began"},
		{"killed while an install was removed", left(install, StateUndoing, 1, state.StatusDeployed), "1 uninstalling", "cut off 1 uninstalling began"},
		{"killed between removing an install and dropping its history", left(install, StateUndoing, 1, state.StatusDeployed), "1 uninstalled", "cut off 1 uninstalled began"},
		{"killed after that and before it was stored", left(install, StateUndoing, 1, state.StatusDeployed), "", "undone 1 deployed began"},
		{"killed between removing an install on top of kept history and dropping its own", left(again, StateUndoing, 5, state.StatusDeployed), "4 superseded, 5 uninstalled", "cut off 5 uninstalled began"},
		{"killed after that", left(again, StateUndoing, 5, state.StatusDeployed), "4 uninstalled", "undone 5 deployed began"},
		{"killed before a kept release was restored", left(uninstall, StateUndoing, 4, state.StatusUninstalled), "4 uninstalled", "done 4 uninstalled began"},
		{"killed while a kept release was restored", left(uninstall, StateUndoing, 4, state.StatusUninstalled), "4 uninstalled, 5 pending-rollback back 4", "cut off 5 pending-rollback began"},
		{"restored, and not stored so", left(uninstall, StateUndoing, 4, state.StatusUninstalled), "4 superseded, 5 deployed back 4", "undone 4 uninstalled began"},
		{"undone", left(upgrade, StateUndone, 5, state.StatusFailed), "6 deployed back 4", "undone 5 failed began"},
		{"undone before anything was recorded", at(upgrade, StateUndoing), "4 deployed", "undone 0"},
		{"somebody upgraded during the undo", left(upgrade, StateUndoing, 5, state.StatusDeployed), "5 superseded, 6 deployed by helm", "moved 5 deployed began"},

		{"uninstalling in the middle of an upgrade", at(upgrade, StateRunning), "4 deployed, 5 uninstalling", "cut off 5 uninstalling began reinstalled"},
		{"uninstalled in the middle of an upgrade", at(upgrade, StateRunning), "4 deployed, 5 uninstalled", "cut off 5 uninstalled began reinstalled"},
		{"superseded just before it is installed anew", at(upgrade, StateRunning), "4 deployed, 5 superseded", "cut off 5 superseded began reinstalled"},
		{"being installed anew", at(upgrade, StateRunning), "4 deployed, 5 superseded, 6 pending-install", "cut off 6 pending-install began reinstalled"},
		{"installed anew and not stored so", at(upgrade, StateRunning), "4 deployed, 5 superseded, 6 deployed", "done 6 deployed began reinstalled unended"},

		{"another program wrote the next revision before we did", at(upgrade, StateRunning), "4 superseded, 5 deployed by helm", "moved 0"},
		{"a run of somebody else's wrote it long after this one", at(upgrade, StateRunning), "4 superseded, 5 deployed after 1h", "moved 0"},
		{"another owner upgraded what never began", at(upgrade, StatePending), "4 superseded, 5 deployed of them", "moved 0"},
		{"another owner installed what never began", at(install, StatePending), "1 deployed of them", "moved 0"},
		{"another owner upgraded what was skipped", at(upgrade, StateSkipped), "4 superseded, 5 deployed of them", "moved 0"},
		{"nobody tells whose the upgrade of what never began is", at(upgrade, StatePending), "4 superseded, 5 deployed", "moved 0"},
		{"the run went on without its record", at(upgrade, StatePending), "4 superseded, 5 deployed of us", "done 5 deployed began unended"},
		{"the run went on without its record and was killed", at(upgrade, StatePending), "4 superseded, 5 pending-upgrade of us", "cut off 5 pending-upgrade began"},
		{"somebody rolled what never began back further", at(upgrade, StatePending), "3 superseded of us, 4 superseded, 5 deployed back 3 of us", "moved 0"},
		{"another owner upgraded before the step that was started did", at(upgrade, StateRunning), "4 superseded, 5 deployed of them", "moved 0"},
		{"another owner installed anew what was done", left(install, StateDone, 1, state.StatusDeployed), "1 deployed of them", "moved 1 deployed began"},
		{"done, with the label of this owner", left(upgrade, StateDone, 5, state.StatusDeployed), "4 superseded, 5 deployed of us", "done 5 deployed began"},
		{"undone, with the label of the owner that had the release before", left(upgrade, StateUndoing, 5, state.StatusFailed), "4 superseded of them, 5 superseded of us, 6 deployed back 4 of them", "undone 5 failed began"},
		{"another revision has the number of the one before", at(Step{Action: "upgrade", Base: 4, BaseAt: began, BaseStatus: state.StatusDeployed}, StateRunning), "4 deployed", "moved 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.step.Release = spec.ReleaseID{Name: "r"}
			r := Run{Owner: "us", Writer: "flotilla", Started: began, Updated: began.Add(10 * time.Second), Steps: []Step{tt.step}}
			got := r.Recover(Sight{Have: state.Snapshot{tt.step.Release: {History: history(began, tt.history)}}})[0]
			text := strings.TrimSpace(string(got.Standing) + " " + strconv.Itoa(got.Left.Revision) + " " + string(got.Left.Status))
			for _, flag := range []struct {
				word string
				on   bool
			}{{" began", got.Left.Began}, {" reinstalled", got.Left.Reinstalled}, {" unended", got.Unended}} {
				if flag.on {
					text += flag.word
				}
			}
			if text != tt.want {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}

func TestRecoverKnowsWhatAnInstallMakesBesideItsRecord(t *testing.T) {
	crd := state.ObjectID{Kind: "CustomResourceDefinition", Name: "boats.example.com"}
	step := Step{Action: "install", State: StateRunning, Release: spec.ReleaseID{Name: "r"}, CRDs: []state.ObjectID{crd}, MakesNamespace: true}
	r := Run{Steps: []Step{step}}
	got := r.Recover(Sight{Namespaces: map[spec.ReleaseID]string{step.Release: "uid"}})[0]
	want := Recovered{Standing: StandingCutOff, Left: state.Trace{Began: true, Namespace: "uid", CRDs: []state.ObjectID{crd}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	r.Steps[0].Left = &state.Trace{Revision: 1, Status: state.StatusDeployed, Namespace: "recorded"}
	if got := r.Recover(Sight{Namespaces: map[spec.ReleaseID]string{step.Release: "uid"}})[0].Left; got.Namespace != "recorded" || len(got.CRDs) > 0 {
		t.Errorf("what is recorded does not count: %+v", got)
	}
}

func TestWhatAStepTookOverIsNotKnownAfterAKill(t *testing.T) {
	step := Step{Action: "install", State: StateRunning, Options: spec.Options{TakeOwnership: true}}
	for text, want := range map[string]bool{"": false, "1 pending-install": true, "1 deployed": true} {
		got := (&Run{Steps: []Step{step}}).Recover(Sight{Have: state.Snapshot{step.Release: {History: history(time.Time{}, text)}}})[0]
		if got.Left.Unsure != want {
			t.Errorf("%q: unsure is %t", text, got.Left.Unsure)
		}
	}
}

func TestWhatALaterRunOfTheOwnerBeganIsNotThisRuns(t *testing.T) {
	id := spec.ReleaseID{Name: "r"}
	step := Step{Action: "upgrade", State: StateRunning, Release: id, Base: 4, BaseStatus: state.StatusDeployed, Back: 4}
	r := Run{Updated: time.Now(), Steps: []Step{step}}
	now := Sight{Have: state.Snapshot{id: {History: history(time.Now(), "4 superseded, 5 deployed")}}}
	later := Run{Steps: []Step{{Release: id}}}
	now.Newer = []*Run{&later}
	if got := r.Recover(now)[0].Standing; got != StandingDone {
		t.Errorf("a later run that never began makes it %s", got)
	}
	later.Steps[0].Started = time.Now()
	if got := r.Recover(now)[0].Standing; got != StandingMoved {
		t.Errorf("got %s", got)
	}
}

func TestClocksOfProcessesThatGoOnWithARunMayDiffer(t *testing.T) {
	id, ahead := spec.ReleaseID{Name: "r"}, time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	r := Run{
		Updated: ahead.Add(-time.Hour), Resumed: []Resumption{{Last: ahead.Add(10 * time.Second)}},
		Steps: []Step{{Action: "upgrade", State: StateRunning, Release: id, Base: 4, BaseStatus: state.StatusDeployed, Back: 4}},
	}
	now := Sight{Have: state.Snapshot{id: {History: history(ahead, "4 deployed, 5 pending-upgrade")}}}
	if got := r.Recover(now)[0].Standing; got != StandingCutOff {
		t.Errorf("what the process with the clock ahead wrote is %s", got)
	}
}
