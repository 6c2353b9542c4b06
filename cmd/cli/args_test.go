package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

func parse(t *testing.T, line string, vars map[string]string) (*grammar, commandLine, error) {
	t.Helper()
	var g grammar
	var out strings.Builder
	env := Env{
		Streams: view.Streams{Out: &out, Err: &out},
		Now:     time.Now,
		Lookup:  func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
	}
	parser, err := newParser(&g, env, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	typed := canonical(parser.Model.Node, strings.Fields(line))
	_, err = parser.Parse(typed.args)
	return &g, typed, err
}

func TestCanonical(t *testing.T) {
	tests := []struct {
		name, line, want string
	}{
		{"global flags before and after the command", "-e prod list -n ns", "list --environment=prod --namespace=ns"},
		{"a letter with its value, with and without an equal sign", "-nns -e=prod list", "list --namespace=ns --environment=prod"},
		{"letters in one word, the last with a value", "list -qinns", "list --quiet --interactive --namespace=ns"},
		{"a letter that says no", "list -q=0", "list --quiet=false"},
		{"a flag of the command before the command", "--concurrency 2 template", "template --concurrency=2"},
		{"a value that begins with a dash", "template --args --dry-run=server", "template --args=--dry-run=server"},
		{"a value that is a command's name", "-l list template", "template --selector=list"},
		{"booleans as pflag spells them", "template --skip-needs=F --include-needs=1", "template --skip-needs=false --include-needs=true"},
		{"a letter that two commands use differently", "create -o dir", "create --output-dir=dir"},
		{"the same letter of another command", "list -o json", "list --output=json"},
		{"a command in a command", "cache -q info", "cache info --quiet"},
		{"a group of commands alone", "cache -q", "cache --quiet --help"},
		{"words that nobody wants", "list a b", "list"},
		{"words after two dashes", "list -- -x", "list"},
		{"words that are dangerous to ignore", "destroy web", "destroy web"},
		{"a word that is wanted", "create demo --force", "create demo --force"},
		{"standard input as the file", "-f - list", "list --file=-"},
		{"help as a command", "help template", "template --help"},
		{"the version as a flag", "--version", "version"},
		{"nothing", "", "--help"},
		{"an unknown flag stays", "list --nonsense=1 -z", "list --nonsense=1 -z"},
		{"a completion is left as it was typed", "completion bash --words -l te", "completion bash --words -l te"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, typed, _ := parse(t, tt.line, nil)
			if got := strings.Join(typed.args, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTheLastOfRepeatedFlagsWinsAndListsAddUp(t *testing.T) {
	g, _, err := parse(t, "-e dev list -l a=b -e prod --selector c=d,e!=f", nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.Environment != "prod" {
		t.Errorf("environment %q, want prod", g.Environment)
	}
	if diff := cmp.Diff([]string{"a=b", "c=d,e!=f"}, g.Selector); diff != "" {
		t.Errorf("selectors (-want +got):\n%s", diff)
	}
}

func TestVariables(t *testing.T) {
	t.Setenv("HELMFILE_DEBUG", "") // kong itself would refuse the empty text
	tests := []struct {
		name  string
		line  string
		vars  map[string]string
		check func(g *grammar) any
		want  any
	}{
		{"helmfile's variable", "list", map[string]string{"HELMFILE_ENVIRONMENT": "prod"}, func(g *grammar) any { return g.Environment }, "prod"},
		{"ours before helmfile's", "list", map[string]string{"HELMFILE_NAMESPACE": "a", "FLOTILLA_NAMESPACE": "b"}, func(g *grammar) any { return g.Namespace }, "b"},
		{"an empty one says nothing", "list", map[string]string{"HELMFILE_NAMESPACE": "a", "FLOTILLA_NAMESPACE": ""}, func(g *grammar) any { return g.Namespace }, "a"},
		{"an empty one leaves the default", "list", map[string]string{"HELMFILE_ENVIRONMENT": ""}, func(g *grammar) any { return g.Environment }, "default"},
		{"a flag beats them", "-e dev list", map[string]string{"HELMFILE_ENVIRONMENT": "prod"}, func(g *grammar) any { return g.Environment }, "dev"},
		{"true is yes", "list", map[string]string{"HELMFILE_DEBUG": "true"}, func(g *grammar) any { return g.debug() }, true},
		{"helmfile takes nothing else for yes", "list", map[string]string{"HELMFILE_DEBUG": "1"}, func(g *grammar) any { return g.debug() }, false},
		{"ours take what a flag takes", "list", map[string]string{"FLOTILLA_DEBUG": "1"}, func(g *grammar) any { return g.debug() }, true},
		{"a level", "list", map[string]string{"HELMFILE_LOG_LEVEL": "error"}, func(g *grammar) any { return g.silent() }, true},
		{"a number", "list", map[string]string{"HELMFILE_REPO_RETRIES": "3"}, func(g *grammar) any { return g.RepoRetries }, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _, err := parse(t, tt.line, tt.vars)
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.check(g); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	if _, _, err := parse(t, "list", map[string]string{"FLOTILLA_DEBUG": "maybe"}); err == nil || !strings.Contains(err.Error(), "FLOTILLA_DEBUG") {
		t.Errorf("got error %v, want one that names FLOTILLA_DEBUG", err)
	}
}

func TestLogLevels(t *testing.T) {
	type levels struct{ Debug, Quiet, Silent bool }
	tests := []struct {
		name, line string
		want       levels
	}{
		{"nothing", "list", levels{}},
		{"info", "--log-level info list", levels{}},
		{"debug", "--log-level debug list", levels{Debug: true}},
		{"debug beats quiet", "-q --debug list", levels{Debug: true}},
		{"quiet beats the level debug", "-q --log-level debug list", levels{Quiet: true}},
		{"warn", "--log-level warn list", levels{Quiet: true}},
		{"error", "--log-level error list", levels{Quiet: true, Silent: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _, err := parse(t, tt.line, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, levels{g.debug(), g.quiet(), g.silent()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFlagsOfHelmfile wants every flag of helmfile 1.8 taken by the command
// that has it there.
func TestFlagsOfHelmfile(t *testing.T) {
	const (
		needs  = " --skip-needs --include-needs --include-transitive-needs"
		set    = " --set a=b --values f"
		render = " --post-renderer p --post-renderer-args=-x"
		show   = " --context 1 --output simple --diff-args=--x --suppress Job --suppress-secrets --show-secrets --no-hooks --suppress-diff --skip-diff-on-install --skip-diff-validation-on-install --include-tests --strip-trailing-cr --validate --suppress-output-line-regex x"
		change = set + needs + render + show + " --concurrency 1 --enforce-needs-are-installed --detailed-exitcode --sync-args=--x --template-args=--x --args=--x --skip-crds" +
			" --hide-notes --take-ownership --server-side auto --sync-release-labels --wait --wait-for-jobs --timeout 1 --reuse-values --reset-values --skip-schema-validation" +
			" --cascade orphan --description d --track-mode kubedog --track-timeout 1 --track-logs --track-failed-logs --track-fail-on-error --helm-stuck-grace 1"
	)
	lines := []string{
		"-f f -e e -l a=b --allow-no-matching-release -n n -c c --kube-context k --kubeconfig k --state-values-set a=b --state-values-set-string a=b --state-values-file f -i -b h -k k" +
			" --skip-deps --skip-refresh --sequential-helmfiles --log-level info -q --debug --color --enable-live-output --strip-args-values-on-exit-error=false --disable-force-update" +
			" --enforce-plugin-verification --oci-plain-http --repo-retries 1 --allow-failed-releases --otel-tracing list",
		"apply --skip-cleanup" + change,
		"sync" + change,
		"diff" + set + needs + render + show + " --concurrency 1 --enforce-needs-are-installed --detailed-exitcode --template-args=--x --args=--x --reuse-values --reset-values --take-ownership --server-side true",
		"template" + set + needs + render + " --concurrency 1 --enforce-needs-are-installed --output-dir d --output-dir-template t --validate --include-crds --skip-tests --skip-cleanup --no-hooks --skip-schema-validation --kube-version 1.30 --show-only x --template-args=--x --args=--x",
		"lint" + set + needs + " --concurrency 1 --args=--x",
		"unittest" + set + needs + " --concurrency 1 --args=--x --fail-fast --color --debug-plugin",
		"test --concurrency 1 --cleanup --logs --timeout 1 --args=--x",
		"destroy --concurrency 1 --cascade orphan --skip-charts --deleteWait --deleteTimeout 1 --args=--x",
		"status --concurrency 1 --args=--x",
		"list --output json --keep-temp-dir --skip-charts",
		"build --embed-values",
		"print-env --output json",
		"write-values" + set + " --concurrency 1 --output-file-template t",
		"show-dag",
		"deps --skip-repos --concurrency 1 --args=--x",
		"repos --args=--x",
		"fetch --output-dir d --output-dir-template t --write-output --concurrency 1",
		"cache info", "cache cleanup", "init --force", "create demo -o d --force", "version -o yaml",
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, " -")
		t.Run(name, func(t *testing.T) {
			if _, _, err := parse(t, line, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestIdleFlagsAreFlags(t *testing.T) {
	var g grammar
	parser, err := newParser(&g, Env{Lookup: func(string) (string, bool) { return "", false }}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	flags := flagsBelow(parser.Model.Node)
	for _, f := range idleFlags() {
		if flag := flags["--"+f.name]; flag == nil || !flag.Hidden {
			t.Errorf("--%s is no hidden flag of the grammar", f.name)
		}
		if f.effect == "" || f.reason == "" {
			t.Errorf("--%s: say what it does in helmfile, and why nothing here", f.name)
		}
	}
}
