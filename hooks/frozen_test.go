//go:build unix

package hooks_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/spec"
)

func TestFrozenHooksStartWhatWasRendered(t *testing.T) {
	tests := []struct {
		name  string
		text  string
		event spec.HookEvent
		cause error
		want  string
	}{
		{"what a template saw when it was frozen", "{{.Release.Name}} {{.Values.size}} {{.Event.Name}}", spec.EventPreSync, nil, "web large presync"},
		{"no failure", "{{if .Event.Error}}failed{{else}}fine{{end}}", spec.EventPostSync, nil, "fine"},
		{"a failure that was not known yet", "{{.Event.Name}}: {{.Event.Error}}!", spec.EventPostSync, errors.New("it broke"), "postsync: it broke!"},
		{"a failure in quotes", `{{printf "%q" (print .Event.Error)}}`, spec.EventPostUninstall, errors.New("it broke"), `"it broke"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.script(t, "write.sh", `printf '%s' "$1" > out`)
			hook := spec.Hook{Events: []spec.HookEvent{tt.event}, Command: "./write.sh", Args: []string{tt.text}}
			frozen, err := f.Freeze(t.Context(), []spec.HookEvent{spec.EventPreApply, tt.event}, web(), []spec.Hook{hook})
			if err != nil || len(frozen) != 1 {
				t.Fatalf("froze %v, %v", frozen, err)
			}
			later := hooks.New(hooks.Options{Render: func(context.Context, string, any) (string, error) { return "", errors.New("rendered again") }})
			if err := later.FireFrozen(t.Context(), spec.EventPreApply, frozen, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(f.dir + "/out"); err == nil {
				t.Fatal("it ran at another event")
			}
			if err := later.FireFrozen(t.Context(), tt.event, frozen, tt.cause); err != nil {
				t.Fatal(err)
			}
			if got := f.read(t, "out"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFreezeTellsAllTemplatesThatFail(t *testing.T) {
	f := newFixture(t, nil)
	events := []spec.HookEvent{spec.EventPreSync}
	_, err := f.Freeze(t.Context(), events, web(), []spec.Hook{
		{Name: "one", Events: events, Command: "{{.No}}"},
		{Name: "two", Events: events, Command: "true", Args: []string{"{{.Neither}}"}},
	})
	for _, want := range []string{`running hook "one" at presync: rendering its command`, `running hook "two" at presync: rendering its argument 1`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
}

func TestFrozenHooksAreNotStartedWhereProgramsMayNot(t *testing.T) {
	f := newFixture(t, func(o *hooks.Options) { o.NoExec = true })
	err := f.FireFrozen(t.Context(), spec.EventPreSync, []hooks.Frozen{{Event: spec.EventPreSync, Name: "h", Argv: []string{"true"}}}, nil)
	if !errors.Is(err, hooks.ErrNoExec) {
		t.Errorf("error %v, want %v", err, hooks.ErrNoExec)
	}
}
