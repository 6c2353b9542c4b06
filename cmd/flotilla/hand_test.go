package main

import (
	"context"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

// hand is somebody who works on objects of $NS behind a release's back, as the
// field manager "hand": "hand patch RESOURCE NAME JSON", "hand delete RESOURCE
// NAME", and "hand has RESOURCE NAME FIELD VALUE", which looks.
func hand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: hand patch|delete|has RESOURCE NAME ...")
	}
	config, err := clientcmd.BuildConfigFromFlags("", ts.Getenv("KUBECONFIG"))
	ts.Check(err)
	client, err := dynamic.NewForConfig(config)
	ts.Check(err)
	resource := schema.GroupVersionResource{Version: "v1", Resource: args[1]}
	if args[1] == "deployments" {
		resource.Group = "apps"
	}
	objects := client.Resource(resource).Namespace(ts.Getenv("NS"))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch {
	case args[0] == "patch" && len(args) == 4:
		_, err := objects.Patch(ctx, args[2], types.MergePatchType, []byte(args[3]), metav1.PatchOptions{FieldManager: "hand"})
		ts.Check(err)
	case args[0] == "delete" && len(args) == 3:
		ts.Check(objects.Delete(ctx, args[2], metav1.DeleteOptions{}))
	case args[0] == "has" && len(args) == 5:
		o, err := objects.Get(ctx, args[2], metav1.GetOptions{})
		ts.Check(err)
		if got, _, err := unstructured.NestedString(o.Object, strings.Split(args[3], ".")...); err != nil || got != args[4] {
			ts.Fatalf("%s of %s is %q (%v), want %q", args[3], args[2], got, err, args[4])
		}
	default:
		ts.Fatalf("usage: hand patch|delete|has RESOURCE NAME ...")
	}
}
