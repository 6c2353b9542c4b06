package cli

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/journal"
)

func TestARunIsPutTogetherFromItsCopies(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	// record is a copy that was written that many seconds after the start, when the
	// steps of its contexts had come that far.
	record := func(context string, seconds int, of, states string) *journal.Run {
		r := &journal.Run{ID: "r", Context: context, Updated: at.Add(time.Duration(seconds) * time.Second)}
		for i, name := range of {
			state := journal.StateDone
			if states[i] == '.' {
				state = journal.StatePending
			}
			r.Steps = append(r.Steps, journal.Step{Release: spec.ReleaseID{Context: string(name), Name: "x"}, State: state})
		}
		return r
	}
	tests := []struct {
		name     string
		contexts []string
		found    [][]*journal.Run
		want     string // contexts, and d for each step that is done
	}{
		{"of two clusters", []string{"a", "b"}, [][]*journal.Run{{record("a", 5, "ab", "d.")}, {record("b", 9, "ab", ".d")}}, "a b dd"},
		{"of a cluster that the run called otherwise", []string{"b"}, [][]*journal.Run{{record("a", 5, "ab", "d.")}}, "b d."},
		{"of two contexts that lead to one cluster", []string{"a", "b"},
			[][]*journal.Run{{record("a", 9, "ab", "d."), record("b", 5, "ab", "..")}, {record("a", 9, "ab", "d."), record("b", 5, "ab", "..")}}, "a b d."},
		{"of a cluster that has here the name that another one had there", []string{"a", "b"},
			[][]*journal.Run{nil, {record("a", 5, "ab", "d.")}}, "b d."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			called(tt.contexts, tt.found)
			var all []*journal.Run
			for _, found := range tt.found {
				all = append(all, found...)
			}
			runs := merged(all)
			got := ""
			for _, r := range runs {
				for _, context := range r.contexts {
					got += context + " "
				}
				for _, step := range r.Steps {
					if step.State == journal.StateDone {
						got += "d"
					} else {
						got += "."
					}
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
