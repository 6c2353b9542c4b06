package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

// ErrTaken: somebody else has written the record of this run.
var ErrTaken = errors.New("somebody else has written the record of this run")

// Options are the ways to keep a record. The zero value goes on without one
// where it cannot be written.
type Options struct {
	Required bool // a step whose start cannot be recorded does not start
	Keep     int  // records of an owner in a cluster; zero: 20
	Now      func() time.Time
	// Lost is told once a cluster that its record cannot be written any more. It
	// may be called from several goroutines.
	Lost func(context string, err error)
}

const (
	keepRecords = 20
	// patience is how long a write is tried again, after which the cluster counts
	// as one that takes no records: as long as the requests of steps are, which else
	// would go on unrecorded.
	patience = time.Minute
	// attempt bounds one request.
	attempt = 10 * time.Second
	// linger is how long the end of a step waits for the start of the next one and
	// for the ends of others, so that all are written at once. Whoever goes on with
	// a run that was killed meanwhile finds in the cluster that the step had ended.
	linger = 200 * time.Millisecond
)

func (o Options) withDefaults() Options {
	if o.Keep <= 0 {
		o.Keep = keepRecords
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lost == nil {
		o.Lost = func(string, error) {}
	}
	return o
}

// Target is a cluster that a run writes to, under the name of its context.
type Target struct {
	Context string
	Store   *Store
}

// Log is the record of a run that is under way. What several steps report at one
// moment goes into one write. Each cluster has a copy of the whole record, in which
// the steps of that cluster are always current.
type Log struct {
	opts  Options
	lanes map[string]*lane // by context
	tasks sync.WaitGroup
	stop  chan struct{}
	taken chan struct{}

	mu      sync.Mutex
	run     Run
	index   map[spec.ReleaseID]int
	version int // grows with every change of run
	unclean error
}

// Start writes the record of a run in which every step is pending into all
// clusters. Where that fails Lost is told; if a record is required Start fails and
// leaves none behind. Finish has to be called.
func Start(ctx context.Context, r Run, targets []Target, opts Options) (*Log, error) {
	l := newLog(r, opts)
	for i := range l.run.Steps {
		l.run.Steps[i].State = StatePending
	}
	for i, t := range targets {
		name := NamePrefix + r.ID
		if i > 0 { // two contexts may lead to one cluster
			name = fmt.Sprintf("%s-%d", name, i+1)
		}
		l.lanes[t.Context] = newLane(l, t, name)
	}
	err := l.begin(ctx)
	if err != nil {
		for _, lane := range l.lanes {
			lane.discard(ctx)
		}
	}
	return l, err
}

func newLog(r Run, opts Options) *Log {
	l := &Log{opts: opts.withDefaults(), lanes: map[string]*lane{}, stop: make(chan struct{}), taken: make(chan struct{}), run: r, index: map[spec.ReleaseID]int{}}
	l.run.Outcome, l.run.Finished = OutcomeRunning, time.Time{}
	l.run.Steps = slices.Clone(r.Steps)
	for i := range l.run.Steps {
		l.index[l.run.Steps[i].Release] = i
	}
	return l
}

// begin waits for the first writes, and ends the log where they fail.
func (l *Log) begin(ctx context.Context) error {
	for _, lane := range l.lanes {
		l.tasks.Go(func() { lane.work(ctx) })
	}
	var errs []error
	for _, lane := range l.lanes {
		errs = append(errs, lane.wait(ctx, 0))
	}
	err := errors.Join(errs...)
	if err != nil {
		l.end()
	}
	return err
}

// Taken is closed when somebody else has written the record of the run, such as who
// goes on with it.
func (l *Log) Taken() <-chan struct{} { return l.taken }

// lose closes taken, once; Log.mu is held.
func (l *Log) lose() {
	select {
	case <-l.taken:
	default:
		close(l.taken)
	}
}

// Note changes a step in the record, which is written soon. change replaces what
// the pointers of a step lead to instead of changing it.
func (l *Log) Note(id spec.ReleaseID, change func(*Step)) {
	if lane, _ := l.change(id, change); lane != nil {
		signal(lane.soon)
	}
}

// Commit is Note, and returns when the change is stored in the cluster of the
// release. Its error says that it is not and that the step must not start:
// ErrTaken, the cause of ctx, or any where a record is required.
func (l *Log) Commit(ctx context.Context, id spec.ReleaseID, change func(*Step)) error {
	lane, version := l.change(id, change)
	if lane == nil {
		return nil
	}
	signal(lane.now)
	if err := lane.wait(ctx, version); ctx.Err() != nil {
		return err
	} else if err != nil {
		return fmt.Errorf("recording that %s begins: %w", id, err)
	}
	return nil
}

func (l *Log) change(id spec.ReleaseID, change func(*Step)) (*lane, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, known := l.index[id]
	if !known {
		return nil, 0
	}
	change(&l.run.Steps[i])
	l.version++
	return l.lanes[id.Context], l.version
}

// Amend changes what the record says of the run as a whole, which is written
// soon.
func (l *Log) Amend(change func(*Run)) {
	l.mu.Lock()
	change(&l.run)
	l.version++
	l.mu.Unlock()
	for _, lane := range l.lanes {
		signal(lane.soon)
	}
}

// Settle is Amend, and returns when the change is stored in every cluster. Its
// error is that of Commit.
func (l *Log) Settle(ctx context.Context, change func(*Run)) error {
	l.mu.Lock()
	change(&l.run)
	l.version++
	version := l.version
	l.mu.Unlock()
	var errs []error
	for _, lane := range l.lanes {
		signal(lane.now)
	}
	for _, lane := range l.lanes {
		errs = append(errs, lane.wait(ctx, version))
	}
	return errors.Join(errs...)
}

// Finish writes the end of the run into all clusters, and returns when no
// goroutine is left. Its error says what could not be tidied up: old records
// that stay.
func (l *Log) Finish(ctx context.Context, change func(*Run)) error {
	l.mu.Lock()
	change(&l.run)
	l.version++
	version := l.version
	l.mu.Unlock()
	for _, lane := range l.lanes {
		signal(lane.now)
	}
	for _, lane := range l.lanes {
		_ = lane.wait(ctx, version) // Lost has been told
	}
	l.end()
	return l.unclean
}

func (l *Log) end() {
	close(l.stop)
	l.tasks.Wait()
}

// snapshot is the record as it is now, for one cluster, and its version.
func (l *Log) snapshot(context string) (Run, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.run
	r.Steps = slices.Clone(r.Steps)
	r.Context, r.Updated = context, l.opts.Now().UTC()
	return r, l.version
}

// signal fills a channel of one place; whoever reads it looks at everything.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
