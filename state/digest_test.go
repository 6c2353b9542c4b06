package state

import (
	"testing"
	"time"
)

func TestDigestOfARevision(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 3, 0, 5, time.UTC)
	base := func() Revision {
		return Revision{Number: 7, Status: StatusDeployed, Values: map[string]any{"a": 1.0, "b": []any{"x"}}, Stream: []byte("---\n"),
			Hooks: []Hook{{Name: "h", Manifest: "kind: Job"}}, Labels: map[string]string{"team": "x"}, Deployed: at}
	}
	want, err := base().Digest()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Revision)
		same   bool
	}{
		{"the same record read once more", func(*Revision) {}, true},
		{"the same moment in another time zone", func(r *Revision) { r.Deployed = at.In(time.FixedZone("x", 3600)) }, true},
		{"CRDs, which no record holds", func(r *Revision) { r.CRDs = []CRDFile{{Path: "a"}} }, true},
		{"another number", func(r *Revision) { r.Number++ }, false},
		{"another status", func(r *Revision) { r.Status = StatusFailed }, false},
		{"another value", func(r *Revision) { r.Values["a"] = 2.0 }, false},
		{"another object", func(r *Revision) { r.Stream = []byte("---\nx") }, false},
		{"another hook", func(r *Revision) { r.Hooks[0].Manifest = "kind: Pod" }, false},
		{"equal objects written later", func(r *Revision) { r.Deployed = at.Add(1) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := base()
			tt.change(&r)
			got, err := r.Digest()
			if err != nil || (got == want) != tt.same {
				t.Errorf("digest %s, %v; want the same as %s: %v", got, err, want, tt.same)
			}
		})
	}
}
