package state

import (
	"crypto/sha256"
	"encoding/hex"
)

// OwnerLabel is the label that says whose something is that flotilla wrote:
// release records of Helm, and records of runs. Its value is OwnerValue of
// spec.Owner.
const OwnerLabel = "flotilla.sh/owner"

// OwnerValue is the id of an owner as the value of a label: as it is where it may
// be one, else a digest of it.
func OwnerValue(owner string) string {
	if isLabelValue(owner) {
		return owner
	}
	sum := sha256.Sum256([]byte(owner))
	return "sha256-" + hex.EncodeToString(sum[:16])
}

// isLabelValue follows the rules of Kubernetes for values of labels.
func isLabelValue(text string) bool {
	for i, c := range []byte(text) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		inside := i > 0 && i < len(text)-1 && (c == '-' || c == '_' || c == '.')
		if !alphanumeric && !inside {
			return false
		}
	}
	return len(text) <= 63
}
