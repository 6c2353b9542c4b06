package main

import (
	"bufio"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

var update = flag.Bool("update", false, "rewrite the expected texts in testdata/script and testdata/cluster")

func TestMain(m *testing.M) {
	testscript.Main(cluster{m}, map[string]func(){"flotilla": main})
}

// cluster stops what clustertest started when the tests have run.
type cluster struct{ m *testing.M }

// Run lets clustertest end the process with the tests' exit code.
func (c cluster) Run() int {
	clustertest.Main(c.m)
	return 0
}

// TestScript runs what needs no cluster: flags, files, errors, exit codes.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands(),
		Setup: func(env *testscript.Env) error {
			isolate(env)
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "no-kubeconfig"))
			return serve(t, env)
		},
	})
}

// TestCluster runs what needs a cluster. Each script has a namespace $NS of its
// own, its folder under http://$WEB, the name $CONTEXT of the context, a kubeconfig $READER that may only read release records in it, and
// one, $EDITOR, that may do everything in it and nothing elsewhere, and what
// serve serves.
func TestCluster(t *testing.T) {
	c := clustertest.Start(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/cluster",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                commands(),
		Setup: func(env *testscript.Env) error {
			isolate(env)
			inner := env.T().(testing.TB)
			ns := c.Namespace(inner)
			env.Setenv("NS", ns)
			env.Setenv("KUBECONFIG", c.Kubeconfig)
			env.Setenv("CONTEXT", c.Context)
			serveWork(inner, env)
			env.Setenv("READER", c.ServiceAccountKubeconfig(inner, ns, rbacv1.PolicyRule{
				APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list"}}))
			env.Setenv("EDITOR", c.ServiceAccountKubeconfig(inner, ns, rbacv1.PolicyRule{
				APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}))
			return serve(t, env)
		},
	})
}

// commands adds "exits CODE PROGRAM ARGS...", an exec that wants that exit code,
// and "interrupted TEXT PROGRAM ARGS...", which sends SIGINT as soon as the
// program's error stream says TEXT, and wants exit code 130, "sign",
// "asplanned", "agekey", "hand", "expire" and "ascronjob".
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) < 2 {
				ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
			}
			code := 0
			var exit *exec.ExitError
			if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
				code = exit.ExitCode()
			} else if err != nil {
				ts.Fatalf("running %s: %v", args[1], err)
			}
			if strconv.Itoa(code) != args[0] {
				ts.Fatalf("exit code %d, want %s", code, args[0])
			}
		},
		"sign":      sign,
		"asplanned": asPlanned,
		"hand":      hand,
		"agekey":    ageKey,
		"expire":    expire,
		"leaks":     leaks,
		"ascronjob": asCronJob,
		"interrupted": func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) < 2 {
				ts.Fatalf("usage: interrupted TEXT PROGRAM ARGS...")
			}
			interrupt(ts, args[0], args[1], args[2:]...)
		},
	}
}

func interrupt(ts *testscript.TestScript, when, program string, args ...string) {
	cmd := exec.Command(filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], program), args...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "KUBECONFIG", "NS", "WEB", "NO_COLOR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var said strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), when) {
			ts.Check(cmd.Process.Signal(os.Interrupt))
			when = "\x00" // once
		}
	}
	err = cmd.Wait()
	ts.Logf("%s", said.String())
	if cmd.ProcessState.ExitCode() != 130 {
		ts.Fatalf("ended with %v, want exit code 130", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs("said"), []byte(said.String()), 0o644))
}

// isolate keeps a script away from the user's own files and gives it the
// charts that tests share.
func isolate(env *testscript.Env) {
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"} {
		env.Setenv(name, filepath.Join(env.WorkDir, ".home", strings.ToLower(name)))
	}
	for name, path := range map[string]string{"CHARTS": "../../testdata/charts", "SHOP": "../../examples/shop", "EXAMPLES": "../../examples"} {
		absolute, err := filepath.Abs(path)
		if err != nil {
			panic(err)
		}
		env.Setenv(name, absolute)
	}
	env.Setenv("NO_COLOR", "1")
}

// serve starts a chart repository that serves $WORK/repo, the same behind a
// password, and an empty OCI registry.
func serve(t *testing.T, env *testscript.Env) error {
	files := http.FileServer(http.Dir(filepath.Join(env.WorkDir, "repo")))
	closed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "me" || password != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(w, r)
	})
	for name, handler := range map[string]http.Handler{"REPO": files, "CLOSED": closed, "REGISTRY": registry.New()} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		env.Setenv(name, strings.TrimPrefix(server.URL, "http://"))
	}
	down := httptest.NewServer(http.NotFoundHandler())
	env.Setenv("DOWN", strings.TrimPrefix(down.URL, "http://"))
	down.Close()
	return os.MkdirAll(filepath.Join(env.WorkDir, "repo"), 0o755)
}
