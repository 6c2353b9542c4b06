package state

import (
	"strings"
	"testing"
)

func TestOwnersAsValuesOfLabels(t *testing.T) {
	for owner, same := range map[string]bool{"": true, "team-a.prod": true, "team, environment prod": false, "-a": false, "a-": false, strings.Repeat("a", 64): false} {
		got := OwnerValue(owner)
		if (got == owner) != same || !isLabelValue(got) {
			t.Errorf("OwnerValue(%q) = %q", owner, got)
		}
	}
}
