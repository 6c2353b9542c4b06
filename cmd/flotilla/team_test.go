package main

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// TestTeam walks through examples/team on two clusters: the contexts dev and live.
func TestTeam(t *testing.T) {
	dev, live := clustertest.Start(t), clustertest.StartPrivate(t)
	t.Cleanup(func() {
		// The other cluster goes away as a whole.
		_ = dev.Client().CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), "shop-dev", metav1.DeleteOptions{})
	})
	kubeconfig := twoContexts(t, map[string]*clustertest.Cluster{"dev": dev, "live": live})
	t.Run("a run over both that is cut off", func(t *testing.T) { goesOnOverTwoClusters(t, kubeconfig, live, dev) })
	t.Run("a run that waited, and then writes to both", func(t *testing.T) { locksWhatItPlansAnew(t, kubeconfig, live, dev) })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/team",
		RequireExplicitExec: true,
		Cmds:                commands(),
		Setup: func(env *testscript.Env) error {
			isolate(env)
			env.Setenv("KUBECONFIG", kubeconfig)
			env.Setenv("NS", "shop-prod")
			return serve(t, env)
		},
	})
}

// twoContexts writes a kubeconfig with a context for each cluster; the current
// one is live.
func twoContexts(t *testing.T, clusters map[string]*clustertest.Cluster) string {
	t.Helper()
	both := api.NewConfig()
	both.CurrentContext = "live"
	for name, c := range clusters {
		one, err := clientcmd.LoadFromFile(c.Kubeconfig)
		if err != nil {
			t.Fatal(err)
		}
		found := one.Contexts[c.Context]
		both.Clusters[name], both.AuthInfos[name] = one.Clusters[found.Cluster], one.AuthInfos[found.AuthInfo]
		both.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*both, path); err != nil {
		t.Fatal(err)
	}
	return path
}
