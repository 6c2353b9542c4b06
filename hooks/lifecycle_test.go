//go:build unix

package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
)

// render is text/template, strict as state files are.
func render(_ context.Context, text string, data any) (string, error) {
	t, err := template.New("hook").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, data)
	return out.String(), err
}

// fixture is a state file's folder with a runner that keeps the output.
type fixture struct {
	*hooks.Runner
	dir   string
	lines *[]string
}

func newFixture(t *testing.T, change func(*hooks.Options)) fixture {
	t.Helper()
	dir := t.TempDir()
	var lines []string
	opts := hooks.Options{
		File: spec.File{
			Dir:         dir,
			Environment: spec.Environment{Name: "prod", Values: map[string]any{"region": "eu"}},
			Values:      map[string]any{"size": "large"},
		},
		Namespace: "forced",
		Command:   "apply",
		Render:    render,
		Output:    func(l hooks.Line) { lines = append(lines, fmt.Sprintf("hook[%s] logs | %s", l.Event, l.Text)) },
	}
	if change != nil {
		change(&opts)
	}
	return fixture{hooks.New(opts), dir, &lines}
}

// script writes an executable into the folder.
func (f fixture) script(t *testing.T, name, body string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte("#!/bin/sh\n"+body), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (f fixture) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func web() *spec.Release {
	return &spec.Release{
		ID:        spec.ReleaseID{Context: "kind", Namespace: "front", Name: "web"},
		Chart:     spec.Chart{Ref: "stable/web", Version: "1.2.3"},
		Labels:    map[string]string{"tier": "edge"},
		Installed: true,
	}
}

func TestFireRendersCommandAndArguments(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		rel   *spec.Release
		cause error
		want  string
	}{
		{"a release hook sees its release", "{{.Release.Namespace}}/{{.Release.Name}} {{.Release.Chart}}@{{.Release.Version}} {{.Release.Labels.tier}}",
			web(), nil, "front/web stable/web@1.2.3 edge"},
		{"a release hook sees state values", "{{.Values.size}}", web(), nil, "large"},
		{"every hook sees environment, namespace and command", "{{.Environment.Name}} {{.Environment.Values.region}} {{.Namespace}} {{.HelmfileCommand}}",
			nil, nil, "prod eu forced apply"},
		{"an event without failure has no error", "{{.Event.Name}}{{if .Event.Error}} failed{{end}}", web(), nil, "postsync"},
		{"an event after a failure has its error", "{{.Event.Name}}: {{.Event.Error}}", web(), errors.New("upgrade broke"), "postsync: upgrade broke"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.script(t, "write-postsync.sh", `printf '%s' "$1" > out`)
			hook := spec.Hook{Events: []spec.HookEvent{spec.EventPostSync}, Command: "./write-{{.Event.Name}}.sh", Args: []string{tt.text}}
			if err := f.Fire(t.Context(), spec.EventPostSync, tt.rel, []spec.Hook{hook}, tt.cause); err != nil {
				t.Fatal(err)
			}
			if got := f.read(t, "out"); got != tt.want {
				t.Errorf("argument is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFireGlobalHookHasNoRelease(t *testing.T) {
	f := newFixture(t, nil)
	hook := spec.Hook{Name: "global", Events: []spec.HookEvent{spec.EventPrepare}, Command: "true", Args: []string{"{{.Release.Name}}"}}
	err := f.Fire(t.Context(), spec.EventPrepare, nil, []spec.Hook{hook}, nil)
	var failed *hooks.Error
	if !errors.As(err, &failed) || failed.Hook != "global" {
		t.Fatalf("error is %v, want an *Error of hook global", err)
	}
}

func TestFireUsesNoShell(t *testing.T) {
	f := newFixture(t, nil)
	hook := spec.Hook{Events: []spec.HookEvent{spec.EventPrepare}, ShowLogs: true, Command: "echo", Args: []string{"$HOME; exit 3", "a  b"}}
	if err := f.Fire(t.Context(), spec.EventPrepare, nil, []spec.Hook{hook}, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"hook[prepare] logs | $HOME; exit 3 a  b"}, *f.lines); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestFireRunsMatchingHooksInListOrderUntilOneFails(t *testing.T) {
	f := newFixture(t, nil)
	f.script(t, "hook.sh", "echo out $1\necho err $1 >&2\nexit $2\n")
	at := []spec.HookEvent{spec.EventPreSync, spec.EventCleanup}
	run := func(name, code string, logs bool) spec.Hook {
		return spec.Hook{Name: name, Events: at, Command: "./hook.sh", Args: []string{name, code}, ShowLogs: logs,
			Pos: spec.Pos{File: "helmfile.yaml", Line: 7, Col: 3}}
	}
	other := run("other", "1", true)
	other.Events = []spec.HookEvent{spec.EventPrepare}
	err := f.Fire(t.Context(), spec.EventPreSync, web(),
		[]spec.Hook{other, run("one", "0", true), run("quiet", "0", false), run("two", "4", true), run("three", "0", true)}, nil)
	var failed *hooks.Error
	if !errors.As(err, &failed) {
		t.Fatalf("error is %v, want an *Error", err)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("error does not carry exit status 4: %v", err)
	}
	failed.Err = nil
	want := &hooks.Error{Event: spec.EventPreSync, Hook: "two", Pos: spec.Pos{File: "helmfile.yaml", Line: 7, Col: 3},
		Output: []string{"out two", "err two"}}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	lines := []string{"hook[presync] logs | out one", "hook[presync] logs | err one", "hook[presync] logs | out two", "hook[presync] logs | err two"}
	if diff := cmp.Diff(lines, *f.lines); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

func TestErrorNamesPlaceAndOutputButNoArguments(t *testing.T) {
	f := newFixture(t, nil)
	f.script(t, "login.sh", "i=0; while [ $i -lt 30 ]; do echo line $i; i=$((i+1)); done; exit 1")
	hook := spec.Hook{Events: []spec.HookEvent{spec.EventPrepare}, Command: "./login.sh", Args: []string{"--password", "hunter2"},
		Pos: spec.Pos{File: "helmfile.yaml", Line: 2, Col: 5}}
	err := f.Fire(t.Context(), spec.EventPrepare, nil, []spec.Hook{hook}, nil)
	if err == nil {
		t.Fatal("the hook did not fail")
	}
	lines := strings.Split(err.Error(), "\n")
	if want := `helmfile.yaml:2:5: running hook "./login.sh" at prepare: exit status 1`; lines[0] != want {
		t.Errorf("first line is\n%s\nwant\n%s", lines[0], want)
	}
	if len(lines) != 22 || lines[1] != "  its last output:" || lines[2] != "    line 10" || lines[21] != "    line 29" {
		t.Errorf("output is %q, want lines 10 to 29", lines[1:])
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error holds an argument: %v", err)
	}
}

func TestFireMistakes(t *testing.T) {
	tests := []struct {
		name string
		hook spec.Hook
		want string
	}{
		{"a program that is not there", spec.Hook{Command: "no-such-program"},
			`running hook "no-such-program" at prepare: starting "no-such-program": executable file not found in $PATH`},
		{"an empty command", spec.Hook{Name: "n", Command: "  "}, `running hook "n" at prepare: its command is empty`},
		{"kubectlApply with both sources", spec.Hook{KubectlApply: map[string]string{"filename": "a", "kustomize": "b"}},
			`running hook "kubectlApply" at prepare: kubectlApply has both filename and kustomize: give one of them`},
		{"kubectlApply with no source", spec.Hook{KubectlApply: map[string]string{}},
			`running hook "kubectlApply" at prepare: kubectlApply has neither filename nor kustomize: give one of them`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.hook.Events = []spec.HookEvent{spec.EventPrepare}
			err := newFixture(t, nil).Fire(t.Context(), spec.EventPrepare, nil, []spec.Hook{tt.hook}, nil)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error is\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

func TestKubectlApply(t *testing.T) {
	tests := []struct {
		name string
		from map[string]string
		want string
	}{
		{"a file", map[string]string{"filename": "crd-{{.Environment.Name}}.yaml"}, "apply -f crd-prod.yaml\n"},
		{"a kustomization", map[string]string{"kustomize": "./base"}, "apply -k ./base\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.script(t, "kubectl", `echo "$@" > called`)
			t.Setenv("PATH", f.dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			hook := spec.Hook{Events: []spec.HookEvent{spec.EventPreSync}, Command: "ignored", KubectlApply: tt.from}
			if err := f.Fire(t.Context(), spec.EventPreSync, web(), []spec.Hook{hook}, nil); err != nil {
				t.Fatal(err)
			}
			if got := f.read(t, "called"); got != tt.want {
				t.Errorf("kubectl got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNoExecRefusesADueHookByName(t *testing.T) {
	f := newFixture(t, func(o *hooks.Options) { o.NoExec = true })
	hook := spec.Hook{Name: "touch", Events: []spec.HookEvent{spec.EventPrepare}, Command: "touch", Args: []string{"made"}}
	err := f.Fire(t.Context(), spec.EventPrepare, nil, []spec.Hook{hook}, nil)
	var failed *hooks.Error
	if !errors.Is(err, hooks.ErrNoExec) || !errors.As(err, &failed) || failed.Hook != "touch" {
		t.Errorf("error is %v, want ErrNoExec of hook touch", err)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "made")); err == nil {
		t.Error("the hook ran")
	}
	if err := f.Fire(t.Context(), spec.EventCleanup, nil, []spec.Hook{hook}, nil); err != nil {
		t.Errorf("a hook that is not due is an error: %v", err)
	}
}

// startsChild runs until it is killed, and so does its child. Both hold the
// named pipe "alive" open.
const startsChild = "exec 3>alive\nsleep 600 &\necho started\nwait\n"

func TestCancelEndsTheWholeGroup(t *testing.T) {
	tests := []struct {
		name   string
		script string
	}{
		{"processes that end when asked", startsChild},
		{"processes that do not listen", "trap '' TERM\n" + startsChild + "sleep 600\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			stop := errors.New("stop asked for")
			f := newFixture(t, func(o *hooks.Options) {
				o.Grace = 200 * time.Millisecond
				o.Output = func(hooks.Line) { cancel(stop) }
			})
			ended := f.allEnded(t)
			f.script(t, "hook.sh", tt.script)
			hook := spec.Hook{Events: []spec.HookEvent{spec.EventPreSync}, Command: "./hook.sh", ShowLogs: true}
			start := time.Now()
			err := f.Fire(ctx, spec.EventPreSync, web(), []spec.Hook{hook, hook}, nil)
			if !errors.Is(err, stop) {
				t.Errorf("error is %v, want the cause of the cancellation", err)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("stopping took %v", took)
			}
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Error("a process is still there")
			}
		})
	}
}

// allEnded makes the named pipe and tells when nobody holds it open any more.
func (f fixture) allEnded(t *testing.T) <-chan struct{} {
	t.Helper()
	pipe := filepath.Join(f.dir, "alive")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if held, err := os.Open(pipe); err == nil {
			_, _ = io.Copy(io.Discard, held)
			held.Close()
		}
	}()
	return ended
}

func TestCancelledBeforeStartRunsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := newFixture(t, nil)
	hook := spec.Hook{Events: []spec.HookEvent{spec.EventPrepare}, Command: "touch", Args: []string{"made"}}
	if err := f.Fire(ctx, spec.EventPrepare, nil, []spec.Hook{hook}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
	if entries, _ := os.ReadDir(f.dir); len(entries) != 0 {
		t.Errorf("the hook ran: %v", entries)
	}
}

func TestAHookMayLeaveAProcessBehind(t *testing.T) {
	f := newFixture(t, func(o *hooks.Options) { o.Grace = 100 * time.Millisecond })
	f.script(t, "hook.sh", "sleep 600 &\necho $! > pid\n")
	hook := spec.Hook{Events: []spec.HookEvent{spec.EventPrepare}, Command: "./hook.sh"}
	if err := f.Fire(t.Context(), spec.EventPrepare, nil, []spec.Hook{hook}, nil); err != nil {
		t.Fatal(err)
	}
	pid := strings.TrimSpace(f.read(t, "pid"))
	if err := exec.Command("kill", "-9", pid).Run(); err != nil {
		t.Errorf("the process that the hook left was ended: kill: %v", err)
	}
}

func TestOutputIsSplitIntoBoundedLines(t *testing.T) {
	f := newFixture(t, nil)
	f.script(t, "hook.sh", `printf 'a\r\n\nb\nlast'; head -c 10000 /dev/zero | tr '\0' x; `)
	hook := spec.Hook{Events: []spec.HookEvent{spec.EventPrepare}, Command: "./hook.sh", ShowLogs: true}
	if err := f.Fire(t.Context(), spec.EventPrepare, nil, []spec.Hook{hook}, nil); err != nil {
		t.Fatal(err)
	}
	prefix := len("hook[prepare] logs | ")
	var lengths []int
	for _, l := range *f.lines {
		lengths = append(lengths, len(l)-prefix)
	}
	if want := []int{1, 0, 1, 8192, 1812}; !slices.Equal(lengths, want) {
		t.Errorf("lengths of lines are %v, want %v", lengths, want)
	}
}
