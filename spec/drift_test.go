package spec

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRulesOfDriftAreRead(t *testing.T) {
	s := mustLoad(t, map[string]string{
		"helmfile.yaml": `drift:
  ignore:
  - {kind: Deployment, name: "web-*", namespace: shop, pointer: /spec/replicas, manager: keda*, reason: KEDA scales it, expires: 2026-12-31}
  - pointer: /metadata/annotations/a~1b~0c
    reason: " set by an operator "
helmfiles: [nested.yaml]
`,
		"nested.yaml": "drift: {ignore: [{kind: ConfigMap, reason: r}]}\n",
	}, LoadOptions{})
	got := s.DriftIgnores()
	for i := range got {
		got[i].Pos = Pos{Line: got[i].Pos.Line}
	}
	want := []DriftIgnore{
		{Kind: "ConfigMap", Reason: "r", Pos: Pos{Line: 1}},
		{Kind: "Deployment", Name: "web-*", Namespace: "shop", Pointer: []string{"spec", "replicas"}, Manager: "keda*", Reason: "KEDA scales it",
			Expires: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC), Pos: Pos{Line: 3}, File: 1},
		{Pointer: []string{"metadata", "annotations", "a/b~c"}, Reason: "set by an operator", Pos: Pos{Line: 4}, File: 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if got := want[1].String(); got != "kind Deployment, name web-*, namespace shop, pointer /spec/replicas, manager keda*" {
		t.Errorf("it is named %q", got)
	}
	if got := want[2].String(); got != "pointer /metadata/annotations/a~1b~0c" {
		t.Errorf("it is named %q", got)
	}
	if !want[1].Holds(s, 0) || !want[1].Holds(s, 1) || want[0].Holds(s, 1) {
		t.Error("a rule counts for releases of its file and of those below it")
	}
}

func TestRulesOfDriftExpireAtTheEndOfTheirDay(t *testing.T) {
	day := time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)
	rule := DriftIgnore{Expires: day}
	if rule.Expired(day.Add(24*time.Hour-time.Second)) || !rule.Expired(day.Add(24*time.Hour)) || (DriftIgnore{}).Expired(day) {
		t.Error("a rule counts until its day is over, and one without a day always does")
	}
}

func TestMistakesInRulesOfDrift(t *testing.T) {
	tests := []struct{ name, rule, want string }{
		{"no reason", "{kind: Deployment}", "helmfile.yaml:3:5: drift.ignore[0]: reason is missing"},
		{"nothing to match", "{reason: r}", "it would ignore everything"},
		{"a bad glob", `{name: "[", reason: r}`, `"[" is no glob such as web-*`},
		{"no pointer", "{pointer: spec.replicas, reason: r}", `pointer "spec.replicas" is no JSON pointer such as /spec/replicas`},
		{"the pointer to the whole", "{pointer: /, reason: r}", `pointer "/" is no JSON pointer`},
		{"a bad escape", "{pointer: /a~2b, reason: r}", "a ~ of a key is written as ~0, and a / as ~1"},
		{"no day", "{kind: Pod, reason: r, expires: next week}", `expires "next week" is no day: write it as 2026-12-31`},
		{"an unknown key", "{kind: Pod, reasons: r}", "reasons"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(t, map[string]string{"helmfile.yaml": "drift:\n  ignore:\n  - " + tt.rule + "\n"}, LoadOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
