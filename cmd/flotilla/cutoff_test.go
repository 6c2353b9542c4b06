package main

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// brink is a way to a cluster on which a process is killed before a request of
// its own goes any further.
type brink struct {
	next http.RoundTripper

	mu   sync.Mutex
	last func(*http.Request) bool // nil: nobody is killed
	kill func()
}

var errKilled = errors.New("its process is killed")

// RoundTrip passes on what is not the last request.
func (b *brink) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	kill := b.kill
	last := b.last != nil && b.last(r)
	if last {
		b.last = nil
	}
	b.mu.Unlock()
	if last {
		kill()
		return nil, errKilled
	}
	return b.next.RoundTrip(r)
}

// cliff is a fleet of a chart with an immutable ConfigMap, whose processes can be
// killed at any request.
type cliff struct {
	fleet
	brink  *brink
	client kubernetes.Interface
	ns     string
	state  string // namespace of records and leases
}

func newCliff(t *testing.T) cliff {
	t.Helper()
	c := clustertest.Start(t)
	transport, err := rest.TransportFor(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	b := &brink{next: transport}
	f, _ := behind(t, c, b)
	for name, text := range map[string]string{
		"Chart.yaml":         "apiVersion: v2\nname: fixed\nversion: 1.0.0\n",
		"templates/all.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\nimmutable: {{ .Values.fixed | default false }}\ndata: {v: {{ .Values.v | quote }}}\n",
	} {
		path := filepath.Join(f.dir, "chart", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return cliff{fleet: f, brink: b, client: c.Client(), ns: c.Namespace(t), state: c.Namespace(t)}
}

func (c cliff) wants(releases string) {
	c.Helper()
	c.declare("owner: %[1]s\nstateNamespace: %[1]s\nreleases:\n%[2]s", c.state, strings.ReplaceAll(releases, "HERE", "namespace: "+c.ns+", chart: ./chart"))
}

// falls runs a command that is killed at the request for which last says so, and
// lets its lease expire.
func (c cliff) falls(last func(*http.Request) bool, args ...string) {
	c.Helper()
	started := make(chan struct{})
	var p *process
	c.brink.mu.Lock()
	c.brink.last, c.brink.kill = last, func() {
		<-started
		_ = p.cmd.Process.Kill()
	}
	c.brink.mu.Unlock()
	p = c.start(args...)
	close(started)
	if code := p.ends(); code != -1 {
		c.Fatalf("nobody killed it; it ended with %d:\n%s", code, p.output())
	}
	c.expire(c.client, c.state)
}

// expire lets the leases in a namespace last no longer than a second.
func (f fleet) expire(client kubernetes.Interface, ns string) {
	f.Helper()
	leases := client.CoordinationV1().Leases(ns)
	list, err := leases.List(f.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		f.Fatalf("leases: %v, %v", list, err)
	}
	for _, l := range list.Items {
		if _, err := leases.Patch(f.Context(), l.Name, types.MergePatchType, []byte(`{"spec":{"leaseDurationSeconds":1}}`), metav1.PatchOptions{}); err != nil {
			f.Fatal(err)
		}
	}
}

// to finds requests of one of some methods whose path has a text in it; those that
// only try are none.
func to(path string, methods ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return slices.Contains(methods, r.Method) && strings.Contains(r.URL.Path, path) && !r.URL.Query().Has("dryRun")
	}
}

// second is the second one of such requests.
func second(of func(*http.Request) bool) func(*http.Request) bool {
	n := 0
	return func(r *http.Request) bool {
		if of(r) {
			n++
		}
		return n == 2
	}
}

// after is the first of such requests after one of others.
func after(of, others func(*http.Request) bool) func(*http.Request) bool {
	met := false
	return func(r *http.Request) bool {
		met = met || others(r)
		return met && of(r)
	}
}

func (c cliff) expect(code int, want string, args ...string) {
	c.Helper()
	out, errs := c.says(code, args...)
	if !strings.Contains(out+errs, want) {
		c.Errorf("flotilla %s does not say %q:\n%s%s", strings.Join(args, " "), want, out, errs)
	}
}

func (c cliff) stands(want string, names ...string) {
	c.Helper()
	if got := c.standing(c.ns, names...); got != want {
		c.Errorf("the cluster has %q, want %q", got, want)
	}
}

func TestARunOfASavedPlanIsFinishedWithItsFile(t *testing.T) {
	c := newCliff(t)
	c.wants("- {name: a, HERE, values: [{v: one}]}")
	c.flotilla(0, "apply")
	const both = "- {name: a, HERE, values: [{v: %}]}\n- {name: b, HERE, needs: [a], values: [{v: %}]}\n"
	reviewed, other := filepath.Join(c.dir, "reviewed"), filepath.Join(c.dir, "other")
	c.wants(strings.ReplaceAll(both, "%", "three"))
	c.flotilla(0, "plan", "-o", other)
	c.wants(strings.ReplaceAll(both, "%", "two"))
	c.flotilla(0, "plan", "-o", reviewed)
	c.falls(to("/configmaps/b", http.MethodPatch), "apply", reviewed)
	c.stands("a deployed two, b pending-install -", "a", "b")

	c.wants(strings.ReplaceAll(both, "%", "nine")) // which is not what was reviewed
	c.expect(3, "applied a saved plan: give its file with --plan, or put the run back with --undo", "resume")
	if told := c.later(time.Hour, "history", "show"); !strings.Contains(told, " --plan FILE, which is the saved plan that it applied") {
		t.Errorf("history does not tell of the plan:\n%s", told)
	}
	c.expect(3, "no run of the plan "+other+" was cut off or ended halfway", "resume", "--plan", other)
	_, run, _ := strings.Cut(c.flotilla(0, "history", "-o", "json"), `"run":"`)
	run, _, _ = strings.Cut(run, `"`)
	c.expect(3, "is not the plan that run "+run+" applied", "resume", run, "--plan", other)
	c.expect(3, "a saved plan is applied as it is: give --set to plan", "resume", "--plan", reviewed, "--set", "v=nine")
	c.without(0, "1 done, 1 cut off. What is left:", "resume", "--plan", reviewed)
	c.stands("a deployed two, b deployed two", "a", "b")
	c.without(3, "no run of the plan "+reviewed+" was cut off", "resume", "--plan", reviewed)
}

// without runs a command where there are no state files.
func (c cliff) without(code int, want string, args ...string) {
	c.Helper()
	if err := os.Remove(filepath.Join(c.dir, "helmfile.yaml")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.Fatal(err)
	}
	p := c.start(args...)
	if got := p.ends(); got != code || !strings.Contains(p.output(), want) {
		c.Errorf("flotilla %s ended with %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, want, p.output())
	}
}

func TestARunOfASavedPlanIsPutBackWithoutStateFiles(t *testing.T) {
	c := newCliff(t)
	c.wants("- {name: a, HERE, values: [{v: one}]}")
	c.flotilla(0, "apply")
	c.wants("- {name: a, HERE, values: [{v: two}]}\n- {name: b, HERE, needs: [a], values: [{v: two}]}")
	reviewed := filepath.Join(c.dir, "reviewed")
	c.flotilla(0, "plan", "-o", reviewed)
	c.falls(to("/configmaps/b", http.MethodPatch), "apply", reviewed)
	c.without(0, "Put back: 2 undone", "resume", "--undo", "--plan", reviewed)
	c.stands("a deployed one, b none -", "a", "b")
}

// TestARunThatWasDroppingHistoryIsFinished: it is decided by then, and cannot be
// put back.
func TestARunThatWasDroppingHistoryIsFinished(t *testing.T) {
	c := newCliff(t)
	c.wants("- {name: a, HERE, values: [{v: one}]}\n- {name: x, HERE, values: [{v: one}]}\n- {name: w, HERE, values: [{v: one}]}")
	c.flotilla(0, "apply")
	c.wants("- {name: a, HERE, values: [{v: two}]}\n- {name: x, HERE, installed: false}\n- {name: w, HERE, installed: false}")
	c.falls(second(to("/secrets/sh.helm.release.", http.MethodDelete)), "apply")
	left := c.standing(c.ns, "a", "w", "x")
	if !slices.Contains([]string{"a deployed two, w none -, x uninstalled -", "a deployed two, w uninstalled -, x none -"}, left) {
		t.Errorf("it left %q", left)
	}
	if told := c.later(time.Hour, "history", "show"); !strings.Contains(told, "It is done but for dropping the history") || strings.Contains(told, "--undo") {
		t.Errorf("history tells:\n%s", told)
	}
	c.expect(3, "is done, and was dropping the history of what it uninstalled", "resume", "--undo")
	c.expect(3, "it was dropping the history of what it uninstalled", "rollback", "--run", strings.Fields(strings.Split(c.flotilla(0, "history"), "\n")[1])[0])
	if got := c.standing(c.ns, "a", "w", "x"); got != left {
		t.Errorf("what is refused changed %q to %q", left, got)
	}
	c.expect(0, "is done but for dropping the history of what it uninstalled", "resume")
	c.stands("a deployed two, w none -, x none -", "a", "w", "x")
	c.expect(3, "no run of these state files was cut off", "resume", "--undo")
}

// TestWhatGoesOnCanBeCutOffItself: each process goes on in the direction of the one
// before.
func TestWhatGoesOnCanBeCutOffItself(t *testing.T) {
	const (
		both  = "- {name: a, HERE, values: [{v: %}]}\n- {name: b, HERE, needs: [a], values: [{v: %}]}\n"
		first = "a deployed one, b deployed one"
		then  = "a deployed two, b deployed two"
	)
	ofB, ofA := to("/configmaps/b", http.MethodPatch), to("/configmaps/a", http.MethodPatch)
	tests := []struct {
		name  string
		falls [][]string // commands, each of which is killed
		at    []func(*http.Request) bool
		ends  []string
		want  string
	}{
		{"a rollback", [][]string{{"rollback", "--run"}}, []func(*http.Request) bool{ofA}, []string{"resume"}, first},
		{"a rollback, and what went on with it", [][]string{{"rollback", "--run"}, {"resume"}}, []func(*http.Request) bool{ofB, ofA}, []string{"resume"}, first},
		{"an apply, and its undo", [][]string{{"apply"}, {"resume", "--undo"}}, []func(*http.Request) bool{ofB, ofA}, []string{"resume"}, first},
		{"an apply that was to leave all as it is, and its undo", [][]string{{"apply", "--rollback", "none"}, {"resume", "--undo"}}, []func(*http.Request) bool{ofB, ofB}, []string{"resume"}, first},
		{"an apply, and what finished it", [][]string{{"apply"}, {"resume"}}, []func(*http.Request) bool{ofA, ofB}, []string{"resume"}, then},
		{"an apply, what finished it, and then its undo", [][]string{{"apply"}, {"resume"}}, []func(*http.Request) bool{ofA, ofB}, []string{"resume", "--undo"}, first},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCliff(t)
			c.wants(strings.ReplaceAll(both, "%", "one"))
			c.flotilla(0, "apply")
			c.wants(strings.ReplaceAll(both, "%", "two"))
			if tt.falls[0][0] == "rollback" {
				c.flotilla(0, "apply")
			}
			_, run, _ := strings.Cut(c.flotilla(0, "history", "-o", "json"), `"run":"`)
			run, _, _ = strings.Cut(run, `"`)
			for i, args := range tt.falls {
				if args[0] == "rollback" {
					args = append(slices.Clip(args), run)
				}
				c.falls(tt.at[i], args...)
				goesBack := args[0] == "rollback" || slices.Contains(args, "--undo") || strings.Contains(c.later(time.Hour, "history"), "rollback")
				told := c.later(time.Hour, "history", "show")
				if strings.Contains(told, "To go on with the undo: flotilla resume ") != goesBack || strings.Contains(told, "To finish it") == goesBack {
					t.Errorf("after %q the history tells:\n%s", args, told)
				}
			}
			c.flotilla(0, tt.ends...)
			c.stands(tt.want, "a", "b")
			c.expect(3, "no run of these state files was cut off", "resume")
		})
	}
}

func TestAReinstallThatWasCutOff(t *testing.T) {
	made, deleted := to("/configmaps", http.MethodPost, http.MethodPatch), to("/configmaps/", http.MethodDelete)
	cuts := []struct {
		name string
		last func(records string) func(*http.Request) bool
	}{
		{"before anything was deleted", func(string) func(*http.Request) bool { return deleted }},
		{"when all was deleted", func(records string) func(*http.Request) bool { return after(to(records, http.MethodPost), deleted) }},
		{"before anything was there again", func(string) func(*http.Request) bool { return after(made, deleted) }},
	}
	for _, cut := range cuts {
		for _, way := range []struct{ flag, want string }{{"--suppress-diff", "a deployed two"}, {"--undo", "a deployed one"}} {
			t.Run(cut.name+", resume "+way.flag, func(t *testing.T) {
				t.Parallel()
				c := newCliff(t)
				const one = "- {name: a, HERE, updateStrategy: reinstallIfForbidden, values: [{fixed: true, v: %}]}"
				c.wants(strings.Replace(one, "%", "one", 1))
				c.flotilla(0, "apply")
				c.wants(strings.Replace(one, "%", "two", 1))
				c.falls(cut.last("/namespaces/"+c.ns+"/secrets"), "apply")
				c.flotilla(0, "resume", way.flag)
				c.stands(way.want, "a")
				c.expect(3, "no run of these state files was cut off", "resume")
			})
		}
	}
}

// goesOnOverTwoClusters cuts off runs over two clusters, which are live and dev.
func goesOnOverTwoClusters(t *testing.T, kubeconfig string, live, dev *clustertest.Cluster) {
	f := newFleet(t, kubeconfig)
	here, there := dev.Namespace(t), live.Namespace(t)
	declare := func(v string) {
		t.Helper()
		f.declare(`
owner: two-%[1]s
stateNamespace: %[1]s-state
releases:
- {name: far, namespace: %[2]s, kubeContext: live, chart: CHARTS/app, values: [{replicas: 0, env: {LEG: %[3]q}}]}
- {name: near, namespace: %[1]s, kubeContext: dev, needs: [live/%[2]s/far], wait: true, chart: CHARTS/app, values: [{podAnnotations: {devcluster.flotilla.sh/delay: 5s}}]}
`, here, there, v)
	}
	clients := []kubernetes.Interface{live.Client(), dev.Client()}
	t.Cleanup(func() {
		for _, client := range clients {
			_ = client.CoreV1().Namespaces().Delete(context.WithoutCancel(t.Context()), here+"-state", metav1.DeleteOptions{})
		}
	})
	cutOff := func() {
		t.Helper()
		p := f.start("apply")
		f.meets(here, "near")
		p.signal(syscall.SIGKILL)
		p.ends()
		for _, client := range clients {
			f.expire(client, here+"-state")
		}
		time.Sleep(2 * time.Second) // until the leases have expired by the servers' clocks
	}
	leg := func() string {
		t.Helper()
		found, err := live.Client().CoreV1().ConfigMaps(there).Get(t.Context(), "far-app", metav1.GetOptions{})
		if err != nil {
			return "none"
		}
		return found.Data["LEG"]
	}
	declare("1")
	cutOff()
	told := f.flotilla(0, "resume", "--undo")
	for _, want := range []string{"- dev/" + here + "/near: remove it, from revision 1 (pending-install)", "- live/" + there + "/far: remove it, from revision 1 (deployed)"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in\n%s", want, told)
		}
	}
	if got := leg(); got != "none" {
		t.Errorf("the other cluster has LEG=%s", got)
	}
	declare("2")
	cutOff()
	f.flotilla(0, "resume", "--suppress-diff")
	if got, near := leg(), f.standing(here, "near"); got != "2" || near != "near deployed -" {
		t.Errorf("the other cluster has LEG=%s, this one %q", got, near)
	}
	if told := f.flotilla(0, "history", "-o", "json"); strings.Count(told, `"clusters":["dev","live"]`) != 2 || !strings.Contains(told, `"outcome":"done"`) || !strings.Contains(told, `"outcome":"undone"`) {
		t.Errorf("the history is %s", told)
	}
}
