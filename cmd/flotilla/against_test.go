package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// TestRequestsOfALivePlan: what is compared costs one LIST for each kind and
// namespace, however many objects there are.
func TestRequestsOfALivePlan(t *testing.T) {
	c := clustertest.Start(t)
	f, proxy := counting(t, c)
	one, two := c.Namespace(t), c.Namespace(t)
	state := "releases:\n"
	for _, ns := range []string{one, two} {
		for _, name := range []string{"a", "b", "c"} {
			state += "- {name: " + name + ", namespace: " + ns + ", chart: CHARTS/app, values: [{replicas: 0}]}\n"
		}
	}
	f.declare("%s", state)
	f.flotilla(0, "apply")
	for _, args := range [][]string{{"plan", "--against", "live"}, {"diff", "--against", "server"}} {
		proxy.Take()
		f.flotilla(0, append(args, "--detailed-exitcode")...)
		got := proxy.Take()
		// The release records, and the four kinds of the chart: see testdata/charts.
		want := map[string]int{"LIST secrets": 2, "LIST deployments": 2, "LIST services": 2, "LIST configmaps": 2, "LIST serviceaccounts": 2}
		for kind, n := range want {
			if got.ByKind[kind] != n {
				t.Errorf("%q asks %d times for %q, want %d: %q", args, got.ByKind[kind], kind, n, got.Kinds())
			}
		}
		if got.Requests != constant+10 {
			t.Errorf("%q asks %d times, want %d: %q", args, got.Requests, constant+10, got.Kinds())
		}
	}
}

// TestLivePlanNeedsGetAndListOnly plans with an account that may only read, and
// sees that the same account can write nothing.
func TestLivePlanNeedsGetAndListOnly(t *testing.T) {
	c := clustertest.Start(t)
	ns := c.Namespace(t)
	admin := newFleet(t, c.Kubeconfig)
	declare := func(f fleet, replicas string) {
		f.declare("helmDefaults: {createNamespace: false}\nreleases:\n- {name: web, namespace: %s, chart: CHARTS/app, values: [{replicas: %s}]}\n", ns, replicas)
	}
	declare(admin, "1")
	admin.flotilla(0, "apply")

	reader := newFleet(t, c.ServiceAccountKubeconfig(t, ns,
		rbacv1.PolicyRule{APIGroups: []string{"", "apps"}, Resources: []string{"secrets", "configmaps", "services", "serviceaccounts", "deployments"}, Verbs: []string{"get", "list"}}))
	declare(reader, "1")
	if got := reader.flotilla(0, "plan", "--against", "live", "--detailed-exitcode"); !strings.Contains(got, "No changes") {
		t.Errorf("right after apply:\n%s", got)
	}
	declare(reader, "2")
	got := reader.flotilla(2, "plan", "--against", "live", "--detailed-exitcode", "-o", filepath.Join(reader.dir, "saved.plan"))
	if !strings.Contains(got, "-   replicas: 1") || !strings.Contains(got, "+   replicas: 2") {
		t.Errorf("with a change:\n%s", got)
	}
	if got := reader.flotilla(1, "plan", "--against", "server"); !strings.Contains(got, "refused: ") || !strings.Contains(got, `cannot patch resource "deployments"`) {
		t.Errorf("a dry run asks for the rights of a write:\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(reader.dir, "saved.plan")); err != nil {
		t.Error(err)
	}
	reader.flotilla(6, "apply") // it fails, and there is nothing to put back
	if got := admin.flotilla(0, "diff", "--against", "live", "--detailed-exitcode"); !strings.Contains(got, "No changes") {
		t.Errorf("the reader has written:\n%s", got)
	}

	blind := newFleet(t, c.ServiceAccountKubeconfig(t, ns, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list"}}))
	declare(blind, "1")
	blind.flotilla(0, "plan")
	blind.flotilla(1, "plan", "--against", "live")
}
