package cli

import (
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

// TestOneCommandReadsAsTheWholeGrammar parses command lines by the grammar that
// grammarFor picks and by the whole one: the same command and values must come
// out, or the same mistake.
func TestOneCommandReadsAsTheWholeGrammar(t *testing.T) {
	env := Env{
		Streams: view.Streams{Out: io.Discard, Err: io.Discard}, Now: time.Now,
		Lookup: func(name string) (string, bool) { return "from-env", name == "HELMFILE_ENVIRONMENT" },
	}
	exit := func(int) {}
	tests := []struct {
		name string
		args []string
	}{
		{"a command alone", []string{"list"}},
		{"flags before and after", []string{"-e=prod", "-l", "a=b", "template", "--skip-tests", "--set", "k=v"}},
		{"a flag of the command before it", []string{"--detailed-exitcode", "diff", "--context", "5"}},
		{"a value that is the name of another command", []string{"-e", "list", "template"}},
		{"a value that is the name of the only command", []string{"-e", "list"}},
		{"a flag of another command", []string{"list", "--rollback", "none"}},
		{"a flag of another command with a value, first", []string{"--cascade", "orphan", "diff"}},
		{"an unknown flag", []string{"apply", "--rolback", "none"}},
		{"words after the command", []string{"status", "web"}},
		{"a bad value", []string{"apply", "--rollback", "all"}},
		{"a command with a file", []string{"apply", "prod.plan", "--identity", "key"}},
		{"a name with a dash", []string{"print-env", "--output", "json"}},
		{"commands below a command", []string{"cache", "info"}},
		{"a command that has a default below it", []string{"history", "-o", "json"}},
		{"an alias", []string{"ver", "-o", "json"}},
		{"no command", []string{"-q"}},
		{"an unknown command", []string{"aply"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var whole, one grammar
			full, err := newParser(&whole, env, exit)
			if err != nil {
				t.Fatal(err)
			}
			want := canonical(full.Model.Node, tt.args)
			wantCtx, wantErr := full.Parse(want.args)
			parser, got, err := grammarFor(&one, env, tt.args, exit)
			if err != nil {
				t.Fatal(err)
			}
			gotCtx, gotErr := parser.Parse(got.args)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(commandLine{})); diff != "" && wantErr == nil {
				t.Errorf("command line (-whole +one)\n%s", diff)
			}
			if message(wantErr) != message(gotErr) {
				t.Errorf("error %q, by the whole grammar %q", message(gotErr), message(wantErr))
			}
			if wantErr == nil && wantCtx.Command() != gotCtx.Command() {
				t.Errorf("command %q, by the whole grammar %q", gotCtx.Command(), wantCtx.Command())
			}
			if diff := cmp.Diff(whole.Globals, one.Globals, cmp.AllowUnexported(Globals{})); diff != "" && wantErr == nil {
				t.Errorf("global flags (-whole +one)\n%s", diff)
			}
		})
	}
}

func TestOnlyCommandFindsSimpleCommands(t *testing.T) {
	known := commands(&grammar{})
	for _, name := range []string{"apply", "print-env", "write-values", "version"} {
		if got, ok := onlyCommand(known, []string{"-e", "prod", name}); !ok || got != name {
			t.Errorf("got %q, %v, want %s", got, ok, name)
		}
	}
	for _, args := range [][]string{{}, {"list", "build"}, {"list", "--help"}, {"completion", "bash"}, {"cache", "info"}} {
		if got, ok := onlyCommand(known, args); ok {
			t.Errorf("%q is taken for %q alone", args, got)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
