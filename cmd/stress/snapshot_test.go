package stress

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// snapshot is what is in the namespaces of one environment. It reads the cluster
// and Helm's records with code of its own: none of flotilla's is between.
type snapshot struct {
	releases   map[id]stored
	objects    map[object]string // as JSON, without what the server puts there
	hooks      map[object]string // objects of chart hooks
	namespaces []string          // that exist and stay
	history    int               // of the environment
}

// stored is a release as Helm's records tell it.
type stored struct {
	newest    int
	status    string
	revisions map[int]revision
}

// revision is the content of one record.
type revision struct {
	Status  string
	content string // chart, values, manifest and hooks, as JSON
	objects []object
	mark    string
}

// object names an object.
type object struct{ Kind, Namespace, Name string }

func (o object) String() string { return o.Kind + " " + o.Namespace + "/" + o.Name }

// looker reads a cluster as its administrator.
type looker struct {
	client  kubernetes.Interface
	dynamic dynamic.Interface
}

func newLooker(t testing.TB, c *clustertest.Cluster) looker {
	t.Helper()
	d, err := dynamic.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return looker{c.Client(), d}
}

// kinds are those that the charts have.
var kinds = []schema.GroupVersionResource{
	{Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "secrets"}, {Version: "v1", Resource: "services"},
	{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "batch", Version: "v1", Resource: "jobs"},
}

// look takes a snapshot of an environment's namespaces.
func (l looker) look(t testing.TB, e environment) snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := snapshot{releases: map[id]stored{}, objects: map[object]string{}, hooks: map[object]string{}, namespaces: l.settled(ctx, t, e), history: e.history}
	all := kinds
	if e.group != "" {
		all = append(slices.Clone(kinds), schema.GroupVersionResource{Group: e.group, Version: "v1", Resource: "things"})
	}
	for _, kind := range all {
		list, err := l.dynamic.Resource(kind).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) && kind.Group == e.group {
			continue // no release has brought the kind yet
		}
		if err != nil {
			t.Fatalf("listing %s: %v", kind.Resource, err)
		}
		for i := range list.Items {
			if o := &list.Items[i]; strings.HasPrefix(o.GetNamespace(), e.prefix+"-") {
				s.add(t, o)
			}
		}
	}
	return s
}

// settled waits until no namespace of the environment is being deleted, and
// names those that are there.
func (l looker) settled(ctx context.Context, t testing.TB, e environment) []string {
	t.Helper()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		list, err := l.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatalf("listing namespaces: %v", err)
		}
		var names []string
		going := false
		for _, ns := range list.Items {
			if strings.HasPrefix(ns.Name, e.prefix+"-") {
				names, going = append(names, ns.Name), going || ns.DeletionTimestamp != nil
			}
		}
		if !going {
			return names
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("a namespace of %s does not go: %v", e.prefix, names)
		}
	}
}

func (s snapshot) add(t testing.TB, o *unstructured.Unstructured) {
	t.Helper()
	name := object{o.GetKind(), o.GetNamespace(), o.GetName()}
	switch kind, _, _ := unstructured.NestedString(o.Object, "type"); {
	case kind == "helm.sh/release.v1":
		s.addRecord(t, o)
	case name.Name == "kube-root-ca.crt", kind == string(corev1.SecretTypeServiceAccountToken), len(o.GetOwnerReferences()) > 0:
	case o.GetAnnotations()["helm.sh/hook"] != "":
		s.hooks[name] = normal(t, o)
	default:
		s.objects[name] = normal(t, o)
	}
}

// normal is an object without what the server and its controllers write.
func normal(t testing.TB, o *unstructured.Unstructured) string {
	t.Helper()
	o = o.DeepCopy()
	for _, path := range [][]string{
		{"status"}, {"metadata", "uid"}, {"metadata", "resourceVersion"}, {"metadata", "generation"}, {"metadata", "creationTimestamp"},
		{"metadata", "managedFields"}, {"metadata", "annotations", "deployment.kubernetes.io/revision"},
		{"spec", "clusterIP"}, {"spec", "clusterIPs"}, // of a Service that was there, gone, and there again
	} {
		unstructured.RemoveNestedField(o.Object, path...)
	}
	text, err := json.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// addRecord reads one of Helm's records: base64 of gzip of JSON.
func (s snapshot) addRecord(t testing.TB, secret *unstructured.Unstructured) {
	t.Helper()
	text, _, _ := unstructured.NestedString(secret.Object, "data", "release")
	var record struct {
		Name, Namespace, Manifest string
		Version                   int
		Info                      struct{ Status string }
		Chart                     struct {
			Metadata struct{ Name, Version string }
		}
		Config map[string]any
		Hooks  []map[string]any
	}
	if err := decodeRecord(text, &record); err != nil {
		t.Fatalf("reading record %s/%s: %v", secret.GetNamespace(), secret.GetName(), err)
	}
	for _, h := range record.Hooks {
		delete(h, "last_run")
	}
	content, err := json.Marshal([]any{record.Chart.Metadata, record.Config, record.Manifest, record.Hooks})
	if err != nil {
		t.Fatal(err)
	}
	mark, _ := record.Config["mark"].(string)
	r := revision{Status: record.Info.Status, content: string(content), objects: objectsOf(t, record.Manifest, record.Namespace), mark: mark}
	name := id{record.Namespace, record.Name}
	all := s.releases[name]
	if all.revisions == nil {
		all.revisions = map[int]revision{}
	}
	all.revisions[record.Version] = r
	if record.Version > all.newest {
		all.newest, all.status = record.Version, r.Status
	}
	s.releases[name] = all
	if n := secret.GetLabels()["version"]; n != strconv.Itoa(record.Version) || secret.GetLabels()["status"] != r.Status {
		t.Errorf("record %s says revision %d, %s, and its labels %s", secret.GetName(), record.Version, r.Status, secret.GetLabels())
	}
}

func decodeRecord(text string, into any) error {
	data := []byte(text)
	for range 2 { // the Secret's encoding, and Helm's
		decoded, err := base64.StdEncoding.DecodeString(string(data))
		if err != nil {
			return err
		}
		data = decoded
	}
	unzip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	plain, err := io.ReadAll(unzip)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}

// objectsOf names the objects of a manifest.
func objectsOf(t testing.TB, manifest, namespace string) []object {
	t.Helper()
	var all []object
	for _, text := range strings.Split("\n"+manifest, "\n---\n") {
		var o struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatalf("reading a manifest: %v", err)
		}
		if o.Kind != "" {
			all = append(all, object{o.Kind, namespace, o.Metadata.Name})
		}
	}
	return all
}

