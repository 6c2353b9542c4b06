package plan

import (
	"strings"
	"testing"
)

func TestDecodeRefusesPlansThatCannotBeExecuted(t *testing.T) {
	node := func(name string) Node { return Node{Release: id(name)} }
	tests := []struct {
		name   string
		change func(*Saved)
		want   string
	}{
		{"another mode", func(s *Saved) { s.Plan.Mode = ModeDestroy }, `its mode is "destroy"`},
		{"an unknown action", func(s *Saved) { s.Plan.Steps[0].Action = "explode" }, `c/n/db: the action "explode" is unknown`},
		{"an action of an undo", func(s *Saved) { s.Plan.Steps[0].Action = ActionRemove }, "c/n/db: the action remove is not one of a plan"},
		{"an install of nothing", func(s *Saved) { s.Plan.Steps[0].After = nil }, "c/n/db: it does not say what to install"},
		{"an uninstall of something", func(s *Saved) { s.Plan.Steps[0].Action = ActionUninstall }, "c/n/db: there is something to apply in an uninstall"},
		{"a release twice", func(s *Saved) { s.Plan.Steps = append(s.Plan.Steps, s.Plan.Steps[0]) }, `the release "c/n/db" is in it twice`},
		{"a release without a name", func(s *Saved) { s.Plan.Steps[0].Release.ID.Name = "" }, "has no name"},
		{"a base that is missing", func(s *Saved) { s.Bases = s.Bases[1:] }, "it does not say of every release what it was decided on"},
		{"a base with a long history", func(s *Saved) { s.Bases[0].Revisions = make([]BaseRevision, 3) }, "c/n/db: it was decided on 3 revisions"},
		{"an edge to nowhere", func(s *Saved) { s.Plan.Edges[0].To = node("x") }, `an edge names the release "c/n/x"`},
		{"an edge without a reason", func(s *Saved) { s.Plan.Edges[0].Kind = "" }, `the reason "" of an edge is unknown`},
		{"a cycle", func(s *Saved) {
			s.Plan.Edges = append(s.Plan.Edges, Edge{From: node("web"), To: node("db"), Kind: EdgeNeeds})
		}, "needs form a cycle"},
		{"steps in another order", func(s *Saved) {
			s.Plan.Steps[0], s.Plan.Steps[1] = s.Plan.Steps[1], s.Plan.Steps[0]
			s.Bases[0], s.Bases[1] = s.Bases[1], s.Bases[0]
		}, "its steps are not in the order that its edges ask for"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Build(input("db:\nweb: db"))
			if err != nil {
				t.Fatal(err)
			}
			s := saved(t, p)
			if _, err := decodeAgain(s); err != nil {
				t.Fatalf("the plan itself: %v", err)
			}
			tt.change(s)
			if _, err := decodeAgain(s); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func decodeAgain(s *Saved) (*Saved, error) {
	data, err := Encode(s)
	if err != nil {
		return nil, err
	}
	return Decode(data)
}

func TestDecodeRefusesTextsThatTakeMemory(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"many steps", `{"Steps":[` + strings.Repeat("{},", maxSteps+1) + `{}]}`, "one of its lists has more than"},
		{"many elements", `{"Steps":[{"After":{"Values":{"a":[` + strings.Repeat("[],", maxElements/2+1) + `[]]}}}]}`, "it has more than"},
		{"deep nesting", `{"Steps":[{"After":{"Values":{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}}}]}`, "it is nested deeper than"},
		{"brackets in texts, which cost nothing", `{"Flotilla":"` + strings.Repeat(`[\"`, maxDepth+1) + `"}`, "its mode is"},
		{"a text without end", `{"Flotilla":"\`, "decoding the plan"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Decode([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	in := input("web:")
	deep := any("x")
	for range maxDepth {
		deep = []any{deep}
	}
	in.Want[id("web")].Values = map[string]any{"a": deep}
	p, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Encode(saved(t, p)); err == nil || !strings.Contains(err.Error(), "nested deeper") {
		t.Errorf("error %v, want one of nesting", err)
	}
}
