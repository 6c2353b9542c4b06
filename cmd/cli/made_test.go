package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

// parsed gives the session of a command line, as Run makes it.
func parsed(t *testing.T, vars map[string]string, args ...string) *session {
	t.Helper()
	var g grammar
	var out bytes.Buffer
	env := Env{
		Streams: view.Streams{Out: &out, Err: &out}, Now: time.Now,
		Lookup: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
	}
	parser, typed, err := grammarFor(&g, env, args, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(typed.args); err != nil {
		t.Fatal(err)
	}
	return &session{globals: &g.Globals, env: env, parser: parser, given: typed.given}
}

func TestAPlanRemembersTheFlagsThatSayWhatIsWanted(t *testing.T) {
	vars := map[string]string{"FLOTILLA_ENVIRONMENT": "prod", "HELMFILE_NAMESPACE": "ns"}
	s := parsed(t, vars, "-q", "plan", "-o", "x.plan", "-l", "a=b,c=d", "-l", "e=f", "--set", "x=--y,z", "--no-skip-needs", "--wait", "--timeout", "7", "--context", "9", "--state-values-set", "p=q")
	made, err := s.made(&fleet{spec: &spec.Spec{Files: []spec.File{{Path: "/nested.yaml"}, {Path: "/helmfile.yaml"}}}})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want := plan.Made{Dir: dir, File: "/helmfile.yaml", Flags: []plan.Flag{
		{Name: "environment", Values: []string{"prod"}}, {Name: "namespace", Values: []string{"ns"}}, {Name: "selector", Values: []string{"a=b,c=d", "e=f"}},
		{Name: "set", Values: []string{"x=--y,z"}}, {Name: "skip-needs", Values: []string{"false"}}, {Name: "state-values-set", Values: []string{"p=q"}},
		{Name: "timeout", Values: []string{"7"}}, {Name: "wait", Values: []string{"true"}},
	}}
	if d := cmp.Diff(want, made); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// TestASavedPlanIsAppliedInEveryWayThatPlanDoesNotAsk: what plan has no flag for, a
// saved plan cannot have decided.
func TestASavedPlanIsAppliedInEveryWayThatPlanDoesNotAsk(t *testing.T) {
	parser, err := newParser(&grammar{}, Env{Lookup: func(string) (string, bool) { return "", false }}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	names := func(command string) (all []string) {
		for _, flag := range childOf(parser.Model.Node, command).Flags {
			if !flag.Hidden {
				all = append(all, flag.Name)
			}
		}
		return all
	}
	asked := names("plan")
	for _, command := range []string{"apply", "resume"} {
		for _, name := range names(command) {
			if !slices.Contains(asked, name) && !slices.Contains(ofTheRun(), name) && !slices.Contains([]string{"plan", "undo"}, name) {
				t.Errorf("nobody can give --%s to a saved plan: plan has no such flag, and %s refuses it", name, command)
			}
		}
	}
	for _, args := range [][]string{{"--retries", "3"}, {"--grace", "8s"}, {"--run-timeout", "5m"}} {
		if err := parsed(t, nil, append([]string{"apply", "x.plan"}, args...)...).onlyOfTheRun(); err != nil {
			t.Error(err)
		}
	}
}

func TestAPlanIsAskedForAsItWas(t *testing.T) {
	made := plan.Made{Dir: t.TempDir(), Flags: []plan.Flag{
		{Name: "environment", Values: []string{"prod"}}, {Name: "selector", Values: []string{"a=b,c=d", "e=f"}},
		{Name: "set", Values: []string{"x=--y,z"}}, {Name: "skip-needs", Values: []string{"false"}}, {Name: "timeout", Values: []string{"7"}},
	}}
	made.File = filepath.Join(made.Dir, "helmfile.yaml")
	if err := os.WriteFile(made.File, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// What the variables say now does not count; how this run goes does.
	s := parsed(t, map[string]string{"FLOTILLA_ENVIRONMENT": "other", "FLOTILLA_NAMESPACE": "other"}, "apply", "x.plan", "--replan", "--no-exec", "--kubeconfig", "k", "--cache-dir", "c")
	next, c, err := s.again(made)
	if err != nil {
		t.Fatal(err)
	}
	g := next.globals
	if g.Environment != "prod" || g.Namespace != "" || !slices.Equal(g.Selector, []string{"a=b,c=d", "e=f"}) || g.File != "" || next.dir != made.Dir {
		t.Errorf("the state is not the one of the plan: %+v in %s", g, next.dir)
	}
	if !g.NoExec || g.Kubeconfig != "k" || g.CacheDir != "c" {
		t.Errorf("the run is not this one: %+v", g)
	}
	if !slices.Equal(c.Set, []string{"x=--y,z"}) || c.SkipNeeds || c.Timeout != 7 || c.Wait {
		t.Errorf("the flags are not those of the plan: %+v", c)
	}

	s = parsed(t, nil, "apply", "x.plan", "--replan", "-f", "here.yaml")
	if next, _, err = s.again(made); err != nil || next.globals.File != "here.yaml" || next.dir != "" {
		t.Errorf("-f is not heeded: %+v, %v", next.globals, err)
	}
	for name, other := range map[string]plan.Made{
		"a state file that is gone": {Dir: made.Dir, File: made.File + "x"},
		"standard input":            {Dir: made.Dir, File: "-"},
		"a flag of another version": {Dir: made.Dir, File: made.File, Flags: []plan.Flag{{Name: "later", Values: []string{"swordfish"}}}},
	} {
		if _, _, err := parsed(t, nil, "apply", "x.plan", "--replan").again(other); err == nil || bytes.Contains([]byte(err.Error()), []byte("swordfish")) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestEveryFlagOfPlanIsOfTheRunOrRemembered finds flags whose values a saved
// plan could not hold.
func TestEveryFlagOfPlanIsOfTheRunOrRemembered(t *testing.T) {
	s := parsed(t, nil, "plan")
	known := map[string]bool{}
	for _, flag := range flagsOf(s.parser.Model.Node, "plan") {
		known[flag.Name] = true
		if flag.Name == "help" || flag.Hidden {
			continue
		}
		if values := valuesOf(flag); values != nil {
			t.Errorf("--%s is at its default, and is remembered as %q", flag.Name, values)
		}
		if k := flag.Target.Kind().String(); k != "string" && k != "bool" && k != "int" && k != "slice" {
			t.Errorf("--%s has values of kind %s", flag.Name, k)
		}
	}
	for _, name := range []string{"output", "side-by-side", "fold-labels", "replan", "out"} {
		if !known[name] {
			t.Errorf("plan has no flag --%s any more", name)
		}
	}
}
