package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// voyage is a fleet whose apply is killed in the middle: after "up" was upgraded,
// while "in" is being installed into a namespace of its own.
type voyage struct {
	fleet
	cluster     *clustertest.Cluster
	ns, records string
}

func newVoyage(t *testing.T) voyage {
	c := clustertest.Start(t)
	v := voyage{fleet: newFleet(t, c.Kubeconfig), cluster: c, ns: c.Namespace(t), records: c.Namespace(t)}
	v.before("voyage", "1")
	v.flotilla(0, "apply", "--suppress-diff")
	return v
}

// before declares what was there before the apply that is killed.
func (v voyage) before(owner, leg string) {
	v.declare(`
owner: %[3]s
stateNamespace: %[1]s
releases:
- {name: up, namespace: %[2]s, chart: CHARTS/app, values: [{replicas: 0, env: {LEG: %[4]q}}]}
`, v.records, v.ns, owner, leg)
}

// after declares what the apply is to make; more are further values of "in".
func (v voyage) after(leg string, more ...string) {
	v.declare(`
owner: voyage
stateNamespace: %[1]s
releases:
- {name: up, namespace: %[2]s, chart: CHARTS/app, values: [{replicas: 0, env: {LEG: %[3]q}}]}
- {name: in, namespace: %[2]s-made, chart: CHARTS/app, needs: [%[2]s/up], wait: true, values: [{podAnnotations: {devcluster.flotilla.sh/delay: 4s}%[4]s}]}
- {name: last, namespace: %[2]s, chart: CHARTS/app, needs: [%[2]s-made/in], values: [{replicas: 0}]}
`, v.records, v.ns, leg, strings.Join(append([]string{""}, more...), ", "))
}

// sink kills an apply while "in" gets ready, and lets its lease expire.
func (v voyage) sink() {
	v.Helper()
	v.after("2")
	changes, err := v.cluster.Client().CoreV1().Secrets(v.records).Watch(v.Context(), metav1.ListOptions{})
	if err != nil {
		v.Fatal(err)
	}
	defer changes.Stop()
	v.killed(changes, func() bool {
		return strings.Contains(v.later(0, "history", "-o", "json"), `"done":1,"pending":1,"running":1`) && v.recorded()
	}, "apply", "--suppress-diff")
	v.expire(v.cluster.Client(), v.records)
}

// recorded waits for the last object of the install, which comes after Helm's record.
func (v voyage) recorded() bool {
	v.Helper()
	records, err := v.cluster.Client().AppsV1().Deployments(v.ns+"-made").Watch(v.Context(), metav1.ListOptions{})
	if err != nil {
		v.Fatal(err)
	}
	defer records.Stop()
	_, open := <-records.ResultChan()
	return open
}

