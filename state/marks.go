package state

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
)

// Labels that release records of Helm have beside OwnerLabel.
const (
	// SourceLabel says through which state file or folder a release was written
	// last: OwnerValue of spec.Source.
	SourceLabel = "flotilla.sh/source"
	// FileLabel says which of its files declared the release then: OwnerValue of
	// spec.SourceOf. Records of earlier versions lack it.
	FileLabel = "flotilla.sh/file"
	// NeedsLabel says what a release needed when it was written last: NeedsValue.
	NeedsLabel = "flotilla.sh/needs"
)

// marksInLabel is how many marks of needs a value of a label has room for.
const marksInLabel = 9

// NeedsValue is needs as the value of a label: a mark of each. Those for which
// there is no room are left out; empty: there are none.
func NeedsValue(needs []spec.Need) string {
	var marks []string
	for _, n := range needs {
		marks = append(marks, mark(n.ID))
	}
	slices.Sort(marks)
	marks = slices.Compact(marks)
	return strings.Join(marks[:min(len(marks), marksInLabel)], ".")
}

// Needed reports whether a release that has a value of NeedsLabel needed another
// one.
func Needed(value string, id spec.ReleaseID) bool {
	return slices.Contains(strings.Split(value, "."), mark(id))
}

// mark is short for a release. The name of its context is not the same everywhere,
// and does not count.
func mark(id spec.ReleaseID) string {
	sum := sha256.Sum256([]byte(id.Namespace + "/" + id.Name))
	return hex.EncodeToString(sum[:3])
}
