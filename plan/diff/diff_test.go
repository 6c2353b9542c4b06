package diff

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/state"
)

func rev(stream string, hooks ...state.Hook) *state.Revision {
	return &state.Revision{Stream: []byte(stream), Hooks: hooks}
}

const web = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: %d\n  paused: false\n"

func show(changes []Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%s %s hook=%t\n", c.Op, c.Object, c.Hook)
		for _, l := range c.Unified(1) {
			fmt.Fprintf(&b, "%c%s\n", l.Kind, l.Text)
		}
	}
	return b.String()
}

// gen is a Job for which the server makes the name.
func gen(v string) string { return "---\nkind: Job\nmetadata: {generateName: x-}\nv: " + v + "\n" }

func TestRevisions(t *testing.T) {
	one, two := "---\n# Source: a\n"+fmt.Sprintf(web, 1), "---\n# Source: a\n"+fmt.Sprintf(web, 2)
	cm := "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm\n"
	hook := state.Hook{Name: "job", Path: "t/job.yaml", Manifest: "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: job\n"}
	tests := []struct {
		name          string
		before, after *state.Revision
		opts          Options
		want          string
	}{
		{"equal bytes are no change", rev(one), rev(one), Options{}, ""},
		{"order of documents and comments are no change", rev(one + cm), rev(cm + "# other\n" + one), Options{}, ""},
		{"another way to write the same value is no change", rev(cm), rev("---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}}\n"), Options{}, ""},
		{"a changed field is shown with context", rev(one), rev(two), Options{Namespace: "n"},
			"change n/Deployment/web hook=false\n@spec\n   paused: false\n-  replicas: 1\n+  replicas: 2\n"},
		{"a new object is added", rev(one), rev(one + cm), Options{},
			"add ConfigMap/cm hook=false\n+apiVersion: v1\n+kind: ConfigMap\n+metadata:\n+  name: cm\n"},
		{"a dropped object is removed", rev(one + cm), rev(one), Options{},
			"remove ConfigMap/cm hook=false\n-apiVersion: v1\n-kind: ConfigMap\n-metadata:\n-  name: cm\n"},
		{"a new API version is a change of the same object", rev("apiVersion: a/v1\nkind: K\nmetadata: {name: x}\n"), rev("apiVersion: a/v2\nkind: K\nmetadata: {name: x}\n"), Options{},
			"change K/x hook=false\n-apiVersion: a/v1\n+apiVersion: a/v2\n kind: K\n@\n"},
		{"of an object that is listed twice the later document counts", rev(cm + one), rev(cm + one + two), Options{},
			"change Deployment/web hook=false\n@spec\n   paused: false\n-  replicas: 1\n+  replicas: 2\n"},
		{"also when a document of both is the later one", rev(one), rev(two + one), Options{}, ""},
		{"and when one of two goes", rev(two + one), rev(two), Options{},
			"change Deployment/web hook=false\n@spec\n   paused: false\n-  replicas: 1\n+  replicas: 2\n"},
		{"what is cluster-scoped has no namespace", nil, rev("---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x}\n"), Options{Namespace: "n"},
			"add ClusterRole/x hook=false\n+apiVersion: rbac.authorization.k8s.io/v1\n+kind: ClusterRole\n+metadata:\n+  name: x\n"},
		{"a kind that the cluster has without namespace", nil, rev("---\napiVersion: example.org/v1\nkind: Boat\nmetadata: {name: x}\n"),
			Options{Namespace: "n", ClusterScoped: map[schema.GroupKind]bool{{Group: "example.org", Kind: "Boat"}: true}},
			"add Boat/x hook=false\n+apiVersion: example.org/v1\n+kind: Boat\n+metadata:\n+  name: x\n"},
		{"a kind that the release defines without namespace", &state.Revision{}, &state.Revision{
			Stream: []byte("---\napiVersion: example.org/v1\nkind: Boat\nmetadata: {name: x}\n"),
			CRDs:   []state.CRDFile{{Data: []byte("kind: CustomResourceDefinition\nspec: {group: example.org, scope: Cluster, names: {kind: Boat}}\n")}}}, Options{Namespace: "n"},
			"add Boat/x hook=false\n+apiVersion: example.org/v1\n+kind: Boat\n+metadata:\n+  name: x\n"},
		{"a namespace of what has none is no difference", rev("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x, namespace: a}\n"),
			rev("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x}\n"), Options{Namespace: "n"}, ""},
		{"and is not shown", nil, rev("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: x, namespace: a}\n"), Options{Namespace: "n"},
			"add ClusterRole/x hook=false\n+apiVersion: rbac.authorization.k8s.io/v1\n+kind: ClusterRole\n+metadata:\n+  name: x\n"},
		{"whole numbers of 64 bits that are near each other differ", rev("kind: K\nmetadata: {name: x}\nv: 9007199254740993\n"), rev("kind: K\nmetadata: {name: x}\nv: 9007199254740992\n"), Options{},
			"change K/x hook=false\n@metadata\n   name: x\n-v: 9007199254740993\n+v: 9007199254740992\n"},
		{"a whole number written as a fraction is the same", rev("kind: K\nmetadata: {name: x}\nn: 3\n"), rev("kind: K\nmetadata: {name: x}\nn: 3.0\n"), Options{}, ""},
		{"each object without a name is one", nil, rev(gen("a") + gen("b")), Options{},
			"add Job/x-* hook=false\n+kind: Job\n+metadata:\n+  generateName: x-\n+v: a\nadd Job/x-* (2) hook=false\n+kind: Job\n+metadata:\n+  generateName: x-\n+v: b\n"},
		{"equal ones without a name belong together", rev(gen("a") + gen("b") + gen("c")), rev(gen("c") + gen("x")), Options{},
			"change Job/x-* (2) hook=false\n@metadata\n   generateName: x-\n-v: a\n+v: x\nremove Job/x-* (3) hook=false\n-kind: Job\n-metadata:\n-  generateName: x-\n-v: b\n"},
		{"one of two equal ones that goes", rev(gen("a") + gen("a")), rev(gen("a")), Options{},
			"remove Job/x-* (2) hook=false\n-kind: Job\n-metadata:\n-  generateName: x-\n-v: a\n"},
		{"a document that is no object says so, and null is none", nil, rev("---\n{}\n---\nnull\n"), Options{Namespace: "n"},
			"add n/(no kind)/(no name) hook=false\n+{}\n"},
		{"hooks count", rev(one), rev(one, hook), Options{},
			"add Job/job hook=true\n+apiVersion: batch/v1\n+kind: Job\n+metadata:\n+  name: job\n"},
		{"hooks can be left out", rev(one), rev(one, hook), Options{NoHooks: true}, ""},
		{"items of a List are objects", nil, rev("apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: x}\n"), Options{},
			"add ConfigMap/x hook=false\n+apiVersion: v1\n+kind: ConfigMap\n+metadata:\n+  name: x\n"},
		{"items of a typed List have its kind, so Secrets in one are masked", nil, rev("apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {name: x}\n  stringData: {a: hunter2}\n"), Options{},
			"add Secret/x hook=false\n+apiVersion: v1\n+kind: Secret\n+metadata:\n+  name: x\n+stringData:\n+  a: (masked, 7 bytes)\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes, err := Revisions(tt.before, tt.after, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(changes); got != tt.want {
				t.Errorf("got:\n%swant:\n%s", got, tt.want)
			}
		})
	}
}