// look tells what is in the cluster: "up LEG=1", "in ready", and records of Helm
// that are pending.
func (v voyage) look() []string {
	v.Helper()
	seen := map[string]bool{}
	client := v.cluster.Client()
	for _, ns := range []string{v.ns, v.ns + "-made"} {
		maps, err := client.CoreV1().ConfigMaps(ns).List(v.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=Helm"})
		if err != nil {
			v.Fatal(err)
		}
		for _, m := range maps.Items {
			seen[strings.TrimSuffix(m.Name, "-app")+" LEG="+m.Data["LEG"]] = true
		}
		records, err := client.CoreV1().Secrets(ns).List(v.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
		if err != nil {
			v.Fatal(err)
		}
		for _, r := range records.Items {
			if status := r.Labels["status"]; strings.HasPrefix(status, "pending") || status == "uninstalling" {
				seen[r.Name+" "+status] = true
			}
		}
	}
	if _, err := client.CoreV1().Namespaces().Get(v.Context(), v.ns+"-made", metav1.GetOptions{}); err == nil {
		seen["namespace"] = true
	} else if !apierrors.IsNotFound(err) {
		v.Fatal(err)
	}
	return slices.Sorted(maps.Keys(seen))
}

func (v voyage) expect(want ...string) {
	v.Helper()
	if d := cmp.Diff(want, v.look()); d != "" {
		v.Errorf("what is in the cluster (-want +got):\n%s", d)
	}
}

// runs gives the outcomes of all runs, newest first, and the ID of the newest.
func (v voyage) runs() (outcomes []string, newest string) {
	v.Helper()
	var all []struct{ Run, Command, Outcome string }
	if err := json.Unmarshal([]byte(v.flotilla(0, "history", "-o", "json")), &all); err != nil {
		v.Fatal(err)
	}
	for _, r := range all {
		outcomes = append(outcomes, r.Command+" "+r.Outcome)
	}
	return outcomes, all[0].Run
}

func (v voyage) ended(want ...string) {
	v.Helper()
	if got, _ := v.runs(); !slices.Equal(got, want) {
		v.Errorf("the runs are %q, want %q", got, want)
	}
}

func TestAKilledApplyIsPutBack(t *testing.T) {
	v := newVoyage(t)
	v.sink()
	told := v.flotilla(0, "resume", "--undo")
	for _, line := range []string{"1 done, 1 cut off, 1 not begun", "- " + v.ns + "-made/in: remove it, from revision 1 (pending-install)", "~ " + v.ns + "/up: roll back to revision 1, from revision 2 (deployed)"} {
		if !strings.Contains(told, line) {
			t.Errorf("%q is not in\n%s", line, told)
		}
	}
	v.expect("up LEG=1")
	v.ended("apply undone", "apply done")
	v.flotilla(3, "resume", "--undo")
}

func TestAKilledApplyIsFinishedAndThenUndone(t *testing.T) {
	v := newVoyage(t)
	v.sink()
	v.flotilla(0, "resume", "--suppress-diff")
	v.expect("in LEG=", "last LEG=", "namespace", "up LEG=2")
	v.ended("apply done", "apply done")
	_, run := v.runs()
	v.flotilla(3, "resume", run)
	v.flotilla(0, "rollback", "--run", run)
	v.expect("up LEG=1")
	v.ended("rollback done", "apply done", "apply done")
	v.flotilla(4, "rollback", "--run", run)
}

func TestAKilledApplyIsNotFinishedAsSomethingElse(t *testing.T) {
	v := newVoyage(t)
	v.sink()
	v.after("2", "env: {LEG: \"3\"}")
	v.flotilla(4, "resume")
	v.expect("in LEG=", "namespace", "sh.helm.release.v1.in.v1 pending-install", "up LEG=2")
	v.flotilla(0, "resume", "--replan", "--suppress-diff")
	v.expect("in LEG=3", "last LEG=", "namespace", "up LEG=2")
	v.ended("apply done", "apply done")
}

func TestWhatSomebodyHasWorkedOnSinceIsLeftAlone(t *testing.T) {
	v := newVoyage(t)
	v.sink()
	v.before("another", "9")
	v.flotilla(0, "apply", "--suppress-diff")
	v.after("2")
	v.flotilla(4, "resume")
	v.expect("in LEG=", "namespace", "sh.helm.release.v1.in.v1 pending-install", "up LEG=9")
	v.flotilla(7, "resume", "--undo")
	v.expect("up LEG=9")
	v.ended("apply undo incomplete", "apply done")
}

func TestWhatSomebodyHasInstalledSinceIsUpgradedWithReplan(t *testing.T) {
	v := newVoyage(t)
	v.sink()
	v.declare(`
owner: another
stateNamespace: %[1]s
releases:
- {name: last, namespace: %[2]s, chart: CHARTS/app, values: [{replicas: 0, env: {LEG: "7"}}]}
`, v.records, v.ns)
	v.flotilla(0, "apply", "--suppress-diff")
	v.after("2")
	v.flotilla(4, "resume")
	v.flotilla(0, "resume", "--replan", "--suppress-diff")
	v.expect("in LEG=", "last LEG=", "namespace", "up LEG=2")
	v.ended("apply done", "apply done")
}

// TestARecordThatCannotBeReadIsNamed: which is no mistake in how the command was
// called, and no reason to go on with an older run.
func TestARecordThatCannotBeReadIsNamed(t *testing.T) {
	v := newVoyage(t)
	v.declare(`
owner: voyage
stateNamespace: %[1]s
releases:
- {name: up, namespace: %[2]s, chart: CHARTS/app, wait: true, timeout: 1, values: [{podAnnotations: {devcluster.flotilla.sh/fail: never-ready}}]}
- {name: other, namespace: %[2]s, chart: CHARTS/app, values: [{replicas: 0}]}
`, v.records, v.ns)
	v.flotilla(1, "apply", "--suppress-diff", "--selector", "name=up", "--rollback", "none")
	_, failed := v.runs()
	v.flotilla(0, "apply", "--suppress-diff", "--selector", "name=other")
	_, newer := v.runs()
	spoil := func(run string) {
		t.Helper()
		if _, err := v.cluster.Client().CoreV1().Secrets(v.records).Patch(t.Context(), "flotilla-run-"+run, types.MergePatchType, []byte(`{"data":{"record":"H4sI"}}`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(code int, want string, args ...string) {
		t.Helper()
		if _, told := v.says(code, args...); !strings.Contains(told, want) {
			t.Errorf("%q is not in\n%s", want, told)
		}
	}
	spoil(newer)
	expect(1, "run "+failed+", of ", "resume")
	spoil(failed)
	named := func(run string) string {
		return "reading the record flotilla-run-" + run + " in namespace " + v.records + " of context " + v.cluster.Context + ": the record is damaged: "
	}
	for _, args := range [][]string{{"resume"}, {"resume", "--undo"}, {"resume", failed}, {"rollback", "--run", failed}} {
		expect(1, named(failed), args...)
	}
	expect(1, named(newer), "resume")
	expect(1, "kubectl delete secret flotilla-run-"+failed+" --namespace "+v.records+" --context ", "resume", failed)
	expect(3, "no run 1999 is recorded", "resume", "1999")
}
