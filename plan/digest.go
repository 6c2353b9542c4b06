package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
)

// digestStep is what of a step decides on what it does.
type digestStep struct {
	Release spec.ReleaseID
	Action  Action
	Base    Base
	Chart   string // digest in the chart store
	After   string // digest of the revision that it writes
}

// Digest identifies what a plan does, and what it was decided on: sha256:...
// over its steps that write and its edges. A saved plan that is read again has
// the digest that it had when it was made. It fails where the digest of a revision
// cannot be taken.
func (p *Plan) Digest() (string, error) {
	var steps []digestStep
	for _, s := range p.Steps {
		if !s.Action.Writes() {
			continue
		}
		d := digestStep{Release: s.Release.ID, Action: s.Action}
		var err error
		if d.Base, err = baseOf(s.Have); err == nil && s.After != nil {
			d.Chart = s.After.Chart.Digest
			after := *s.After
			after.Notes = validText(after.Notes) // as it is saved
			d.After, err = after.Digest()
		}
		if err != nil {
			return "", fmt.Errorf("taking the digest of the plan of %s: %w", s.Release.ID, err)
		}
		steps = append(steps, d)
	}
	text, err := json.Marshal([]any{p.Mode, steps, p.Edges})
	if err != nil {
		return "", fmt.Errorf("taking the digest of the plan: %w", err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Wanted identifies what a step makes of its release, whatever it is decided on:
// sha256:... over the revision that it writes, "" of a step that writes none. It
// tells whether the state files still want what a run began. It fails where the
// values cannot be written as JSON.
func (s Step) Wanted() (string, error) {
	if s.After == nil {
		return "", nil
	}
	after := *s.After
	after.Number, after.Status, after.Notes, after.Labels = 0, "", validText(after.Notes), maps.Clone(after.Labels)
	maps.DeleteFunc(after.Labels, func(key, _ string) bool { return strings.HasPrefix(key, "flotilla.sh/") }) // whose it is
	revision, err := after.Digest()
	if err != nil {
		return "", fmt.Errorf("taking the digest of what is wanted of %s: %w", s.Release.ID, err)
	}
	text, err := json.Marshal([]any{revision, after.Chart.Digest, after.CRDs})
	if err != nil {
		return "", fmt.Errorf("taking the digest of what is wanted of %s: %w", s.Release.ID, err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
