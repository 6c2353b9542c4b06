package view

import (
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

// Gate tells that a release is installed or upgraded, and what it is verified by
// now.
func (h *human) Gate(release spec.ReleaseID, text string) {
	h.mu.Lock()
	live := h.live
	h.mu.Unlock()
	if live != nil {
		live.gate(release, text)
		return
	}
	h.print(fmt.Sprintf("  verifying %s: %s\n", h.names.name(release), text))
}

// gate puts what a release waits for into its row.
func (l *live) gate(release spec.ReleaseID, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.index[release]; ok {
		l.rows[i].gate = text
	}
}

// doing is what happens to a release at the moment.
func (r row) doing() string {
	if r.gate != "" {
		return "verifying: " + r.gate
	}
	doing, _ := verbs(r.step.Action)
	return doing
}

// gateLines tell what a step has to pass before it has ended well.
func gateLines(s plan.Step) []string {
	if !s.Action.Writes() || s.Action.Deletes() {
		return nil
	}
	var lines []string
	if r := s.Release; len(r.Verify) > 0 {
		lines = append(lines, "verified by "+titles(r.Verify))
	}
	if r := s.Release; len(r.GroupVerify) > 0 {
		lines = append(lines, "then the group "+r.AtomicGroup+" by "+titles(r.GroupVerify))
	}
	return lines
}

func titles(gates []spec.Gate) string {
	var all []string
	for _, g := range gates {
		text := g.Title()
		if g.For > 0 {
			text += " for " + g.For.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func (h *human) gates(b *strings.Builder, s plan.Step) {
	for _, line := range gateLines(s) {
		fmt.Fprintf(b, "    %s\n", h.paint(dim, line))
	}
}

// jsonGate is a gate of a step.
type jsonGate struct {
	Gate  string        `json:"gate"`
	Kind  spec.GateKind `json:"kind"`
	Group string        `json:"group,omitempty"`
}

func gatesOf(s plan.Step) []jsonGate {
	if !s.Action.Writes() || s.Action.Deletes() {
		return nil
	}
	var list []jsonGate
	for _, g := range s.Release.Verify {
		list = append(list, jsonGate{Gate: g.Title(), Kind: g.Kind})
	}
	for _, g := range s.Release.GroupVerify {
		list = append(list, jsonGate{Gate: g.Title(), Kind: g.Kind, Group: s.Release.AtomicGroup})
	}
	return list
}

// Gate tells that a release is verified by a gate now.
func (v *jsonView) Gate(release spec.ReleaseID, text string) {
	v.write(struct {
		jsonHeader
		Release jsonID `json:"release"`
		Gate    string `json:"gate"`
	}{v.header("gate"), idOf(release), text})
}
