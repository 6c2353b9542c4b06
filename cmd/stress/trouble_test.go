package stress

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// atWrite has something happen, once, before the nth write that is none of the lock.
func atWrite(n int, happen func()) faults {
	var mu sync.Mutex
	count := 0
	return faults{before: func(w int, r *http.Request) *http.Response {
		mu.Lock()
		defer mu.Unlock()
		if w > 0 && (written{method: r.Method, path: r.URL.Path}).kind() != "lock" {
			if count++; count == n {
				happen()
			}
		}
		return nil
	}}
}

// TestALostLockStopsARun takes the lock away in the middle. What the run has done
// can be finished, or put back, later.
func TestALostLockStopsARun(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t)
	refusing(t, c)
	leases := c.Client().CoordinationV1().Leases("flotilla-system")
	mine := func(t testing.TB, r *round) string {
		list, err := leases.List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Error(err)
		}
		for _, l := range list.Items {
			if strings.HasPrefix(l.Annotations["flotilla.sh/owner"], r.base.prefix+",") {
				return l.Name
			}
		}
		t.Error("nobody has the lock")
		return ""
	}
	ways := map[string]func(t testing.TB, name string){
		"its Lease is deleted": func(t testing.TB, name string) {
			if err := leases.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		},
		"its Lease is taken by hand": func(t testing.TB, name string) {
			patch := []byte(`{"spec": {"holderIdentity": "somebody"}}`)
			if _, err := leases.Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
				t.Error(err)
			}
		},
	}
	for _, way := range slices.Sorted(maps.Keys(ways)) {
		t.Run(way, func(t *testing.T) {
			r := newRound(t, c, firstSeed(), size(20, 6))
			r.kubeconfig = lay(t, c, "").kubeconfig
			before := r.bring()
			next := r.base.changed(r.rng)
			next.write(t, r.dir)
			w := lay(t, c, "")
			w.disturb(atWrite(6+r.rng.IntN(6), func() { ways[way](t, mine(t, r)) }))
			e := site{r.dir, w.kubeconfig}.run(t, "apply", "-o", "json", "--suppress-diff", "--concurrency", "2")
			if e.code != 1 && e.code != 7 || !strings.Contains(e.stdout+e.stderr, "lock is lost") {
				t.Errorf("want a failure that tells of the lock: %s\n%s", e, e.stdout)
			}
			if way == "its Lease is taken by hand" {
				r.must(t, 0, "unlock", "--yes")
			}
			again := r.run(t, "resume", "--undo", "-o", "json", "--suppress-diff")
			is := r.look(t, next)
			none(t, "soundness", is.sound())
			none(t, "after resume --undo", asBefore(before, is, reportOf(t, again).NotUndone))
			if t.Failed() {
				t.Logf("%s\n%s\nthen %s\n%s", e, e.stdout, again, again.stdout)
			}
		})
	}
}

// TestOutputThatGoesNowhereEndsNoRun applies while nobody takes what is said.
func TestOutputThatGoesNowhereEndsNoRun(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t)
	refusing(t, c)
	for _, way := range []string{`"$@" | head -n 1 >/dev/null`, `"$@" >&-`, `"$@" >/dev/full`, `"$@" >/dev/full 2>&1`, `"$@" >&- 2>&- <&-`} {
		t.Run(way, func(t *testing.T) {
			r := newRound(t, c, firstSeed(), 6)
			r.bring()
			next := r.base.changed(r.rng)
			next.write(t, r.dir)
			e := r.through(t, "set -o pipefail; "+way, "apply")
			is := r.look(t, next)
			none(t, "after the apply", allAsWanted(next, is, nil))
			if e.code != 0 && e.code != 1 {
				t.Errorf("want exit code 0, or 1 because nothing could be said: %s", e)
			}
		})
	}
}

// TestAFullDiskLosesNothing applies where no file can be written, and where there
// is room for nothing: folders of the cache and for temporary files.
func TestAFullDiskLosesNothing(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t)
	refusing(t, c)
	for _, where := range []string{"TMPDIR", "HOME", "--cache-dir"} {
		t.Run(where, func(t *testing.T) {
			r := newRound(t, c, firstSeed(), 6)
			before := r.bring()
			next := r.base.changed(r.rng)
			next.write(t, r.dir)
			var e ended
			if strings.HasPrefix(where, "--") {
				e = r.run(t, "apply", where, "/dev/full/x")
			} else {
				e = r.through(t, where+`=/dev/full/x "$@"`, "apply")
			}
			is := r.look(t, next)
			switch e.code {
			case 0:
				none(t, "it says that all is done", allAsWanted(next, is, nil))
			default:
				none(t, "it failed", asBefore(before, is, nil))
				if !strings.Contains(e.stderr, "/dev/full") {
					t.Errorf("want an error that says what is in the way: %s", e)
				}
			}
		})
	}
}

