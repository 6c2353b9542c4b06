package main

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// expire makes the Leases of $NS last a second, counted from now: so nobody has
// to wait for that of a run that was killed.
func expire(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: expire")
	}
	config, err := clientcmd.BuildConfigFromFlags("", ts.Getenv("KUBECONFIG"))
	ts.Check(err)
	client, err := kubernetes.NewForConfig(config)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	leases := client.CoordinationV1().Leases(ts.Getenv("NS"))
	list, err := leases.List(ctx, metav1.ListOptions{})
	ts.Check(err)
	if len(list.Items) == 0 {
		ts.Fatalf("there are no Leases")
	}
	for _, l := range list.Items {
		_, err := leases.Patch(ctx, l.Name, types.MergePatchType, []byte(`{"spec":{"leaseDurationSeconds":1}}`), metav1.PatchOptions{})
		ts.Check(err)
	}
}
