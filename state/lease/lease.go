// Package lease excludes runs of one owner from each other: one Lease of
// coordination.k8s.io an owner and cluster, renewed while the run goes on, and
// known by its holder to be lost before anybody else can have it.
//
// # Decisions
//
// Whether a lease has expired is told by the clock of the API server alone: by
// when it stored the last renewal, which is in the object's managed fields, and
// by what time it is there now. Clocks of the machines that runs are on may
// differ. A holder counts from the moment in which it sent its last successful
// renewal, and gives up a margin earlier than anybody else may take over; it
// asks both the monotonic clock, which nobody sets, and the other one, which
// goes on while a machine sleeps. From then on it does not write, and tries to renew
// over the very version that it wrote last: when that succeeds nobody had the lock in
// between, and it goes on. It gives the lock up for lost when it sees that somebody
// has it, that the Lease is gone, or no server for as long again as a lease lasts;
// and when it was this process that stood still while the Lease ran out: whoever
// stopped it has others in mind by now. What is lost stays lost.
//
// A lease that is given back stays, without a holder: whoever comes next needs
// no right to delete, and who broke it last stays to be seen.
package lease

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

var (
	// ErrHeld: another run has the lock; a *HeldError says which.
	ErrHeld = errors.New("locked by another run")
	// ErrLost: this run has the lock no more and must not write.
	ErrLost = errors.New("the lock is lost")
	// ErrFree: there is no lock to break.
	ErrFree = errors.New("nobody holds the lock")
)

// Duration is how long a lease lasts after its last renewal.
const Duration = time.Minute

// skew is what the clock of a server, which tells seconds, may be wrong by.
const skew = 2 * time.Second

// Holder is a run that has, or wants, a lock. It holds no secret.
type Holder struct {
	Run     string    // different for every run
	User    string    // empty: unknown
	Host    string    // empty: unknown
	PID     int       // process, on Host
	Job     string    // URL of the job that the run is part of; empty: none
	Command string    // what it does, such as "apply"
	Since   time.Time // when it took the lock, by its own clock
}

// String says who, from where, and for what.
func (h Holder) String() string {
	who := h.User
	if h.Host != "" {
		who = strings.TrimPrefix(who+"@"+h.Host, "@")
	}
	if who == "" {
		who = h.Run
	}
	var more []string
	if h.PID > 0 {
		more = append(more, fmt.Sprintf("process %d", h.PID))
	}
	if h.Job != "" {
		more = append(more, h.Job)
	}
	if len(more) > 0 {
		who += " (" + strings.Join(more, ", ") + ")"
	}
	if h.Command != "" {
		who += " for " + h.Command
	}
	if !h.Since.IsZero() {
		who += " since " + h.Since.UTC().Format(time.RFC3339)
	}
	return who
}

// identity is how the Lease names the holder, before what tells it from others of
// that name.
func (h Holder) identity() string {
	return fmt.Sprintf("%s@%s/%d/%s", h.User, h.Host, h.PID, h.Run)
}

// Held is a lock that somebody holds.
type Held struct {
	Context string
	Holder  Holder
	Expires time.Duration // from now, unless it is renewed; negative: it has expired

	identity string // as the Lease has it
}

// HeldError says who holds the lock. It is ErrHeld.
type HeldError struct {
	Held
	Owner  spec.Owner
	Waited time.Duration
}

// Error names the holder and what can be done.
func (e *HeldError) Error() string {
	waited := ""
	if e.Waited > 0 {
		waited = fmt.Sprintf(" for %s now", e.Waited.Round(time.Second))
	}
	return fmt.Sprintf("context %s: locked%s by %s; its lease lasts %s more unless it is renewed: wait with --lock-timeout, or, if that run is gone, break the lock with flotilla unlock (owner: %s)",
		e.Context, waited, e.Holder, e.Expires.Round(time.Second), e.Owner.ID)
}

// Is makes it ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Break is who broke a lock, when and why.
type Break struct {
	By     string // as Holder.String tells it
	At     time.Time
	Reason string // empty: none was given
}

// String tells it in one line.
func (b *Break) String() string {
	if b == nil {
		return "broken by nobody knows whom"
	}
	text := fmt.Sprintf("broken by %s at %s", b.By, b.At.UTC().Format(time.RFC3339))
	if b.Reason != "" {
		text += ": " + b.Reason
	}
	return text
}

// name is that of an owner's Lease: IDs are no names of objects.
func name(owner spec.Owner) string {
	sum := sha256.Sum256([]byte(owner.ID))
	return "flotilla-" + hex.EncodeToString(sum[:10])
}

// The annotations of a Lease. Those of the holder stay when it gives the lease
// back, those of who broke it until it is broken again.
const (
	annotationOwner   = "flotilla.sh/owner"
	annotationUser    = "flotilla.sh/user"
	annotationHost    = "flotilla.sh/host"
	annotationPID     = "flotilla.sh/pid"
	annotationRun     = "flotilla.sh/run"
	annotationJob     = "flotilla.sh/job"
	annotationCommand = "flotilla.sh/command"
	annotationSince   = "flotilla.sh/since"

	annotationBroken       = "flotilla.sh/broken"        // RFC 3339
	annotationBrokenBy     = "flotilla.sh/broken-by"     // identity
	annotationBrokenReason = "flotilla.sh/broken-reason" // may be empty
	annotationBrokenHolder = "flotilla.sh/broken-holder" // identity of who lost it
)