// through is run by a shell; "$@" is flotilla with its arguments.
func (s site) through(t testing.TB, script string, args ...string) ended {
	t.Helper()
	cmd := s.command(t.Context(), args...)
	cmd.Args = append([]string{"bash", "-c", script, "-", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/bash"
	var out, errs sink
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("running a shell: %v", err)
	}
	return ended{args: append([]string{script}, args...), code: cmd.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String()}
}

// TestWithoutRightsInTheStateNamespace applies as somebody who may do everything
// in the namespace of the releases, and nothing in that of locks and records.
func TestWithoutRightsInTheStateNamespace(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t)
	ns := c.Namespace(t)
	dir := folder(t)
	limited := c.ServiceAccountKubeconfig(t, ns, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	e := environment{prefix: ns, releases: []release{{
		id: id{ns, "one"}, chart: "unit", values: values{Maps: 2, Mark: "a"}, installed: true, timeout: patienceOfHealthy,
	}}}
	e.write(t, dir)
	s := site{dir, limited}
	for _, flag := range []string{"--lock", "--journal"} {
		refused := s.must(t, 1, "apply", flag, "required")
		if !strings.Contains(refused.stderr, "flotilla-system") || !strings.Contains(refused.stderr, "not allowed") {
			t.Errorf("want an error that says which right is missing where: %s", refused)
		}
		if list, err := c.Client().CoreV1().ConfigMaps(ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=Helm"}); err != nil || len(list.Items) > 0 {
			t.Errorf("something was written: %v, %v", list.Items, err)
		}
	}
	told := s.must(t, 0, "apply")
	for _, what := range []string{"leases", "secrets"} {
		if !strings.Contains(told.stderr, what) {
			t.Errorf("want a warning about %s: %s", what, told)
		}
	}
}

// TestARecordThatSomebodyChangedLosesNothing changes the record of a run that was
// killed. It is not followed; and as soon as it is as it was, the run is undone.
func TestARecordThatSomebodyChangedLosesNothing(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t)
	refusing(t, c)
	k := newKills(t, c, firstSeed())
	k.before = k.bring()
	k.next = k.base.changed(k.rng)
	k.next.write(t, k.dir)
	k.killed(t, blow{kind: "record", nth: 3, after: true}, "apply")
	k.must(t, 0, "unlock", "--yes")
	secrets := c.Client().CoreV1().Secrets("flotilla-system")
	list, err := secrets.List(t.Context(), metav1.ListOptions{LabelSelector: "flotilla.sh/owner=" + k.base.owner() + ",flotilla.sh/status=running"})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("want one record of a run: %d, %v", len(list.Items), err)
	}
	record := list.Items[0]
	was := k.look(t, k.next)
	put := func(t testing.TB, s *corev1.Secret) {
		s.ResourceVersion = ""
		if _, err := secrets.Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	changes := map[string]func(s *corev1.Secret){
		"it is garbage":              func(s *corev1.Secret) { s.Data["record"] = []byte("garbage") },
		"its end is missing":         func(s *corev1.Secret) { s.Data["record"] = s.Data["record"][:len(s.Data["record"])/2] },
		"it is empty":                func(s *corev1.Secret) { s.Data = nil },
		"it is said to be in parts":  func(s *corev1.Secret) { s.Data["parts"] = []byte("3") },
		"it is of another owner":     func(s *corev1.Secret) { s.Data["record"] = rewrite(t, s.Data["record"], "owner", "somebody") },
		"it has no steps":            func(s *corev1.Secret) { s.Data["record"] = rewrite(t, s.Data["record"], "steps", []any{}) },
		"it is of a stage not known": func(s *corev1.Secret) { s.Data["record"] = rewrite(t, s.Data["record"], "stage", "resting") },
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		t.Run(name, func(t *testing.T) {
			changed := record.DeepCopy()
			changes[name](changed)
			put(t, changed)
			e := k.run(t, "resume", "--undo")
			if e.code != 1 && e.code != 3 || !strings.Contains(e.stderr, "Error: ") || strings.Contains(e.stderr, "goroutine") {
				t.Errorf("want a clear error: %s\n%s", e, e.stdout)
			}
			if told := k.run(t, "history"); !strings.Contains(told.stdout, "done") {
				t.Errorf("want the other run in the history all the same: %s\n%s", told, told.stdout)
			}
			none(t, "something was written", asBefore(was, k.look(t, k.next), nil))
		})
	}
	put(t, record.DeepCopy())
	e := k.run(t, "resume", "--undo", "-o", "json", "--suppress-diff")
	is := k.look(t, k.next)
	none(t, "soundness", is.sound())
	none(t, "after resume --undo", asBefore(k.before, is, reportOf(t, e).NotUndone))
	if t.Failed() {
		t.Logf("%s\n%s", e, e.stdout)
	}
}

// rewrite changes one field of a compressed record.
func rewrite(t testing.TB, data []byte, field string, value any) []byte {
	t.Helper()
	var record map[string]any
	if err := json.Unmarshal(unzip(t, data), &record); err != nil {
		t.Fatal(err)
	}
	record[field] = value
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	return zip(t, text)
}

func unzip(t testing.TB, data []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func zip(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
