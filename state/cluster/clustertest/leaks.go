package clustertest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// MainWithoutLeaks is Main, and fails when the tests leave goroutines behind that
// are no idle connections.
func MainWithoutLeaks(m *testing.M) { Main(leakless{m}) }

type leakless struct{ m *testing.M }

// Run runs the tests, and looks for goroutines when they have passed.
func (l leakless) Run() int {
	code := l.m.Run()
	if code != 0 {
		return code
	}
	if err := Leaks(); err != nil {
		fmt.Fprintln(os.Stderr, "clustertest: the tests have passed, but goroutines are left:", err)
		return 1
	}
	return 0
}

// Leaks waits a moment for goroutines to end, and names those that do not; nil:
// there are none but those of tests, of idle connections, and of the cluster that
// Start has started. known are others that may stay.
func Leaks(known ...goleak.Option) error {
	return goleak.Find(append(known,
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*http2clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("net/http/internal/http2.(*clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("os/exec.(*Cmd).Start.func2"), // what the cluster says
	)...)
}
