package diff

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/state"
)

// changesOf compares two streams and wants it to go well.
func changesOf(t testing.TB, before, after string, opts Options) []Change {
	t.Helper()
	changes, err := Revisions(rev(before), rev(after), opts)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// shown writes what Show made, with the lines of each item.
func shown(s Shown, context int) string {
	var b strings.Builder
	for _, i := range s.Items {
		fmt.Fprintf(&b, "%s %s", i.Op, i.Object)
		if i.Op == OpMove {
			fmt.Fprintf(&b, " from %s masked=%t same=%t", i.From, i.Masked, i.Same())
		}
		if len(i.Labels) > 0 {
			fmt.Fprintf(&b, " without %s", strings.Join(i.Labels, ","))
		}
		b.WriteString("\n")
		if i.Op == OpAdd || i.Op == OpRemove {
			continue
		}
		for _, l := range i.Unified(context) {
			fmt.Fprintf(&b, "%c%s\n", l.Kind, l.Text)
		}
	}
	for _, f := range s.Folds {
		fmt.Fprintf(&b, "fold %v of %v others=%d pods=%v\n", f.Labels, f.Objects, f.Others, f.Pods)
	}
	if s.Hidden() > 0 {
		fmt.Fprintf(&b, "hidden %v byKind=%d byLine=%d\n", s.HiddenKinds, s.ByKind, s.ByLine)
	}
	return b.String()
}

// configMap and secret are objects with a name and entries such as "a: 1".
func configMap(name string, data ...string) string { return withData("ConfigMap", "data", name, data) }

func secret(name string, data ...string) string { return withData("Secret", "stringData", name, data) }

func withData(kind, field, name string, data []string) string {
	return "---\napiVersion: v1\nkind: " + kind + "\nmetadata:\n  name: " + name + "\n" + field + ":\n  " + strings.Join(data, "\n  ") + "\n"
}

func TestMoves(t *testing.T) {
	tests := []struct {
		name          string
		before, after string
		opts          Options
		want          string
	}{
		{"a name that ends in another hash of the content", configMap("web-5dbecbcc", "a: one", "b: two"), configMap("web-6b3ae9a0", "a: one", "b: three"), Options{},
			"move ConfigMap/web-6b3ae9a0 from ConfigMap/web-5dbecbcc masked=false same=false\n@data\n-  b: two\n+  b: three\n@\n"},
		{"another name and the same content", configMap("old", "a: one"), configMap("young", "a: one"), Options{},
			"move ConfigMap/young from ConfigMap/old masked=false same=true\n"},
		{"the same name in another namespace", strings.Replace(configMap("x", "a: one"), "  name: x", "  name: x\n  namespace: m", 1), configMap("x", "a: one"), Options{Namespace: "n"},
			"move n/ConfigMap/x from m/ConfigMap/x masked=false same=true\n"},
		{"other content is no move", configMap("old", "a: one", "b: two", "c: three"), configMap("young", "x: nine", "y: eight", "z: seven"), Options{},
			"remove ConfigMap/old\nadd ConfigMap/young\n"},
		{"words at the end of names are no hashes", configMap("web-nginx", "a: one", "b: two", "c: x", "d: x"), configMap("web-proxy", "a: one", "b: three", "e: y", "f: y"), Options{},
			"remove ConfigMap/web-nginx\nadd ConfigMap/web-proxy\n"},
		{"another kind is no move", configMap("x", "a: one"), secret("x", "a: one"), Options{},
			"remove ConfigMap/x\nadd Secret/x\n"},
		{"the most alike are paired first, whatever their order", configMap("a", "a: one", "b: two", "c: three", "d: four"),
			configMap("b", "a: one", "b: two", "c: three", "d: other") + configMap("c", "a: one", "b: two", "c: three", "d: four"), Options{},
			"add ConfigMap/b\nmove ConfigMap/c from ConfigMap/a masked=false same=true\n"},
		{"what is kept when it goes does not move", strings.Replace(configMap("old", "a: one"), "  name: old", "  name: old\n  annotations: {helm.sh/resource-policy: keep}", 1), configMap("young", "a: one"), Options{},
			"remove ConfigMap/old\nadd ConfigMap/young\n"},
		{"equal values of Secrets are not told from others", secret("s-5dbecbcc", "a: hunter2"), secret("s-6b3ae9a0", "a: hunter2"), Options{},
			"move Secret/s-6b3ae9a0 from Secret/s-5dbecbcc masked=true same=true\n"},
		{"nor others from equal ones", secret("s-5dbecbcc", "a: hunter2"), secret("s-6b3ae9a0", "a: hunter3"), Options{},
			"move Secret/s-6b3ae9a0 from Secret/s-5dbecbcc masked=true same=true\n"},
		{"Secrets of other names are never paired, for masks are all alike", secret("db", "user: a", "pass: b"), secret("mail", "user: c", "pass: d"), Options{},
			"remove Secret/db\nadd Secret/mail\n"},
		{"Secrets with other keys are none that moved", secret("s-5dbecbcc", "a: x", "b: x", "c: x", "d: x", "e: x", "f: x"), secret("s-6b3ae9a0", "u: x", "v: x", "w: x", "x: x", "y: x", "z: x"), Options{},
			"remove Secret/s-5dbecbcc\nadd Secret/s-6b3ae9a0\n"},
		{"a masked text in another kind is not compared either", configMap("c-5dbecbcc", "a: hunter2", "b: one"), configMap("c-6b3ae9a0", "a: hunter2", "b: one"), hide("hunter2"),
			"move ConfigMap/c-6b3ae9a0 from ConfigMap/c-5dbecbcc masked=true same=true\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, shown(Show(changesOf(t, tt.before, tt.after, tt.opts), Selection{}), 0)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// labelled is an object of that kind with the labels of a chart's version, and
// what follows its metadata.
func labelled(kind, name, version, rest string) string {
	labels := fmt.Sprintf("{helm.sh/chart: web-%s, app.kubernetes.io/version: v%s, app: web}", version, version)
	return fmt.Sprintf("---\napiVersion: apps/v1\nkind: %s\nmetadata:\n  name: %s\n  labels: %s\n%s", kind, name, labels, strings.ReplaceAll(rest, "LABELS", labels))
}

func TestFoldedLabels(t *testing.T) {
	const both = "fold [{app.kubernetes.io/version v1.0.0 v1.1.0} {helm.sh/chart web-1.0.0 web-1.1.0}]"
	legacy := func(chart, heritage string) string {
		return "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: s\n  labels: {chart: " + chart + ", heritage: " + heritage + "}\n"
	}
	pods := "spec:\n  replicas: 1\n  template:\n    metadata:\n      labels: LABELS\n"
	tests := []struct {
		name          string
		before, after string
		want          string
	}{
		{"objects that differ in nothing else make one line", labelled("Service", "a", "1.0.0", "") + labelled("Service", "b", "1.0.0", ""),
			labelled("Service", "a", "1.1.0", "") + labelled("Service", "b", "1.1.0", ""),
			both + " of [Service/a Service/b] others=0 pods=[]\n"},
		{"pod templates are named, for they make new pods", labelled("Deployment", "a", "1.0.0", pods), labelled("Deployment", "a", "1.1.0", pods),
			both + " of [Deployment/a] others=0 pods=[Deployment/a]\n"},
		{"an object that differs elsewhere keeps that", labelled("Deployment", "a", "1.0.0", pods), labelled("Deployment", "a", "1.1.0", strings.Replace(pods, "1", "2", 1)),
			"change Deployment/a without app.kubernetes.io/version,helm.sh/chart\n@spec\n-  replicas: 1\n+  replicas: 2\n@\n" + both + " of [] others=1 pods=[Deployment/a]\n"},
		{"other versions make another line", labelled("Service", "a", "1.0.0", "") + labelled("Service", "b", "2.0.0", ""),
			labelled("Service", "a", "1.1.0", "") + labelled("Service", "b", "2.1.0", ""),
			both + " of [Service/a] others=0 pods=[]\nfold [{app.kubernetes.io/version v2.0.0 v2.1.0} {helm.sh/chart web-2.0.0 web-2.1.0}] of [Service/b] others=0 pods=[]\n"},
		{"templates of claims, which a server refuses to change, are not folded", labelled("StatefulSet", "a", "1.0.0", "spec:\n  volumeClaimTemplates:\n  - metadata: {name: d, labels: LABELS}\n"),
			labelled("StatefulSet", "a", "1.1.0", "spec:\n  volumeClaimTemplates:\n  - metadata: {name: d, labels: LABELS}\n"),
			"change StatefulSet/a without app.kubernetes.io/version,helm.sh/chart\n@spec.volumeClaimTemplates.metadata.labels\n-        app.kubernetes.io/version: v1.0.0\n-        helm.sh/chart: web-1.0.0\n+        app.kubernetes.io/version: v1.1.0\n+        helm.sh/chart: web-1.1.0\n@\n" +
				both + " of [] others=1 pods=[]\n"},
		{"neither is the template of a Job", labelled("Job", "a", "1.0.0", "spec:\n  template:\n    metadata: {labels: LABELS}\n"),
			labelled("Job", "a", "1.1.0", "spec:\n  template:\n    metadata: {labels: LABELS}\n"),
			"change Job/a without app.kubernetes.io/version,helm.sh/chart\n@spec.template.metadata.labels\n-        app.kubernetes.io/version: v1.0.0\n-        helm.sh/chart: web-1.0.0\n+        app.kubernetes.io/version: v1.1.0\n+        helm.sh/chart: web-1.1.0\n" +
				both + " of [] others=1 pods=[]\n"},
		{"that of a CronJob's Jobs is, because a server takes it", labelled("CronJob", "a", "1.0.0", "spec:\n  jobTemplate:\n    spec:\n      template:\n        metadata: {labels: LABELS}\n"),
			labelled("CronJob", "a", "1.1.0", "spec:\n  jobTemplate:\n    spec:\n      template:\n        metadata: {labels: LABELS}\n"),
			both + " of [CronJob/a] others=0 pods=[CronJob/a]\n"},
		{"legacy labels that say a version", legacy("web-1.0.0", "Tiller"), legacy("web-1.1.0", "Helm"),
			"fold [{chart web-1.0.0 web-1.1.0} {heritage Tiller Helm}] of [Service/s] others=0 pods=[]\n"},
		{"a label chart that says something else", legacy("bar", "x"), legacy("pie", "x"),
			"change Service/s\n@metadata.labels\n-    chart: bar\n+    chart: pie\n@\n"},
		{"a selector is no label", "---\nkind: Service\nmetadata: {name: s}\nspec: {selector: {helm.sh/chart: a-1.0}}\n", "---\nkind: Service\nmetadata: {name: s}\nspec: {selector: {helm.sh/chart: a-1.1}}\n",
			"change Service/s\n@spec.selector\n-    helm.sh/chart: a-1.0\n+    helm.sh/chart: a-1.1\n"},
		{"a label that comes is shown", "---\nkind: Service\nmetadata: {name: s, labels: {a: b}}\n", "---\nkind: Service\nmetadata: {name: s, labels: {a: b, helm.sh/chart: a-1.1}}\n",
			"change Service/s\n@metadata.labels\n+    helm.sh/chart: a-1.1\n@\n"},
		{"what moved has them folded, too, and stays", labelled("Service", "a", "1.0.0", "spec: {a: b}\n"), labelled("Service", "b", "1.1.0", "spec: {a: b}\n"),
			"move Service/b from Service/a masked=false same=true without app.kubernetes.io/version,helm.sh/chart\n" + both + " of [] others=1 pods=[]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes := changesOf(t, tt.before, tt.after, Options{})
			if d := cmp.Diff(tt.want, shown(Show(changes, Selection{FoldLabels: true}), 0)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if s := Show(changes, Selection{}); len(s.Folds) > 0 || len(s.Items) == 0 {
				t.Errorf("without folding: %s", shown(s, 0))
			}
		})
	}
}

func TestSuppressedChangesAreCounted(t *testing.T) {
	before := configMap("a", "x: one", "z: one") + configMap("b", "x: one") + secret("s", "x: one")
	after := configMap("a", "x: two", "z: two") + configMap("b", "x: two") + secret("s", "x: two")
	tests := []struct {
		name string
		with Selection
		want string
	}{
		{"a kind", Selection{Kinds: []string{"ConfigMap"}}, "change Secret/s\n@\n-  x: (masked, 3 bytes, old)\n+  x: (masked, 3 bytes, new)\nhidden [ConfigMap] byKind=2 byLine=0\n"},
		{"lines: what has no other differing line is counted, the hunks of others that are left are shown", Selection{Kinds: []string{"Secret"}, Lines: []string{"^  x:"}},
			"change ConfigMap/a\n@data\n-  z: one\n+  z: two\n@\nhidden [Secret] byKind=1 byLine=1\n"},
		{"what is no expression hides nothing", Selection{Kinds: []string{"Secret"}, Lines: []string{"("}},
			"change ConfigMap/a\n@data\n-  x: one\n-  z: one\n+  x: two\n+  z: two\n@\nchange ConfigMap/b\n@data\n-  x: one\n+  x: two\n@\nhidden [Secret] byKind=1 byLine=0\n"},
		{"everything", Selection{Lines: []string{"."}}, "hidden [] byKind=0 byLine=3\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := shown(Show(changesOf(t, before, after, Options{}), tt.with), 0)
			if d := cmp.Diff(strings.ReplaceAll(tt.want, "@\n-  x: (masked", "@stringData\n-  x: (masked"), got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestMovesAreFewWhereTheyWouldBeMany bounds what pairing costs: of many
// objects only those with related names are compared.
func TestMovesAreFewWhereTheyWouldBeMany(t *testing.T) {
	var changes []Change
	for n := range 200 {
		old, wanted := fmt.Sprintf("old%d", n), fmt.Sprintf("new%d", n)
		changes = append(changes,
			Change{Object: state.ObjectID{Kind: "ConfigMap", Name: old}, Op: OpRemove, Before: configMap(old, "a: one")},
			Change{Object: state.ObjectID{Kind: "ConfigMap", Name: wanted}, Op: OpAdd, After: configMap(wanted, "a: one")})
	}
	if s := Show(changes, Selection{}); len(s.Items) != len(changes) {
		t.Errorf("%d of %d changes are left", len(s.Items), len(changes))
	}
}

func TestShowChangesNothingOfWhatItIsGiven(t *testing.T) {
	changes := changesOf(t, labelled("Service", "a", "1.0.0", "")+configMap("x-5dbecbcc", "a: b"), labelled("Service", "a", "1.1.0", "")+configMap("x-6b3ae9a0", "a: b"), Options{})
	before := slices.Clone(changes)
	Show(changes, Selection{FoldLabels: true, Kinds: []string{"Service"}, Lines: []string{"a"}})
	if d := cmp.Diff(before, changes); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
}

func FuzzShow(f *testing.F) {
	f.Add("metadata:\n  labels:\n    helm.sh/chart: a-1\n", "metadata:\n  labels:\n    helm.sh/chart: a-2\n", "a")
	f.Add("a: |\n  x\n  y\nl:\n- name: b\n  c: d\n", "a: |\n  x\n  z\nl:\n- name: b\n  c: \xff\n", "")
	f.Fuzz(func(t *testing.T, before, after, pattern string) {
		changes := []Change{
			{Object: state.ObjectID{Kind: "A", Name: "a"}, Op: OpChange, Before: before, After: after},
			{Object: state.ObjectID{Kind: "B", Name: "a"}, Op: OpRemove, Before: before},
			{Object: state.ObjectID{Kind: "B", Name: "b"}, Op: OpAdd, After: after},
		}
		for _, i := range Show(changes, Selection{FoldLabels: true, Lines: []string{pattern}}).Items {
			i.Unified(2)
			i.Fields(2)
			i.Texts()
		}
		for _, i := range Show(changes[:1], Selection{}).Items {
			var old, wanted strings.Builder
			for _, l := range i.Unified(-1) {
				for _, m := range l.Marks {
					if m.From < 0 || m.From >= m.To || m.To > len(l.Text) {
						t.Fatalf("mark %v of %q", m, l.Text)
					}
				}
				if l.Kind != LineAdd {
					old.WriteString(l.Text + "\n")
				}
				if l.Kind != LineRemove {
					wanted.WriteString(l.Text + "\n")
				}
			}
			if d := cmp.Diff(ended(before)+ended(after), old.String()+wanted.String()); d != "" {
				t.Errorf("the lines are not those of the texts (-want +got):\n%s", d)
			}
		}
	})
}
