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
func (r Revision) Digest() (string, error) {
	r.CRDs = nil
	r.Deployed = r.Deployed.UTC().Round(0)
	content, err := json.Marshal(r) // maps are sorted
	if err != nil {
		return "", fmt.Errorf("taking the digest of revision %d: %w", r.Number, err)
	}
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
