package stress

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// round is one random environment in a cluster.
type round struct {
	testing.TB
	site
	looker
	rng  *rand.Rand
	base environment
}

// newRound makes up an environment, whose state file is not there yet, and sees to
// it that nothing of it stays.
func newRound(t testing.TB, c *clustertest.Cluster, seed uint64, size int) *round {
	t.Helper()
	r := &round{TB: t, looker: newLooker(t, c), rng: rand.New(rand.NewPCG(seed, 0))}
	r.site = site{dir: folder(t), kubeconfig: c.Kubeconfig}
	r.base = newEnvironment(r.rng, seed, size)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d: repeat with -run '^%s$' -seed %d -rounds 1 -size %d", seed, strings.SplitN(t.Name(), "/", 2)[0], seed, size)
		}
		r.clear()
	})
	return r
}

// folder is a temporary one, which -keep keeps.
func folder(t testing.TB) string {
	t.Helper()
	if !*keepFlag {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("", "flotilla-stress-round-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("all is in %s", dir)
		} else {
			os.RemoveAll(dir)
		}
	})
	return dir
}

// clear deletes what is left of the environment in the cluster. That it does not
// go is no failure of what is tested.
func (r *round) clear() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	background := metav1.DeletePropagationBackground
	if list, err := r.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{}); err == nil {
		for _, ns := range list.Items {
			if strings.HasPrefix(ns.Name, r.base.prefix+"-") {
				_ = r.client.CoreV1().Namespaces().Delete(ctx, ns.Name, metav1.DeleteOptions{PropagationPolicy: &background})
			}
		}
	}
	_ = r.client.CoreV1().Secrets("flotilla-system").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "flotilla.sh/owner=" + r.base.owner()})
	if r.base.group != "" {
		crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
		_ = r.dynamic.Resource(crds).Delete(ctx, "things."+r.base.group, metav1.DeleteOptions{})
	}
}

// refusing has the cluster refuse every ConfigMap with a certain label.
func refusing(t testing.TB, c *clustertest.Cluster) {
	t.Helper()
	const name = "refuse.stress.flotilla.sh"
	fail := admissionv1.Fail
	api := c.Client().AdmissionregistrationV1()
	_, err := api.ValidatingAdmissionPolicies().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionv1.MatchResources{
				ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"stress.flotilla.sh/refused": "true"}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				}}},
			},
			Validations: []admissionv1.Validation{{Expression: "false", Message: "refused on purpose"}},
		},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	_, err = api.ValidatingAdmissionPolicyBindings().Create(t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	awaitRefusal(t, c)
}

// installed reports whether a release is there, as more than history.
func (s snapshot) installed(name id) bool {
	one, there := s.releases[name]
	return there && one.status != "uninstalled"
}

// bring applies the base, and gives what is there then.
func (r *round) bring() snapshot {
	r.Helper()
	r.base.write(r, r.dir)
	r.must(r, 0, "apply", "-o", "json", "--suppress-diff")
	is := r.look(r, r.base)
	none(r, "after a first apply", allAsWanted(r.base, is, nil))
	if r.Failed() {
		r.FailNow()
	}
	return is
}

var scopes = []string{"plan", "plan", "plan", "group", "release", "none"}

// TestRandomGraphs applies random changes with random failures, four to each
// environment. A round is one run that may fail.
func TestRandomGraphs(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t)
	refusing(t, c)
	const each = 4
	first := firstSeed()
	for i := range (rounds(t, 2*each) + each - 1) / each {
		seed := first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newRound(t, c, seed, size(100, 14)).graph(each)
		})
	}
}

// graph has a number of changes fail in an environment. One that is undone is
// followed by the next one as it is; else what ailed it is mended first.
func (r *round) graph(runs int) {
	before := r.bring()
	left := map[id]bool{}
	for n := range runs {
		healthy := r.base.changed(r.rng)
		next, renders := r.ailing(healthy, before)
		next.write(r, r.dir)
		e := r.run(r, r.applying()...)
		r.Logf("%v ended with %d after %s", e.args, e.code, e.took.Round(time.Millisecond))
		r.judge(next, before, e, left)
		if r.Failed() {
			r.Logf("%s\n%s", e, e.stdout)
			r.keep(e)
			return
		}
		for name, yes := range kept(r, e) {
			left[name] = left[name] || yes
		}
		if asItWas := e.code == 6 || !renders; !asItWas || n == runs-1 {
			r.mended(healthy, left)
			r.base = healthy
		}
		if r.Failed() {
			return
		}
		before = r.look(r, r.base)
	}
	r.must(r, 0, "diff", "--detailed-exitcode", "--against", "live", "--suppress-diff")
	r.must(r, 0, "destroy")
	is := r.look(r, r.base)
	maps.DeleteFunc(is.releases, func(name id, one stored) bool { return left[name] && one.status == "uninstalled" })
	if len(is.releases)+len(is.objects) > 0 {
		r.Errorf("a destroy leaves %d releases and the objects %v", len(is.releases), slices.SortedFunc(maps.Keys(is.objects), compareObjects))
	}
}

