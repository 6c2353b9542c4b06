package cli

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

// FuzzCanonical wants that the command line of a command in its one form stays
// as it is, so that nothing typed is read in two ways.
func FuzzCanonical(f *testing.F) {
	f.Add("-nns\x00apply\x00-qi\x00--selector\x00-x")
	f.Add("template\x00-n=ns\x00--\x00--help")
	f.Add("diff\x00--set=a=b\x00word\x00--no-color")
	f.Add("apply\x00--\x00-x")
	f.Add("create\x00x\x00--output-dir")
	f.Add("list\x00-qq-")
	var g grammar
	env := Env{
		Streams: view.Streams{Out: io.Discard, Err: io.Discard},
		Now:     time.Now,
		Lookup:  func(string) (string, bool) { return "", false },
	}
	parser, err := newParser(&g, env, func(int) {})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, "\x00")
		typed := slices.Clone(args)
		once := canonical(parser.Model.Node, args)
		if diff := cmp.Diff(typed, args); diff != "" {
			t.Errorf("the arguments were changed\n%s", diff)
		}
		if len(once.extra) > 0 || len(once.args) == 0 || slices.Contains(typed, "--") || strings.HasPrefix(once.args[0], "-") || slices.Contains(once.args, "--help") {
			return // words were dropped, or commands were words, or the help was put in
		}
		again := canonical(parser.Model.Node, slices.Clone(once.args))
		if !slices.Equal(once.args, again.args) {
			t.Errorf("%q became %q, and that %q", typed, once.args, again.args)
		}
	})
}

func TestWordsAreNotReadAsFlags(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"a word after two dashes", "create -- --force", "create -- --force"},
		{"a last flag without its value", "create demo --output-dir", "create demo --output-dir"},
		{"a dash among letters", "apply -q-", "apply --quiet ---"},
		{"a single dash", "apply - -q", "apply - --quiet"},
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
