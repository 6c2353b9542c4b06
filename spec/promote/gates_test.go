package promote

import (
	"strings"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

func TestRefusals(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	rules := spec.Promotion{Soak: 2 * time.Hour, Pos: spec.Pos{File: "helmfile.yaml", Line: 3}}
	fine := Health{Environment: "dev", Installed: true, Status: "deployed", Number: 4, Deployed: now.Add(-3 * time.Hour)}
	tests := []struct {
		name   string
		change func(*Health)
		want   string
	}{
		{"nothing speaks against it", func(*Health) {}, ""},
		{"it is not there", func(h *Health) { h.Installed = false }, "it is not installed in dev"},
		{"it has failed", func(h *Health) { h.Failed, h.Status, h.Why = true, "failed", "timed out" }, "its revision 4 in dev is failed: timed out"},
		{"it has drifted", func(h *Health) { h.Drift = []string{"a", "b", "c", "d", "e"} }, "it has drifted in dev: a; b; c; and 2 more"},
		{"it is not healthy", func(h *Health) { h.Unready = []string{"x: 0 of 1"} }, "it is not healthy in dev: x: 0 of 1"},
		{"it has not soaked", func(h *Health) { h.Deployed = now.Add(-35 * time.Minute) }, "it has run for 35m in dev, and promotion.soak (helmfile.yaml:3) wants 2h: it may move from 2026-05-01 13:25 UTC on"},
		{"all of it is told", func(h *Health) { h.Drift, h.Unready = []string{"a"}, []string{"b"} }, "it has drifted in dev: a|it is not healthy in dev: b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := fine
			tt.change(&h)
			if got := strings.Join(h.Refusals(rules, now), "|"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestOutOfOrder(t *testing.T) {
	rules := spec.Promotion{Order: []string{"dev", "stage", "prod"}, Pos: spec.Pos{File: "f", Line: 1}}
	tests := map[[2]string]string{
		{"dev", "stage"}: "", {"stage", "prod"}: "",
		{"dev", "prod"}:  "promotion.order (f:1) has stage between them: promote dev to stage first",
		{"prod", "dev"}:  "promotion.order (f:1) has dev before prod",
		{"dev", "test"}:  "test is not in promotion.order (f:1): dev, stage, prod",
		{"test", "prod"}: "test is not in promotion.order (f:1): dev, stage, prod",
	}
	for pair, want := range tests {
		if got := OutOfOrder(rules, pair[0], pair[1]); got != want {
			t.Errorf("%v: got %q, want %q", pair, got, want)
		}
	}
	if got := OutOfOrder(spec.Promotion{}, "prod", "dev"); got != "" {
		t.Errorf("without an order: %q", got)
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 5 * time.Second: "5s", 90 * time.Second: "1m", 2 * time.Hour: "2h", 150 * time.Minute: "2h30m", 49 * time.Hour: "2d", 47*time.Hour + 30*time.Second: "47h",
	} {
		if got := Age(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}