// sameRelease tells how a release differs from how it was: its newest revision has
// other content or another status, or an old one is not what it was. Numbers may
// grow: an undo is a revision of its own, for which old ones go beyond a limit
// (just before it is written, when a process may be killed).
func sameRelease(name id, was, is stored, limit int) []string {
	var faults []string
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s: ", name)+fmt.Sprintf(format, args...))
	}
	switch {
	case was.newest == 0 && is.newest == 0:
		return nil
	case was.newest == 0:
		fault("it was not there, and is at revision %d, %s", is.newest, is.status)
		return faults
	case is.newest == 0:
		fault("it was at revision %d, %s, and is gone", was.newest, was.status)
		return faults
	}
	if was.status != is.status {
		fault("it was %s at revision %d, and is %s at %d", was.status, was.newest, is.status, is.newest)
	}
	if was.revisions[was.newest].content != is.revisions[is.newest].content {
		fault("the content of its newest revision differs:%s", apart(was.revisions[was.newest].content, is.revisions[is.newest].content))
	}
	for _, n := range slices.Sorted(maps.Keys(was.revisions)) {
		there, kept := is.revisions[n]
		if pruned := !kept && len(is.revisions) >= limit-1; !pruned && there.content != was.revisions[n].content {
			fault("revision %d is not what it was (status %q)", n, there.Status)
		}
	}
	return faults
}

// sameObjects tells which objects differ.
func sameObjects(was, is map[object]string) []string {
	var faults []string
	names := maps.Clone(was)
	maps.Copy(names, is)
	for _, name := range slices.SortedFunc(maps.Keys(names), compareObjects) {
		before, wasThere := was[name]
		after, isThere := is[name]
		switch {
		case wasThere && !isThere:
			faults = append(faults, name.String()+": it is gone")
		case !wasThere && isThere:
			faults = append(faults, name.String()+": it was not there")
		case before != after:
			faults = append(faults, fmt.Sprintf("%s: it differs:%s", name, apart(before, after)))
		}
	}
	return faults
}

// apart shows two texts from a little before where they begin to differ.
func apart(was, is string) string {
	at := 0
	for at < len(was) && at < len(is) && was[at] == is[at] {
		at++
	}
	at = max(at-60, 0)
	return fmt.Sprintf("\n  was ...%.200s\n  is  ...%.200s", was[at:], is[at:])
}

func compareObjects(a, b object) int { return strings.Compare(a.String(), b.String()) }

// sound tells what may be in no cluster whatever happened: a release of which
// something says that an operation is in progress (unless allowed), more than one
// deployed revision, an object that no release has, a release without an object
// of its.
func (s snapshot) sound() []string {
	var faults []string
	owned := map[object]bool{}
	for _, name := range slices.SortedFunc(maps.Keys(s.releases), func(a, b id) int { return strings.Compare(a.String(), b.String()) }) {
		r := s.releases[name]
		deployed := 0
		for _, n := range slices.Sorted(maps.Keys(r.revisions)) {
			rev := r.revisions[n]
			if strings.HasPrefix(rev.Status, "pending-") || rev.Status == "uninstalling" {
				faults = append(faults, fmt.Sprintf("%s: revision %d is %s", name, n, rev.Status))
			}
			if rev.Status == "deployed" {
				deployed++
			}
			if rev.Status == "deployed" || n == r.newest {
				for _, o := range rev.objects {
					owned[o] = true
					if _, there := s.objects[o]; !there && rev.Status == "deployed" && n == r.newest {
						faults = append(faults, fmt.Sprintf("%s: %s, which its deployed revision %d has, is not there", name, o, n))
					}
				}
			}
		}
		if deployed > 1 {
			faults = append(faults, fmt.Sprintf("%s: %d revisions are deployed", name, deployed))
		}
	}
	for _, o := range slices.SortedFunc(maps.Keys(s.objects), compareObjects) {
		if !owned[o] {
			faults = append(faults, o.String()+": no release has it")
		}
	}
	return faults
}
