package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/flotilla-sh/flotilla/spec"
)

// maxCA bounds a file of certificates.
const maxCA = 1 << 20

// Gates renders the gates of a release; those of a group have none (nil), and see
// no .Release. Their templates see what a hook's do, without .Event. Files of
// certificates are read, so that what comes out needs no file. Errors are
// *spec.Error, all joined.
func (r *Runner) Gates(ctx context.Context, rel *spec.Release, gates []spec.Gate) ([]spec.Gate, error) {
	data := r.data("", rel, nil)
	delete(data, "Event")
	data["Values"] = r.opts.File.Values
	var out []spec.Gate
	var errs []error
	for _, g := range gates {
		g, err := r.gate(ctx, g, data)
		if err != nil {
			errs = append(errs, &spec.Error{Pos: g.Pos, Field: "verify", Err: err})
			continue
		}
		out = append(out, g)
	}
	return out, errors.Join(errs...)
}

func (r *Runner) gate(ctx context.Context, g spec.Gate, data map[string]any) (spec.Gate, error) {
	var errs []error
	g = g.Texts(func(key, text string) string {
		out, err := r.opts.Render(ctx, text, data)
		if err != nil {
			errs = append(errs, fmt.Errorf("rendering %s: %w", key, err))
		}
		return out
	})
	if err := errors.Join(errs...); err != nil {
		return g, err
	}
	if err := g.Check(); err != nil {
		return g, err
	}
	for _, reach := range []*spec.Reach{&g.HTTP.Reach, &g.Prometheus.Reach} {
		if reach.CAFile == "" {
			continue
		}
		pem, err := readCA(r.abs(reach.CAFile))
		if err != nil {
			return g, fmt.Errorf("caFile: %w", err)
		}
		reach.CA, reach.CAFile = pem, ""
	}
	if g.Kind == spec.GateCommand {
		g.Command.Dir = r.opts.File.Dir
	}
	return g, nil
}

func (r *Runner) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.opts.File.Dir, path)
}

func readCA(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxCA+1))
	if err == nil && len(text) > maxCA {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxCA)
	}
	return string(text), err
}

// EventVerify is the event in the lines of a program that a gate starts. No hook
// listens to it.
const EventVerify spec.HookEvent = "verify"

// Program is something that a gate starts, without a shell.
type Program struct {
	Name string // in the lines of its output
	Argv []string
	Env  []string // NAME=value, on top of our own environment
	Dir  string   // absolute; the program runs there
	Show bool     // its output is for Options.Output
	// Hide takes secrets out of a line of its output; nil: there are none.
	Hide func(line string) string
}

// Start runs a program as a hook runs. It gives its last lines, at most 20. The
// error is ErrNoExec where programs may not be started.
func (r *Runner) Start(ctx context.Context, p Program) ([]string, error) {
	if err := r.startable(ctx); err != nil {
		return nil, err
	}
	said := &Error{Event: EventVerify, Hook: p.Name}
	err := r.start(ctx, process{argv: p.Argv, env: p.Env, dir: p.Dir, show: p.Show, hide: p.Hide}, said)
	return said.Output, err
}
