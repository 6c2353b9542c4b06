package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
)

// Options says what cluster to run. Zero values mean 2 nodes, 3 minutes and no
// audit log.
type Options struct {
	Nodes   int
	Timeout time.Duration
	Audit   string // file that gets a line for each request to the API server
}

func (o Options) withDefaults() Options {
	if o.Nodes <= 0 {
		o.Nodes = 2
	}
	if o.Timeout <= 0 {
		o.Timeout = 3 * time.Minute
	}
	return o
}

// Supervise runs the cluster of dir in this process and its children until ctx
// ends or a Down asks for it; then nothing of it is left running. It calls
// ready once, when Pods can run. If it cannot get there it stops everything
// and returns why, with the last lines of the log of the component to blame. The
// folder stays locked until release is called, or this process ends: whoever waits for
// a process to be gone waits for that. release is never nil.
func Supervise(ctx context.Context, dir string, o Options, ready func()) (release func() error, err error) {
	l := layout(dir)
	if err := l.create(); err != nil {
		return func() error { return nil }, err
	}
	lock, err := ownLock(ctx, l.lock())
	if err != nil {
		return func() error { return nil }, fmt.Errorf("starting the cluster in %s: %w", dir, err)
	}
	return lock.Close, supervise(ctx, l, o.withDefaults(), ready)
}

func supervise(ctx context.Context, l layout, o Options, ready func()) (err error) {
	s, err := newSupervisor(l, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	control, err := serveControl(s, cancel)
	if err != nil {
		return err
	}
	defer control.close()

	if err := s.ensure(ctx); err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	return nil
}

// supervisor owns the processes of a cluster.
type supervisor struct {
	layout   layout
	options  Options
	settings components.Settings
	spawner  *spawner

	// working is held while components are started or stopped, which may take
	// long; mu guards processes, for moments only.
	working   sync.Mutex
	mu        sync.Mutex
	processes map[components.Name]*process
}

func newSupervisor(l layout, o Options) (*supervisor, error) {
	settings, err := prepare(l)
	if err != nil {
		return nil, fmt.Errorf("preparing the data folder: %w", err)
	}
	if o.Audit != "" {
		settings.AuditPolicy, settings.AuditLog = l.audit(), o.Audit
	}
	spawner, err := newSpawner(l)
	if err != nil {
		return nil, err
	}
	return &supervisor{
		layout: l, options: o, settings: settings, spawner: spawner,
		processes: map[components.Name]*process{},
	}, nil
}

// ensure starts what does not run, resumes what is paused, and waits until
// Pods can run.
func (s *supervisor) ensure(ctx context.Context) error {
	s.working.Lock()
	defer s.working.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, s.options.Timeout,
		fmt.Errorf("not ready after %s", s.options.Timeout))
	defer cancel()
	for _, name := range components.All() {
		if p := s.get(name); p != nil && p.alive() && p.isPaused() {
			if err := p.resume(); err != nil {
				return err
			}
		}
		if err := s.startOne(ctx, name); err != nil {
			return err
		}
	}
	return s.watched(ctx, components.All(), func(ctx context.Context) error {
		return waitForPodsToRun(ctx, s.layout, s.settings.Ports, s.options.Nodes)
	})
}

// start starts one component unless it runs, and waits until it serves.
func (s *supervisor) start(ctx context.Context, name components.Name) error {
	s.working.Lock()
	defer s.working.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, s.options.Timeout,
		fmt.Errorf("not serving after %s", s.options.Timeout))
	defer cancel()
	return s.startOne(ctx, name)
}

func (s *supervisor) startOne(ctx context.Context, name components.Name) error {
	if p := s.get(name); p == nil || !p.alive() {
		args, err := components.Args(name, s.settings)
		if err != nil {
			return err
		}
		p, err := s.spawner.spawn(name, args)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.processes[name] = p
		s.mu.Unlock()
	}
	return s.watched(ctx, []components.Name{name}, func(ctx context.Context) error {
		return waitToServe(ctx, name, s.layout, s.settings.Ports)
	})
}

// watched runs wait, which is cut short when one of the components dies; the
// error then tells which and why.
func (s *supervisor) watched(ctx context.Context, names []components.Name, wait func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, name := range names {
		p := s.get(name)
		go func() {
			select {
			case <-p.done:
				cancel(fmt.Errorf("%s died (%s); the end of its log %s:\n%s", name,
					p.cmd.ProcessState, s.layout.log(string(name)), lastLines(s.layout.log(string(name)))))
			case <-ctx.Done():
			}
		}()
	}
	err := wait(ctx)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return err
}

func (s *supervisor) get(name components.Name) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.processes[name]
}

// signal pauses, resumes or kills a running component. It does not wait for a
// start that goes on: a test may want to disturb it.
func (s *supervisor) signal(action Action, name components.Name) error {
	p := s.get(name)
	if p == nil || !p.alive() {
		return fmt.Errorf("%s does not run", name)
	}
	switch action {
	case Pause:
		return p.pause()
	case Resume:
		return p.resume()
	case Kill:
		p.kill()
		return nil
	default:
		return fmt.Errorf("cannot %q a component", action)
	}
}

// stop ends all components, the last first. Only etcd has something to write.
func (s *supervisor) stop() error {
	s.working.Lock()
	defer s.working.Unlock()
	names := components.All()
	slices.Reverse(names)
	for _, name := range names {
		p := s.get(name)
		switch {
		case p == nil || !p.alive():
		case name == components.Etcd:
			p.stop(5 * time.Second)
		default:
			p.kill()
		}
	}
	s.spawner.close()
	if err := os.Remove(s.layout.supervisor()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the supervisor's address: %w", err)
	}
	return nil
}

func (s *supervisor) status() Status {
	status := Status{Supervisor: os.Getpid()}
	for _, name := range components.All() {
		c := ComponentStatus{Name: name, State: Dead, Log: s.layout.log(string(name))}
		if p := s.get(name); p != nil && p.alive() {
			c.State, c.PID = Running, p.cmd.Process.Pid
			if p.isPaused() {
				c.State = Paused
			}
		}
		status.Components = append(status.Components, c)
	}
	return status
}
