package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Digest is a digest of all that is stored of a revision: sha256:... over its
// number, status, chart, values, objects, hooks, labels and time. Two looks at
// one record give the same digest; any write to the record gives another one,
// even if it stores equal objects. CRDs, which no record holds, do not count.
// Saved plans hold digests, so what they are taken over stays as it is.
func (r Revision) Digest() (string, error) {
	content, err := json.Marshal([]any{ // maps are sorted
		r.Number, r.Status, r.Chart.Name, r.Chart.Version, r.Chart.AppVersion, r.Values, r.Stream, hookParts(r.Hooks),
		r.Notes, r.Description, r.Labels, r.Deployed.UnixNano(), r.ApplyMethod,
	})
	if err != nil {
		return "", fmt.Errorf("taking the digest of revision %d: %w", r.Number, err)
	}
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func hookParts(hooks []Hook) []any {
	var parts []any
	for _, h := range hooks {
		parts = append(parts, h.Name, h.Kind, h.Path, h.Manifest, h.Events, h.Weight, h.DeletePolicies)
	}
	return parts
}
