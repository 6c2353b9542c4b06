// Package early sets the garbage collector's pace before anything else of the
// process allocates. Starting up, the libraries of Helm and Kubernetes fill
// tables of about 10 MB and scan all of them twice or more at the default
// pace, which is more than half of the time that "flotilla version" takes
// (docs/performance.md). A run is short and leaves its memory to the system
// when it ends, so the pace stays.
//
// It works because Go starts packages in the order of their import paths as
// soon as what they import has started: this package imports nothing but two
// packages of the standard library, and every heavy table comes after it.
package early

import (
	"os"
	"runtime/debug"
)

// percent is how much the heap may grow before it is collected again.
const percent = 400

var _ = set()

// set says whether the pace was set here, and not by GOGC.
func set() bool {
	if os.Getenv("GOGC") != "" {
		return false
	}
	debug.SetGCPercent(percent)
	return true
}
