package main

import (
	"path/filepath"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// look is a command that only looks, and the exit code that it ends with.
type look struct {
	code int
	args []string
}

func looks(saved string) []look {
	return []look{
		{0, []string{"diff"}},
		{0, []string{"diff", "--against", "live"}},
		{0, []string{"diff", "--against", "server"}},
		{0, []string{"plan"}},
		{0, []string{"plan", "-o", saved}},
		{0, []string{"plan", "--against", "live"}},
		{0, []string{"show", saved}},
		{0, []string{"template", "--validate"}},
		{0, []string{"lint"}},
		{0, []string{"explain", "web"}},
		{1, []string{"status"}}, // one is not installed
	}
}

// TestPlanningNeverWrites goes by the audit log of the API server.
func TestPlanningNeverWrites(t *testing.T) {
	c := clustertest.StartPrivate(t)
	f := newFleet(t, c.Kubeconfig)
	ns := c.Namespace(t)
	declare := func(replicas int, more string) {
		f.declare(`releases:
- {name: web, namespace: %[1]s, chart: CHARTS/app, values: [{replicas: %[2]d, ingress: {enabled: true}}]}
- {name: gone, namespace: %[1]s, chart: CHARTS/hello, installed: %[4]v}
- {name: jobs, namespace: %[1]s, chart: CHARTS/hooks, values: [{mark: x%[2]d}]}
%[3]s`, ns, replicas, more, replicas == 1)
	}
	declare(1, "")
	writes := 0
	for _, r := range c.Audit(t, func() { f.flotilla(0, "apply") }) {
		if r.Writes() {
			writes++
		}
	}
	if writes < 10 {
		t.Fatalf("the audit log knows %d writes of an apply: this test would see nothing", writes)
	}
	// Something to install, with a new kind, to upgrade and to uninstall.
	declare(2, "- {name: new, namespace: fresh, chart: CHARTS/crds}\n")
	saved := filepath.Join(f.dir, "saved.plan")
	for _, l := range looks(saved) {
		requests := c.Audit(t, func() { f.flotilla(l.code, l.args...) })
		for _, r := range requests {
			if r.Writes() {
				t.Errorf("flotilla %q made a write: %s %s", l.args, r.Verb, r.URI)
			}
		}
		if l.args[0] == "diff" && len(requests) == 0 {
			t.Errorf("flotilla %q made no request at all: the log is not read right", l.args)
		}
	}
}

// TestPlanningNeedsOnlyRightsToRead plans with an account that may do nothing
// but get and list.
func TestPlanningNeedsOnlyRightsToRead(t *testing.T) {
	c := clustertest.Start(t)
	f := newFleet(t, c.Kubeconfig)
	ns := c.Namespace(t)
	declare := func(replicas int) {
		f.declare("releases: [{name: web, namespace: %s, chart: CHARTS/app, values: [{replicas: %d}]}]", ns, replicas)
	}
	declare(0)
	f.flotilla(0, "apply")
	declare(1)
	f.kubeconfig = c.ServiceAccountKubeconfig(t, ns, rbacv1.PolicyRule{
		APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list"}})
	saved := filepath.Join(f.dir, "saved.plan")
	for _, command := range [][]string{
		{"diff", "--detailed-exitcode"}, {"diff", "--against", "live", "--detailed-exitcode"}, {"plan", "-o", saved, "--detailed-exitcode"},
	} {
		f.flotilla(2, command...)
	}
	f.flotilla(6, "apply") // the account may really not write: nothing had to be put back
}
