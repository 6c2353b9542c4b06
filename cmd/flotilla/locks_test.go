package main

import (
	"context"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// locksWhatItPlansAnew: a run whose plan writes to one cluster waits for another run,
// and has to write to a second cluster then.
func locksWhatItPlansAnew(t *testing.T, kubeconfig string, live, dev *clustertest.Cluster) {
	f := newFleet(t, kubeconfig)
	here, there := dev.Namespace(t), live.Namespace(t)
	t.Cleanup(func() {
		for _, client := range []kubernetes.Interface{live.Client(), dev.Client()} {
			_ = client.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), here+"-state", metav1.DeleteOptions{})
		}
	})
	declare := func(near, far, more string) {
		t.Helper()
		f.declare(`
owner: two-%[1]s
stateNamespace: %[1]s-state
releases:
- {name: near, namespace: %[1]s, kubeContext: dev, chart: CHARTS/app, values: [{replicas: 0, env: {LEG: %[3]q}}]}
- {name: far, namespace: %[2]s, kubeContext: live, chart: CHARTS/app, values: [{replicas: 0, env: {LEG: %[4]q}}]%[5]s
`, here, there, near, far, more)
	}
	declare("1", "1", "}")
	f.flotilla(0, "apply", "--suppress-diff")

	declare("1", "2", ", needs: [dev/"+here+"/slow]}\n- {name: slow, namespace: "+here+", kubeContext: dev, wait: true, chart: CHARTS/app, values: [{podAnnotations: {devcluster.flotilla.sh/delay: 5s}}]}")
	first := f.start("apply")
	f.meets(here, "slow")
	leases, err := live.Client().CoordinationV1().Leases(here+"-state").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer leases.Stop()
	declare("3", "1", "}") // the first run has not come to far
	second := f.start("apply", "--lock-timeout", "1m")
	second.await("Waiting for the lock")
	if code := first.ends(); code != 0 {
		t.Fatalf("the first run ended with %d:\n%s", code, first.output())
	}
	if code := second.ends(); code != 0 {
		t.Fatalf("the second run ended with %d:\n%s", code, second.output())
	}
	far, err := live.Client().CoreV1().ConfigMaps(there).Get(t.Context(), "far-app", metav1.GetOptions{})
	if err != nil || far.Data["LEG"] != "1" {
		t.Errorf("the second run wrote %v into the other cluster: %v", far.Data, err)
	}
	holders := map[string]bool{}
	for late := time.After(10 * time.Second); len(holders) < 2; {
		select {
		case e := <-leases.ResultChan():
			if lease, ok := e.Object.(*coordinationv1.Lease); ok && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "" {
				holders[*lease.Spec.HolderIdentity] = true
			}
		case <-late:
			t.Fatalf("the other cluster was locked by %v, want both runs", holders)
		}
	}
}
