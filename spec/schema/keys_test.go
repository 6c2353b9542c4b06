package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKeysAreAllOfHelmfiles counts the keys that helmfile v1.8.0 reads, with
// flotilla's own added.
func TestKeysAreAllOfHelmfiles(t *testing.T) {
	const (
		own          = 9 // fileOrder, owner, stateNamespace, historyLimit, groups, drift, promotion, prune and deletionBudget
		ownOfRelease = 1 // atomicGroup
	)
	want := map[string]int{
		"": 22 + own, "releases": 88 + ownOfRelease, "helmDefaults": 43, "repositories": 15, "environments": 6,
		"helmfiles": 5, "releases.hooks": 6, "releases.set": 4, "releases.dependencies": 3, "releases.inherit": 2,
		"releases.trackResources": 3, "environments.missingFileHandlerConfig": 1,
		"releases.verify": 2, "releases.verify.gates": 12, "releases.verify.gates.http": 9,
		"releases.verify.gates.prometheus": 7, "releases.verify.gates.test": 2, "groups": 1,
		"drift": 1, "drift.ignore": 7, "promotion": 4,
	}
	got := map[string]int{}
	for _, key := range Keys() {
		parent := ""
		if at := strings.LastIndexByte(key, '.'); at >= 0 {
			parent = key[:at]
		}
		got[parent]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("number of keys by parent (-want +got)\n%s", diff)
	}
}
