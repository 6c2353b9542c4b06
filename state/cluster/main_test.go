package cluster_test

import (
	"testing"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }
