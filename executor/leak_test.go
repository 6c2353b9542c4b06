package executor

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets no run leave a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