// ailing wounds a release or two, and tells whether what comes of that renders.
func (r *round) ailing(next environment, before snapshot) (_ environment, renders bool) {
	renders = true
	for range 1 + r.rng.IntN(2) {
		at := r.rng.IntN(len(next.releases))
		if next.releases[at].chart != "unit" || r.rng.IntN(6) == 0 {
			continue
		}
		how := wounds[r.rng.IntN(len(wounds))]
		if r.rng.IntN(12) == 0 {
			how, renders = woundRender, false
		}
		next = next.wounded(r.rng, at, how, before)
		r.Logf("%s: %s", next.releases[at].id, how)
	}
	return next, renders
}

// applying are the arguments of an apply with one policy or another.
func (r *round) applying() []string {
	args := []string{"apply", "-o", "json", "--suppress-diff", "--rollback", scopes[r.rng.IntN(len(scopes))]}
	if r.rng.IntN(3) == 0 {
		args = append(args, "--keep-going")
	}
	if r.rng.IntN(3) == 0 {
		args = append(args, "--concurrency", fmt.Sprint(1+r.rng.IntN(8)))
	}
	return args
}

// mended applies a version that nothing ails.
func (r *round) mended(healthy environment, left map[id]bool) {
	r.Helper()
	healthy.write(r, r.dir)
	e := r.run(r, "apply", "-o", "json", "--suppress-diff")
	is := r.look(r, healthy)
	none(r, "after an apply of what nothing ails", allAsWanted(healthy, is, left))
	none(r, "order", outOfOrder(healthy, lines[event](r, e.stdout, "step")))
	if e.code != 0 || r.Failed() {
		r.Errorf("want exit code 0: %s\n%s", e, e.stdout)
		r.keep(e)
	}
}

// keep writes what a failed run said into its folder.
func (r *round) keep(e ended) {
	_ = os.WriteFile(filepath.Join(r.dir, "stdout"), []byte(e.stdout), 0o600)
	_ = os.WriteFile(filepath.Join(r.dir, "stderr"), []byte(e.stderr), 0o600)
}

// judge holds the cluster against what the run says of itself; left as kept has
// it, of the runs before.
func (r *round) judge(next environment, before snapshot, e ended, left map[id]bool) {
	r.Helper()
	is := r.look(r, next)
	none(r, "order", outOfOrder(next, lines[event](r, e.stdout, "step")))
	none(r, "soundness", is.sound())
	broken := slices.ContainsFunc(next.releases, func(r release) bool { return r.values.Broken })
	if broken {
		if e.code != 1 {
			r.Errorf("what cannot be rendered ended with %d, want 1", e.code)
		}
		none(r, "nothing may have been written", asBefore(before, is, nil))
		return
	}
	report := reportOf(r, e)
	switch e.code {
	case 0:
		none(r, "it says that all is done", allAsWanted(next, is, left))
	case 6:
		none(r, "it says that all is undone", asBefore(before, is, report.NotUndone))
	case 1:
		if slices.Contains(e.args, "plan") {
			r.Error("with the scope plan a failure is to be undone")
		}
	default:
		r.Errorf("exit code %d: nothing but the releases was in the way", e.code)
	}
	none(r, "release by release", byOutcome(next, before, is, report))
}

// byOutcome holds each release against what the report says of it.
func byOutcome(next environment, before, is snapshot, report report) []string {
	declared := map[id]release{}
	for _, r := range next.releases {
		declared[r.id] = r
	}
	var faults []string
	for name, outcome := range report.outcomes() {
		var some []string
		switch outcome {
		case "unchanged", "skipped", "undone":
			some = sameRelease(name, before.releases[name], is.releases[name], next.history)
		case "done":
			some = asWanted(declared[name], is.releases[name], report.Failed)
		case "failed":
			if s := is.releases[name].status; s != "failed" && s != before.releases[name].status {
				some = append(some, fmt.Sprintf("%s is %s", name, s))
			}
		default:
			some = append(some, fmt.Sprintf("%s: outcome %q", name, outcome))
		}
		for _, fault := range some {
			faults = append(faults, outcome+": "+fault)
		}
	}
	slices.Sort(faults)
	return faults
}

// awaitRefusal returns when the policy is in force, which takes the server a
// moment.
func awaitRefusal(t testing.TB, c *clustertest.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-", Labels: map[string]string{"stress.flotilla.sh/refused": "true"}}}
	for {
		_, err := c.Client().CoreV1().ConfigMaps("default").Create(ctx, probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("the admission policy is not in force: %v", err)
		}
	}
}
