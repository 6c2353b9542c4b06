// Command flotilla runs many Helm releases as one unit. This package holds
// what only a process has: signals, streams and the exit code.
package main

import (
	"context"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/flotilla-sh/flotilla/cmd/cli"
	_ "github.com/flotilla-sh/flotilla/cmd/flotilla/early" // before everything heavy
)

// version is set by the linker; a plain go install takes the module's.
var version string

func main() { os.Exit(run()) }

func run() int {
	// Whoever reads our output may go away; that must not end a run in the middle.
	signal.Ignore(syscall.SIGPIPE)
	silence()
	ctx, abort, stop := interruptible()
	defer stop()
	return cli.Run(ctx, os.Args[1:], cli.Env{
		Stdin:   os.Stdin,
		Streams: cli.Terminal(os.Stdout, os.Stderr),
		Lookup:  os.LookupEnv,
		Now:     time.Now,
		Version: versions(),
		Abort:   abort,
	})
}

// silence takes the word from libraries that print by themselves: what matters
// of it comes back as an error or a warning.
func silence() {
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	klog.SetLogger(logr.Discard())
}

// interruptible gives a context that the first SIGINT or SIGTERM cancels, with
// the signal as its cause, and a channel that the second one closes. A third
// one ends the process as if nobody listened.
func interruptible() (ctx context.Context, abort <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 3)
	again := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	var once sync.Once
	go func() {
		first := true
		for {
			select {
			case s := <-signals:
				if first {
					first = false
					cancel(cli.Interrupt{Signal: s})
					continue
				}
				once.Do(func() { close(again) })
				signal.Stop(signals)
			case <-done:
				return
			}
		}
	}()
	return ctx, again, func() { signal.Stop(signals); close(done); cancel(nil) }
}

func versions() cli.Version {
	v := cli.Version{Flotilla: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if v.Flotilla == "" {
		v.Flotilla = info.Main.Version
	}
	for _, d := range info.Deps {
		if d.Path == "helm.sh/helm/v4" {
			v.Helm = d.Version
		}
	}
	return v
}
