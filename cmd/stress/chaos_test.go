package stress

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// disturbance is something that happens to the cluster, or to the way to it, in
// the middle of a run.
type disturbance struct {
	name string
	// happen is called once, when the run has written a few times, in a goroutine of
	// its own; it returns when the disturbance is over.
	happen func(t *testing.T, c *clustertest.Cluster, d *disturbed)
}

// disturbed is a run that is disturbed.
type disturbed struct {
	*round
	wire  *wire
	relay *relay
}

// TestChaos disturbs applies, one that would succeed and one that would be
// undone. Each ends either way, and nothing is lost.
func TestChaos(t *testing.T) {
	t.Parallel()
	c := clustertest.StartPrivate(t)
	refusing(t, c)
	first := firstSeed()
	for i := range rounds(t, 1) {
		for k, d := range disturbances {
			seed := first + uint64(i*len(disturbances)+k)
			t.Run(fmt.Sprintf("%s %d", d.name, seed), func(t *testing.T) {
				r := newRound(t, c, seed, size(12, 8))
				r.site.kubeconfig = c.Kubeconfig
				r.chaos(t, c, d)
			})
		}
	}
}

func (r *round) chaos(t *testing.T, c *clustertest.Cluster, d disturbance) {
	before := r.bring()
	next := r.base.changed(r.rng)
	if at := r.rng.IntN(len(next.releases)); r.rng.IntN(2) == 0 && next.releases[at].chart == "unit" {
		next = next.wounded(r.rng, at, woundRefused, before)
	}
	next.write(r, r.dir)
	w := lay(t, c, "")
	between := newRelay(t, w.kubeconfig)
	at := 3 + r.rng.IntN(20)
	var once sync.Once
	var happening sync.WaitGroup
	w.disturb(faults{before: func(n int, _ *http.Request) *http.Response {
		if n == at {
			once.Do(func() { happening.Go(func() { d.happen(t, c, &disturbed{r, w, between}) }) })
		}
		return nil
	}})
	e := site{r.dir, between.kubeconfig}.run(t, "apply", "-o", "json", "--suppress-diff")
	happening.Wait()
	w.disturb(faults{})
	t.Logf("from write %d on; it ended with %d after %s", at, e.code, e.took.Round(time.Millisecond))
	is := r.look(r, next)
	none(t, "soundness", is.sound())
	none(t, "order", outOfOrder(next, lines[event](r, e.stdout, "step")))
	switch e.code {
	case 0:
		none(t, "it says that all is done", allAsWanted(next, is, nil))
	case 6:
		none(t, "it says that all is undone", asBefore(before, is, reportOf(r, e).NotUndone))
	default:
		t.Errorf("exit code %d: neither done nor undone", e.code)
	}
	if t.Failed() {
		t.Logf("%s\n%s", e, e.stdout)
		r.keep(e)
	}
}

// disturbances are those of the promise.
var disturbances = []disturbance{
	{"the API server stands still for 10 s", func(t *testing.T, c *clustertest.Cluster, _ *disturbed) {
		c.Pause(t, clustertest.APIServer)
		time.Sleep(10 * time.Second)
		c.Resume(t, clustertest.APIServer)
	}},
	{"the API server is killed and comes back", func(t *testing.T, c *clustertest.Cluster, _ *disturbed) {
		c.Kill(t, clustertest.APIServer)
		c.Start(t, clustertest.APIServer)
	}},
	{"etcd is killed and comes back", func(t *testing.T, c *clustertest.Cluster, _ *disturbed) {
		c.Kill(t, clustertest.Etcd)
		c.Start(t, clustertest.Etcd)
	}},
	{"all requests are refused with 429 for 4 s", func(_ *testing.T, _ *clustertest.Cluster, d *disturbed) {
		d.during(4*time.Second, faults{before: func(int, *http.Request) *http.Response {
			return refusal(http.StatusTooManyRequests, "TooManyRequests", "too many requests, please try again later")
		}})
	}},
	{"one in twenty requests fails", func(_ *testing.T, _ *clustertest.Cluster, d *disturbed) {
		d.during(0, d.unreliable(20))
	}},
	{"all connections are reset, five times", func(_ *testing.T, _ *clustertest.Cluster, d *disturbed) {
		for range 5 {
			d.relay.reset()
			time.Sleep(300 * time.Millisecond)
		}
	}},
	{"all requests are cut off, three times", func(_ *testing.T, _ *clustertest.Cluster, d *disturbed) {
		for range 3 {
			d.during(300*time.Millisecond, faults{before: func(int, *http.Request) *http.Response { return cutOff() }})
			time.Sleep(300 * time.Millisecond)
		}
	}},
	{"a webhook is down for 5 s", func(t *testing.T, c *clustertest.Cluster, d *disturbed) {
		hooked := c.Client().AdmissionregistrationV1().ValidatingWebhookConfigurations()
		ctx := context.Background()
		made, err := hooked.Create(ctx, downWebhook(d.base), metav1.CreateOptions{})
		if err != nil {
			t.Errorf("making the webhook: %v", err)
			return
		}
		time.Sleep(5 * time.Second)
		if err := hooked.Delete(ctx, made.Name, metav1.DeleteOptions{}); err != nil {
			t.Errorf("deleting the webhook: %v", err)
		}
	}},
}

// during lets faults happen for a time; zero: until the end of the run.
func (d *disturbed) during(length time.Duration, f faults) {
	d.wire.alter(f)
	if length > 0 {
		time.Sleep(length)
		d.wire.alter(faults{})
	}
}

// unreliable has one in n requests fail, in one of the ways in which that
// happens: it may have been carried out all the same.
func (d *disturbed) unreliable(n int) faults {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(d.rng.Uint64(), 1))
	pick := func(of int) int {
		mu.Lock()
		defer mu.Unlock()
		return rng.IntN(of)
	}
	return faults{
		before: func(int, *http.Request) *http.Response {
			switch pick(4 * n) {
			case 0:
				return refusal(http.StatusInternalServerError, "InternalError", "Internal error occurred: on purpose")
			case 1:
				return refusal(http.StatusServiceUnavailable, "ServiceUnavailable", "the server is currently unable to handle the request")
			case 2:
				return cutOff()
			default:
				return nil
			}
		},
		after: func(int, *http.Request) bool { return pick(4*n) != 0 },
	}
}

// downWebhook is asked about every object of an environment, and never answers.
func downWebhook(e environment) *admissionv1.ValidatingWebhookConfiguration {
	where, sideEffects, fail, seconds := "https://127.0.0.1:1/", admissionv1.SideEffectClassNone, admissionv1.Fail, int32(2)
	return &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: e.prefix + ".stress.flotilla.sh"},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "down.stress.flotilla.sh", SideEffects: &sideEffects, FailurePolicy: &fail, TimeoutSeconds: &seconds,
			AdmissionReviewVersions: []string{"v1"}, ClientConfig: admissionv1.WebhookClientConfig{URL: &where},
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn, Values: append(e.namespaces(), e.prefix+"-new0", e.prefix+"-new1")},
			}},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.OperationAll},
				Rule:       admissionv1.Rule{APIGroups: []string{"", "apps"}, APIVersions: []string{"*"}, Resources: []string{"configmaps", "deployments", "services"}},
			}},
		}},
	}
}