func TestSecretsAreMaskedOnBothSides(t *testing.T) {
	secret := func(a, b string) *state.Revision {
		return rev("apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{\"data\":\"hunter2\"}'\ndata:\n  a: " + a + "\nstringData:\n  b: " + b + "\n")
	}
	changes, err := Revisions(secret("aHVudGVyMg==", "plain"), secret("aHVudGVyMzM=", "plain"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := changes[0].Before + changes[0].After
	for _, leak := range []string{"aHVudGVy", "hunter", "plain"} {
		if strings.Contains(text, leak) {
			t.Errorf("%q leaks:\n%s", leak, text)
		}
	}
	want := "change Secret/s hook=false\n@\n data:\n-  a: (masked, 7 bytes, old)\n+  a: (masked, 8 bytes, new)\n kind: Secret\n@\n"
	if got := show(changes); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	shown, err := Revisions(secret("aHVudGVyMg==", "plain"), secret("aHVudGVyMzM=", "plain"), Options{ShowSecrets: true})
	if err != nil || !strings.Contains(shown[0].After, "aHVudGVyMzM=") {
		t.Errorf("--show-secrets hides: %+v %v", shown, err)
	}
}

func TestBadManifestsAreErrors(t *testing.T) {
	if c, err := Revisions(rev("a: [\n"), rev("b: 1\n"), Options{}); err == nil {
		t.Errorf("no error, changes %v", c)
	}
}

func FuzzNoChangeAgainstItself(f *testing.F) {
	f.Add("---\na: 1\n---\nkind: Secret\ndata: {x: eQ==}\n")
	f.Fuzz(func(t *testing.T, text string) {
		a, b := rev(text), rev("# comment\n"+text)
		changes, err := Revisions(a, b, Options{})
		if err == nil && len(changes) > 0 && !strings.HasPrefix(text, "\n") {
			t.Errorf("changes against itself: %+v", changes)
		}
		for _, l := range (Change{Before: text, After: text}).Unified(2) {
			if l.Kind == LineAdd || l.Kind == LineRemove {
				t.Errorf("equal texts differ: %+v", l)
			}
		}
	})
}
