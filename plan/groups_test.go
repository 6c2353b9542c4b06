package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// grouped plans installs, as lines such as "web@shop: db": web is in the group
// shop, whose gates it has to pass, and needs db.
func grouped(text string) (*Plan, error) {
	in := Input{Want: map[spec.ReleaseID]*state.Revision{}}
	for line := range strings.Lines(text) {
		name, needs, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, group, _ := strings.Cut(name, "@")
		r := spec.Release{ID: spec.ReleaseID{Name: name}, Index: len(in.Releases), Installed: true, AtomicGroup: group}
		if group != "" {
			r.GroupVerify = []spec.Gate{{Kind: spec.GateTest, Group: group}}
		}
		for _, n := range strings.Fields(needs) {
			r.Needs = append(r.Needs, spec.Need{ID: spec.ReleaseID{Name: n}})
		}
		in.Releases = append(in.Releases, r)
		in.Want[r.ID] = revision(name, "new")
	}
	return Build(in)
}

func TestWhatNeedsAMemberWaitsForTheGroup(t *testing.T) {
	tests := []struct{ name, releases, want string }{
		{"for every member", "a@g\nb@g\nc: a", "a -> c (needs), b -> c (gates of a group)"},
		{"members do not wait for each other", "a@g\nb@g: a", "a -> b (needs)"},
		{"through a release that is between", "a@g\nb@g\nx: a\nc: x", "a -> x (needs), x -> c (needs), b -> x (gates of a group)"},
		{"a group without gates is none", "a\nb\nc: a", "a -> c (needs)"},
		{"two groups", "a@g\nb@g\nc@h: a\nd@h\ne: d", "a -> c (needs), d -> e (needs), b -> c (gates of a group), c -> e (gates of a group)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := grouped(tt.releases)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range p.Edges {
				got = append(got, fmt.Sprintf("%s -> %s (%s)", e.From, e.To, e.Kind))
			}
			if d := cmp.Diff(tt.want, strings.Join(got, ", ")); d != "" {
				t.Errorf("edges (-want +got):\n%s", d)
			}
		})
	}
}

func TestAReleaseBetweenTwoMembersIsAnError(t *testing.T) {
	_, err := grouped("a@g\nx: a\nb@g: x")
	const want = "put it into the group, too): needs form a cycle: x -> b -> x"
	if !errors.Is(err, ErrCycle) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	_, err = grouped("a@g: b\nb: a")
	if !errors.Is(err, ErrCycle) || strings.Contains(err.Error(), "group") {
		t.Errorf("error %v, want nothing about the group", err)
	}
}

func TestSameGates(t *testing.T) {
	one := spec.Release{Verify: []spec.Gate{{Kind: spec.GateCommand, Pos: spec.Pos{Line: 3}, Command: spec.GateCommandRun{Argv: []string{"a"}}}}}
	moved, other, group := one, one, one
	moved.Verify = []spec.Gate{one.Verify[0]}
	moved.Verify[0].Pos.Line, moved.Verify[0].Command.Env = 9, map[string]string{}
	other.Verify = []spec.Gate{one.Verify[0]}
	other.Verify[0].Command.Argv = []string{"b"}
	group.GroupVerify = one.Verify
	if !SameGates(one, moved) {
		t.Error("another line of the file makes other gates")
	}
	if SameGates(one, other) || SameGates(one, group) || SameGates(one, spec.Release{}) {
		t.Error("other gates are the same")
	}
}
