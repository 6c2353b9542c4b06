package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

func TestAValueThatIsPartOfAnotherHidesAllOfIt(t *testing.T) {
	for _, secrets := range [][]string{
		{"hunter", "hunter-and-gatherer", "ab", "ab-cd"},
		{"ab-cd", "ab", "hunter-and-gatherer", "hunter"},
	} {
		c := &client{secrets: secrets}
		got := c.hide("Secret: hunter-and-gatherer hunter ab-cd ab")
		want := "Secret: " + spec.Masked + " " + spec.Masked + " " + spec.Masked + " " + spec.Masked
		if got != want {
			t.Errorf("of %q got %q", secrets, got)
		}
	}
}

func TestWhatTheClusterTellsShowsNoValueOfASecret(t *testing.T) {
	c := &client{}
	c.keepValue(map[string]any{"data": map[string]any{"p": "c3dvcmRmaXNo", "short": "YWJj"}}) // swordfish, abc
	told := state.Trouble{
		Object:  state.ObjectID{Kind: "Pod", Name: "swordfish"},
		Message: "container main: abc swordfish",
		Events:  []string{`probe of \"swordfish\" failed`},
		Logs:    []state.LogTail{{Pod: "p", Container: "main", Lines: []string{"env P=swordfish", "c3dvcmRmaXNo"}}},
	}
	want := state.Trouble{
		Object:  told.Object,
		Message: "container main: abc " + spec.Masked,
		Events:  []string{`probe of \"` + spec.Masked + `\" failed`},
		Logs:    []state.LogTail{{Pod: "p", Container: "main", Lines: []string{"env P=" + spec.Masked, spec.Masked}}},
	}
	if diff := cmp.Diff(want, told.Reworded(c.redact())); diff != "" {
		t.Error(diff)
	}
	if told.Logs[0].Lines[0] != "env P=swordfish" {
		t.Error("the trouble itself has changed")
	}
}
