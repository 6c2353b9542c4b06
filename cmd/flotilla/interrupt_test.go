package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// slowChart has a ConfigMap, a hook that takes as long as its annotation says, and
// a Deployment whose Pods do what theirs say.
const slowChart = `{{- with .Values.hook }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-hook
  annotations:
    helm.sh/hook: {{ .on }}
    helm.sh/hook-delete-policy: before-hook-creation,{{ .policy | default "hook-succeeded,hook-failed" }}
spec:
  template:
    metadata:
      annotations: {devcluster.flotilla.sh/delay: {{ .delay }}}
    spec:
      restartPolicy: Never
      containers: [{name: hook, image: hook}]
{{- end }}
---
{{- with .Values.pod }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $.Release.Name }}
spec:
  selector: {matchLabels: {app: {{ $.Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ $.Release.Name }}}
      annotations: {{ . | toJson }}
    spec:
      containers: [{name: web, image: web}]
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  v: {{ .Values.v | quote }}
`

// slowFleet declares releases of slowChart in a namespace of their own: before
// is deployed, then after is what the state file says.
func slowFleet(t *testing.T, before, after string) (fleet, string) {
	t.Helper()
	c := clustertest.Start(t)
	f := newFleet(t, c.Kubeconfig)
	ns := c.Namespace(t)
	for name, text := range map[string]string{"Chart.yaml": "apiVersion: v2\nname: slow\nversion: 1.0.0\n", "templates/all.yaml": slowChart} {
		path := filepath.Join(f.dir, "chart", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	declare := func(releases string) {
		f.declare("owner: %[1]s\nstateNamespace: %[1]s\nhelmDefaults: {wait: true, deleteWait: true, cascade: foreground}\nreleases:\n%[2]s", ns, strings.ReplaceAll(releases, "HERE", "namespace: "+ns+", chart: ./chart"))
	}
	if before != "" {
		declare(before)
		f.flotilla(0, "apply")
	}
	declare(after)
	return f, ns
}

// process is flotilla at work.
type process struct {
	*testing.T
	cmd   *exec.Cmd
	lines chan string

	mu   sync.Mutex
	said strings.Builder
}

func (f fleet) start(args ...string) *process {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 90*time.Second)
	f.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "flotilla", append([]string{"--kubeconfig", f.kubeconfig}, args...)...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "HOME="+f.dir)
	out, err := cmd.StderrPipe()
	if err != nil {
		f.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	p := &process{T: f.T, cmd: cmd, lines: make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.said.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
			p.lines <- lines.Text()
		}
	}()
	return p
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// await returns when the process has said that.
func (p *process) await(text string) {
	p.Helper()
	for line := range p.lines {
		if strings.Contains(line, text) {
			return
		}
	}
	p.Fatalf("it never said %q:\n%s", text, p.output())
}

func (p *process) signal(s syscall.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
}

// ends gives the exit code.
func (p *process) ends() int {
	p.Helper()
	for range p.lines { // until its end
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// standing is what the cluster has of the releases of a namespace: the newest
// revision's status, and the value in the ConfigMap.
func (f fleet) standing(ns string, names ...string) string {
	f.Helper()
	client := clustertest.Start(f.T).Client()
	var all []string
	for _, name := range names {
		status, number := "none", 0
		secrets, err := client.CoreV1().Secrets(ns).List(f.Context(), metav1.ListOptions{LabelSelector: "owner=helm,name=" + name})
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range secrets.Items {
			var n int
			if _, err := fmt.Sscan(s.Labels["version"], &n); err == nil && n > number {
				status, number = s.Labels["status"], n
			}
		}
		value := "-"
		if cm, err := client.CoreV1().ConfigMaps(ns).Get(f.Context(), name, metav1.GetOptions{}); err == nil {
			value = cm.Data["v"]
		}
		all = append(all, fmt.Sprintf("%s %s %s", name, status, value))
	}
	return strings.Join(all, ", ")
}

func TestInterrupts(t *testing.T) {
	const (
		was     = "- {name: a, HERE, values: [{v: one}]}\n"
		becomes = "- {name: a, HERE, values: [{v: two}]}\n"
		back    = "a deployed one, b none -"
	)
	never := `- {name: b, HERE, needs: [a], values: [{v: two, pod: {devcluster.flotilla.sh/fail: never-ready}}]}`
	hook := `- {name: b, HERE, needs: [a], values: [{v: two, hook: {on: pre-install, delay: 600s}}]}`
	// What fails after two seconds, while putting a back takes ten minutes.
	undo := `- {name: a, HERE, values: [{v: two, hook: {on: pre-rollback, delay: 600s}}]}
- {name: b, HERE, needs: [a], timeout: 2, values: [{v: two, pod: {devcluster.flotilla.sh/fail: never-ready}}]}`
	wasUndo := "- {name: a, HERE, values: [{v: one, hook: {on: pre-rollback, delay: 600s}}]}\n"
	int1, int2 := []syscall.Signal{syscall.SIGINT}, []syscall.Signal{syscall.SIGTERM, syscall.SIGINT}
	tests := []struct {
		name          string
		before, after string
		args          []string
		await         string
		signals       []syscall.Signal
		code          int
		within        time.Duration
		standing      string
		says          string
	}{
		{"a hook is left alone and the run put back", was, becomes + hook, []string{"apply"}, "installing", int1, 130, 20 * time.Second, back, "Interrupted, everything was put back"},
		{"a wait ends, by SIGTERM too", was, becomes + never, []string{"apply"}, "installing", []syscall.Signal{syscall.SIGTERM}, 143, 20 * time.Second, back, "Interrupted, everything was put back"},
		{"an uninstall ends and is put back", "- {name: a, HERE, values: [{v: one, pod: {devcluster.flotilla.sh/delete-delay: 4s}}]}", "- {name: a, HERE, values: [{v: one, pod: {devcluster.flotilla.sh/delete-delay: 4s}}]}",
			[]string{"destroy"}, "uninstalling", int1, 130, 40 * time.Second, "a deployed one", "everything was put back"},
		{"a second one ends it at once", was, becomes + hook, []string{"apply"}, "installing", int2, 7, 10 * time.Second, "a deployed two, b (failed|uninstalled) -", "not undone"},
		{"an undo stops at the second one", wasUndo, undo, []string{"apply"}, "rolling back", int2, 7, 15 * time.Second, "a (failed|deployed) two", "not undone"},
		{"the grace ends an undo", wasUndo, undo, []string{"apply", "--grace", "3s"}, "rolling back", []syscall.Signal{syscall.SIGTERM}, 7, 15 * time.Second, "a (failed|deployed) two", "the time that --grace gives is over"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, ns := slowFleet(t, tt.before, tt.after)
			p := f.start(tt.args...)
			p.await(tt.await)
			if tt.await == "installing" { // of b, whose record is there then
				f.meets(ns, "b")
			}
			began := time.Now()
			for _, s := range tt.signals {
				p.signal(s)
			}
			code := p.ends()
			if took := time.Since(began); code != tt.code || took > tt.within || !strings.Contains(p.output(), tt.says) {
				t.Errorf("it ended after %s with %d, want %d and %q:\n%s", took, code, tt.code, tt.says, p.output())
			}
			var names []string
			for one := range strings.SplitSeq(tt.standing, ", ") {
				names = append(names, strings.Fields(one)[0])
			}
			if got := f.standing(ns, names...); !regexp.MustCompile("^" + tt.standing + "$").MatchString(got) {
				t.Errorf("the cluster has %q, want %q", got, tt.standing)
			}
		})
	}
}

// meets returns when a release has a record that is pending.
func (f fleet) meets(ns, name string) {
	f.Helper()
	opts := metav1.ListOptions{LabelSelector: "owner=helm,status=pending-install,name=" + name}
	w, err := clustertest.Start(f.T).Client().CoreV1().Secrets(ns).Watch(f.Context(), opts)
	if err != nil {
		f.Fatal(err)
	}
	defer w.Stop()
	select {
	case <-w.ResultChan():
	case <-time.After(30 * time.Second):
		f.Fatalf("%s was never begun", name)
	}
}

func TestAHookThatOutlivesTheUndoIsTold(t *testing.T) {
	f, ns := slowFleet(t, "", `- {name: b, HERE, values: [{hook: {on: pre-install, delay: 600s, policy: hook-succeeded}}]}`)
	jobs, err := clustertest.Start(t).Client().BatchV1().Jobs(ns).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer jobs.Stop()
	p := f.start("apply")
	p.await("installing")
	<-jobs.ResultChan()
	p.signal(syscall.SIGINT)
	code := p.ends()
	const want = ": a hook that is still running, and nothing ends it; to end it: kubectl delete job b-hook --namespace "
	if code != 130 || !strings.Contains(p.output(), "Job/b-hook of "+ns+"/b"+want+ns+" --context ") {
		t.Errorf("it ended with %d, want 130 and %q:\n%s", code, want, p.output())
	}
	if told := f.flotilla(0, "history", "show"); !strings.Contains(told, want) {
		t.Errorf("%q is not in\n%s", want, told)
	}
}

func TestTheTimeOfARun(t *testing.T) {
	f, ns := slowFleet(t, "- {name: a, HERE, values: [{v: one}]}",
		"- {name: a, HERE, values: [{v: two}]}\n"+`- {name: b, HERE, needs: [a], values: [{v: two, pod: {devcluster.flotilla.sh/fail: never-ready}}]}`+"\n- {name: c, HERE, needs: [b], values: [{v: two}]}")
	p := f.start("apply", "--run-timeout", "5s")
	code := p.ends()
	for _, want := range []string{"the time of the run is over", "Out of time, everything was put back"} {
		if !strings.Contains(p.output(), want) {
			t.Errorf("it did not say %q", want)
		}
	}
	if got := f.standing(ns, "a", "b", "c"); code != 6 || got != "a deployed one, b none -, c none -" {
		t.Errorf("it ended with %d and left %q:\n%s", code, got, p.output())
	}
}

// succeed ends a Job that runs, as its Pod would.
func (f fleet) succeed(ns, job string) {
	f.Helper()
	pods := clustertest.Start(f.T).Client().CoreV1().Pods(ns)
	w, err := pods.Watch(f.Context(), metav1.ListOptions{LabelSelector: "job-name=" + job})
	if err != nil {
		f.Fatal(err)
	}
	defer w.Stop()
	var name string
	select {
	case e := <-w.ResultChan():
		if pod, ok := e.Object.(*corev1.Pod); ok {
			name = pod.Name
		}
	case <-time.After(30 * time.Second):
		f.Fatalf("%s starts no Pod", job)
	}
	done := []byte(`{"status": {"phase": "Succeeded"}}`)
	if _, err := pods.Patch(f.Context(), name, types.MergePatchType, done, metav1.PatchOptions{}, "status"); err != nil {
		f.Fatal(err)
	}
}

func TestWhoMeetsAPendingReleaseOfAnotherRun(t *testing.T) {
	f, ns := slowFleet(t, "", `- {name: a, HERE, values: [{v: one, hook: {on: pre-install, delay: 600s}}]}`)
	first := f.start("apply")
	f.meets(ns, "a")
	data, err := os.ReadFile(filepath.Join(f.dir, "helmfile.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	f.declare("%s", strings.Replace(string(data), "v: one", "v: two", 1))

	second := f.start("apply")
	code := second.ends()
	for _, want := range []string{ns + "/a: another operation is in progress", "is pending-install since", "wait for it to end (--lock-timeout does)"} {
		if !strings.Contains(second.output(), want) {
			t.Errorf("the second one did not say %q", want)
		}
	}
	if code != 5 {
		t.Errorf("the second one ended with %d, want 5:\n%s", code, second.output())
	}

	third := f.start("apply", "--lock-timeout", "1m")
	third.await("Waiting for the lock")
	f.succeed(ns, "a-hook")
	code = third.ends()
	if code != 0 || !strings.Contains(third.output(), "Another run has ended: planning anew.") {
		t.Errorf("the third one ended with %d, want 0 and a word of the wait:\n%s", code, third.output())
	}
	if code := first.ends(); code != 0 {
		t.Errorf("the first one ended with %d:\n%s", code, first.output())
	}
	if got := f.standing(ns, "a"); got != "a deployed two" {
		t.Errorf("the cluster has %q", got)
	}
}

func TestARunWithoutALockIsNotGoneOnWithWhileItRuns(t *testing.T) {
	f, ns := slowFleet(t, "", `- {name: a, HERE, values: [{v: one, hook: {on: pre-install, delay: 600s}}]}`)
	first := f.start("apply", "--lock", "off")
	f.meets(ns, "a")
	second := f.start("resume")
	if code := second.ends(); code != 5 || !strings.Contains(second.output(), "without a lock nobody can tell whether it still goes on") {
		t.Errorf("resume ended with %d, want 5:\n%s", code, second.output())
	}
	f.succeed(ns, "a-hook")
	if code := first.ends(); code != 0 {
		t.Errorf("the run ended with %d:\n%s", code, first.output())
	}
	if got := f.standing(ns, "a"); got != "a deployed one" {
		t.Errorf("the cluster has %q", got)
	}
}
