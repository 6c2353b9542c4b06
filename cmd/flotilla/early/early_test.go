package early

import (
	"runtime/debug"
	"testing"
)

func TestSetLeavesGOGCToTheUser(t *testing.T) {
	t.Setenv("GOGC", "77")
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	if set() {
		t.Error("set the pace although GOGC says one")
	}
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("the pace is %d, want the user's 77", got)
	}
	t.Setenv("GOGC", "")
	if !set() {
		t.Error("left the default pace")
	}
	if got := debug.SetGCPercent(77); got != percent {
		t.Errorf("the pace is %d, want %d", got, percent)
	}
}
