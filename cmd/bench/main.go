// Command bench measures flotilla, with lock and journal and without ("bare"),
// beside a floor program and, where they are on the PATH, helmfile (with helm and
// its diff plugin) and helmwave: the same releases, in one cluster, in turn. What
// it prints it also writes as text and as JSON. docs/performance.md tells how to
// read it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are what the user says.
type options struct {
	flotilla, floor, devcluster string // paths of binaries
	kubeconfig                  string // empty: a cluster of its own
	out                         string // without ending; empty: nothing is written

	sizes       []int
	sets        []string
	works       []string
	rounds      int // timed runs of flotilla and the floor
	otherRounds int // timed runs of the others, which take long
	otherUpTo   int // releases up to which the others run
	keep        bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.flotilla, "flotilla", "bin/flotilla", "path of flotilla")
	f.StringVar(&o.floor, "floor", "bin/floor", "path of the floor program, cmd/bench/floor")
	f.StringVar(&o.devcluster, "devcluster", "bin/devcluster", "path of devcluster, which starts a cluster for the run")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "use this cluster instead")
	f.StringVar(&o.out, "out", "bin/bench", "write OUT.txt and OUT.json; empty: nothing")
	sizes := f.String("sizes", "10,50", "numbers of releases")
	sets := f.String("sets", "plain,mixed", "what is released: plain is the chart of helm create, mixed has subcharts and 20 objects a release")
	works := f.String("works", "diff,change,install", "what is measured: a diff without changes, an apply with one change, a first apply without waiting")
	f.IntVar(&o.rounds, "rounds", 5, "timed runs of flotilla and the floor; the median counts")
	f.IntVar(&o.otherRounds, "other-rounds", 1, "timed runs of the other tools; 0 leaves them out")
	f.IntVar(&o.otherUpTo, "other-up-to", 50, "releases up to which the other tools run")
	f.BoolVar(&o.keep, "keep", false, "keep the folder with cluster and state files, and print its path")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.sets, o.works = strings.Split(*sets, ","), strings.Split(*works, ",")
	for size := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 || n > 9999 {
			return o, fmt.Errorf("reading -sizes: %q is no number from 1 to 9999", size)
		}
		o.sizes = append(o.sizes, n)
	}
	if o.rounds < 1 || f.NArg() > 0 {
		return o, errors.New("it takes flags only, and -rounds of at least 1")
	}
	return o, nil
}

func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "flotilla-bench-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(os.Stderr, "bench: all is in", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if o.kubeconfig == "" {
		down, err := o.up(ctx, filepath.Join(dir, "cluster"))
		if err != nil {
			return err
		}
		defer down()
	}
	b, err := newBench(o, dir)
	if err != nil {
		return err
	}
	defer b.proxy.Close()
	results, err := b.all(ctx)
	if err != nil {
		return err
	}
	return o.report(results)
}

// up starts a cluster and makes it the one of the run.
func (o *options) up(ctx context.Context, dir string) (down func(), err error) {
	fmt.Fprintln(os.Stderr, "bench: starting a cluster")
	start := exec.CommandContext(ctx, o.devcluster, "up", "--dir", dir)
	start.Stderr = os.Stderr
	if err := start.Run(); err != nil {
		return nil, fmt.Errorf("starting a cluster: %w", err)
	}
	o.kubeconfig = filepath.Join(dir, "kubeconfig")
	args := []string{"down", "--dir", dir}
	if !o.keep {
		args = append(args, "--purge")
	}
	return func() {
		if err := exec.Command(o.devcluster, args...).Run(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: stopping the cluster:", err)
		}
	}, nil
}

// report tells what the figures depend on, and writes the files.
func (o *options) report(results []result) error {
	circumstances := about(time.Now())
	fmt.Printf("\n%s\n", circumstances)
	if o.out == "" {
		return nil
	}
	data, err := encode(results, circumstances)
	if err != nil {
		return err
	}
	return errors.Join(
		os.MkdirAll(filepath.Dir(o.out), 0o755),
		os.WriteFile(o.out+".txt", []byte(text(results, circumstances)), 0o644),
		os.WriteFile(o.out+".json", data, 0o644),
	)
}
