package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/flotilla-sh/flotilla/cmd/cli"
	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// later runs a command that reads, as if it was that much later.
func (f fleet) later(by time.Duration, args ...string) string {
	f.Helper()
	var out, errs bytes.Buffer
	global := []string{"--file", filepath.Join(f.dir, "helmfile.yaml"), "--cache-dir", filepath.Join(f.dir, "cache"), "--kubeconfig", f.kubeconfig}
	code := cli.Run(f.Context(), append(global, args...), cli.Env{
		Stdin: strings.NewReader(""), Streams: view.Streams{Out: &out, Err: &errs},
		Lookup: func(string) (string, bool) { return "", false },
		Now:    func() time.Time { return time.Now().Add(by) },
	})
	if code != 0 {
		f.Fatalf("flotilla %s ended with %d:\n%s%s", strings.Join(args, " "), code, out.String(), errs.String())
	}
	return out.String()
}

// killed starts a process and kills it as soon as its record satisfies a test.
func (f fleet) killed(records watch.Interface, when func() bool, args ...string) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "flotilla", append([]string{"--kubeconfig", f.kubeconfig}, args...)...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "HOME="+f.dir)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case <-records.ResultChan():
			if when() {
				if err := cmd.Process.Kill(); err != nil {
					f.Fatal(err)
				}
				<-ended
				return
			}
		case err := <-ended:
			f.Fatalf("flotilla %s ended before anybody killed it: %v\n%s", strings.Join(args, " "), err, said.String())
		}
	}
}

func TestTheRecordOfAKilledRunTellsHowFarItCame(t *testing.T) {
	c := clustertest.Start(t)
	f := newFleet(t, c.Kubeconfig)
	ns, records := c.Namespace(t), c.Namespace(t)
	f.declare(`
stateNamespace: %s
releases:
- {name: first, namespace: %[2]s, chart: CHARTS/app, values: [{replicas: 0}]}
- {name: second, namespace: %[2]s, chart: CHARTS/app, needs: [first], wait: true, values: [{podAnnotations: {devcluster.flotilla.sh/fail: never-ready}}]}
- {name: third, namespace: %[2]s, chart: CHARTS/app, needs: [second]}
`, records, ns)
	changes, err := c.Client().CoreV1().Secrets(records).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer changes.Stop()
	f.killed(changes, func() bool {
		return strings.Contains(f.later(0, "history", "-o", "json"), `"done":1,"pending":1,"running":1`)
	}, "apply", "--suppress-diff")
	if now := f.later(0, "history"); !strings.Contains(now, " running ") {
		t.Errorf("a run that was killed just now is told as\n%s", now)
	}
	list := f.later(time.Minute, "history")
	show := f.later(time.Minute, "history", "show")
	for text, where := range map[string]string{
		" cut off ": list, "1 done, 1 running, 1 pending": list,
		": cut off\n": show, "cut off while running": show, "last sign": show,
	} {
		if !strings.Contains(where, text) {
			t.Errorf("%q is not in\n%s", text, where)
		}
	}
	var run struct {
		Outcome string
		Steps   []struct {
			Name, State string
			Revision    int
		}
	}
	if err := json.Unmarshal([]byte(f.later(time.Minute, "history", "show", "-o", "json")), &run); err != nil {
		t.Fatal(err)
	}
	if run.Outcome != "cut off" || len(run.Steps) != 3 || run.Steps[0].State != "done" || run.Steps[0].Revision != 1 || run.Steps[2].State != "pending" {
		t.Errorf("in JSON it is %+v", run)
	}
}

func TestNoRecordHoldsASecret(t *testing.T) {
	const canary = "c4nary-s3cret"
	c := clustertest.Start(t)
	f := newFleet(t, c.Kubeconfig)
	ns, records := c.Namespace(t), c.Namespace(t)
	f.declare(`
stateNamespace: %s
releases:
- name: a
  namespace: %s
  chart: CHARTS/app
  values: [{replicas: 0, env: {PASSWORD: %[3]s}}]
  set: [{name: podAnnotations.note, value: %[3]s}]
`, records, ns, canary)
	f.flotilla(0, "apply", "--set", "env.OTHER="+canary)
	f.flotilla(0, "sync")
	f.flotilla(0, "destroy")
	list, err := c.Client().CoreV1().Secrets(records).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range list.Items {
		zip, err := gzip.NewReader(bytes.NewReader(secret.Data["record"]))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(zip)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(canary)) || strings.Contains(secret.String(), canary) {
			t.Errorf("the record holds a secret:\n%s", text)
		}
	}
	if len(list.Items) != 3 {
		t.Errorf("there are %d records of 3 runs", len(list.Items))
	}
}

func TestAnApplyWithoutChangesLeavesNoRecord(t *testing.T) {
	c := clustertest.Start(t)
	f := newFleet(t, c.Kubeconfig)
	records := c.Namespace(t)
	f.declare("stateNamespace: %s\nreleases: [{name: a, namespace: %s, chart: CHARTS/app, values: [{replicas: 0}]}]", records, c.Namespace(t))
	f.flotilla(0, "apply", "--journal", "off")
	f.flotilla(0, "apply")
	f.flotilla(0, "diff")
	list, err := c.Client().CoreV1().Secrets(records).List(t.Context(), metav1.ListOptions{LabelSelector: "flotilla.sh/run"})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 0 {
		t.Errorf("there are %d records of runs that wrote nothing or wanted none", len(list.Items))
	}
}

func TestARecordCostsAtMostTwoRequestsAStep(t *testing.T) {
	c := clustertest.Start(t)
	f, proxy := counting(t, c)
	state := "stateNamespace: " + c.Namespace(t) + "\nreleases:\n"
	ns := c.Namespace(t)
	for i := range 12 {
		state += fmt.Sprintf("- {name: r%d, namespace: %s, chart: CHARTS/hello}\n", i, ns)
	}
	f.declare("%s", state)
	proxy.Take()
	f.flotilla(0, "apply", "--journal", "off")
	without := proxy.Take().Requests
	f.flotilla(0, "destroy", "--journal", "off")
	proxy.Take()
	f.flotilla(0, "apply")
	const whole = 4 // create, prune, end, and a beat
	if with := proxy.Take().Requests; with <= without || with > without+2*12+whole {
		t.Errorf("12 installs cost %d requests with a record and %d without: at most %d more are fine", with, without, 2*12+whole)
	}
}
