package stress

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

// blow is when a process is killed.
type blow struct {
	kind  string // of written.kind: which writes are counted; "any": all; "": none
	nth   int
	after bool          // the server has carried it out
	at    time.Duration // of no kind: after that time
}

func (b blow) String() string {
	switch {
	case b.kind == "":
		return "after " + b.at.String()
	case b.after:
		return fmt.Sprintf("right after write %d (%s)", b.nth, b.kind)
	default:
		return fmt.Sprintf("right before write %d (%s)", b.nth, b.kind)
	}
}

// TestKilledRunsAreFinishedOrUndone kills processes of flotilla in the middle of an
// apply that would succeed, and of one that would be undone: right before and
// right after writes, and at random moments. What resume makes of that is what an
// uninterrupted run would have ended in, or what was there before.
func TestKilledRunsAreFinishedOrUndone(t *testing.T) {
	t.Parallel()
	c := clustertest.Start(t)
	refusing(t, c)
	first := firstSeed()
	for i := range rounds(t, 2) {
		seed := first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			k := newKills(t, c, seed)
			k.before = k.bring()
			ailing := []bool{i%2 == 1}
			if long() {
				ailing = []bool{false, true}
			}
			for _, ails := range ailing {
				k.all(t, ails)
			}
		})
	}
}

// kills is an environment whose runs are killed again and again.
type kills struct {
	*round
	wire    *wire // the process that is killed has it for its own
	before  snapshot
	healthy environment
	next    environment
}

func newKills(t *testing.T, c *clustertest.Cluster, seed uint64) *kills {
	r := newRound(t, c, seed, size(8, 5))
	r.kubeconfig = lay(t, c, "").kubeconfig // under whose context the killed runs know the releases
	return &kills{round: r, wire: lay(t, c, "")}
}

// all kills runs at each of a number of moments.
func (k *kills) all(t *testing.T, ails bool) {
	k.healthy = k.base.changed(k.rng)
	k.next = k.healthy
	if ails {
		at := len(k.next.releases) - 1
		k.next = k.next.wounded(k.rng, at, woundRefused, k.before)
	}
	blows := k.blows()
	for i, b := range blows {
		t.Logf("kill %d of %d: %s", i+1, len(blows), b)
		k.once(t, ails, b)
		if t.Failed() {
			return
		}
	}
}

// blows are the moments: a run that is not killed tells how many there are.
func (k *kills) blows() []blow {
	k.Helper()
	k.next.write(k, k.dir)
	k.wire.disturb(faults{})
	e := site{k.dir, k.wire.kubeconfig}.run(k, "apply", "-o", "json", "--suppress-diff")
	if e.code != 0 && e.code != 6 {
		k.Fatalf("without a kill: %s\n%s", e, e.stdout)
	}
	count := map[string]int{}
	for _, w := range k.wire.log() {
		count[w.kind()]++
		count["any"]++
	}
	k.Logf("a run of %s writes %v", e.took.Round(time.Millisecond), count)
	k.reset()
	var all []blow
	for _, kind := range []string{"journal", "any"} {
		for n := range count[kind] {
			all = append(all, blow{kind: kind, nth: n + 1}, blow{kind: kind, nth: n + 1, after: true})
		}
	}
	for range 50 {
		all = append(all, blow{at: rand.N(e.took)})
	}
	k.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if n := *blowsFlag; n > 0 {
		all = all[:min(len(all), n)]
	} else if !long() {
		all = all[:min(len(all), 5)]
	}
	return all
}

// reset brings the base back, by an ordinary apply.
func (k *kills) reset() {
	k.Helper()
	k.base.write(k, k.dir)
	k.must(k, 0, "apply", "--suppress-diff")
	k.before = k.look(k, k.base)
	// What the changed version had more is nowhere declared now.
	for name := range k.before.releases {
		if !declares(k.base, name) {
			k.drop(name)
		}
	}
	k.before = k.look(k, k.base)
}

// once kills one run, and has it finished or undone. Sometimes what finishes it is
// killed, too.
func (k *kills) once(t *testing.T, ails bool, b blow) {
	k.next.write(t, k.dir)
	scope := "plan"
	if ails {
		scope = scopes[k.rng.IntN(len(scopes))]
	}
	first := k.killed(t, b, "apply", "-o", "json", "--suppress-diff", "--rollback", scope)
	again := []string{"resume", "-o", "json", "--suppress-diff"}
	undo := k.rng.IntN(2) == 0
	if undo {
		again = append(again, "--undo")
	}
	what := fmt.Sprintf("%v killed %s (ended with %d)", first.args, b, first.code)
	all := []ended{first}
	for range k.rng.IntN(3) {
		b := blow{kind: "any", nth: 1 + k.rng.IntN(25), after: k.rng.IntN(2) == 0}
		k.must(t, 0, "unlock", "--yes", "--reason", "killed on purpose")
		e := k.killed(t, b, again...)
		all, what = append(all, e), what+fmt.Sprintf(", %v killed %s (ended with %d)", e.args, b, e.code)
	}
	k.must(t, 0, "unlock", "--yes", "--reason", "killed on purpose")
	last := k.run(t, again...)
	all, what = append(all, last), what+fmt.Sprintf(", %v ended with %d", last.args, last.code)
	if undo && last.code == 3 { // it may be too late: the run was done, but for its last act
		last = k.run(t, "resume", "-o", "json", "--suppress-diff")
		all, what = append(all, last), what+fmt.Sprintf(", %v ended with %d", last.args, last.code)
		undo = last.code == 3
	}
	is := k.look(t, k.next)
	none(t, what+": soundness", is.sound())
	back, done := k.ends(t, is, all)
	switch {
	case last.code == 3: // it had not begun, or had ended
		if ails && scope != "plan" && !undo {
			break
		}
		if len(back) > 0 && len(done) > 0 {
			none(t, what+": there is nothing to go on with, but it is not as before", back)
			none(t, "and not as wanted", done)
		}
	case undo, ails && scope == "plan":
		none(t, what+": not as before", back)
		if last.code != 0 && last.code != 6 {
			t.Errorf("%s: want exit code 0 or 6", what)
		}
	case ails:
		none(t, what+": not as it says", byOutcome(k.next, k.before, is, reportOf(t, last)))
		if last.code != 1 && last.code != 6 {
			t.Errorf("%s: want exit code 1 or 6", what)
		}
	default:
		none(t, what+": not as wanted", done)
		if last.code != 0 {
			t.Errorf("%s: want exit code 0", what)
		}
	}
	if t.Failed() {
		for _, e := range all {
			t.Logf("%s\n%s", e, e.stdout)
		}
		return
	}
	if len(back) > 0 {
		k.reset()
	} else {
		k.before = is
	}
}

// ends tells how a cluster differs from how it was, and from what is wanted, when
// some processes have worked on one run.
func (k *kills) ends(t *testing.T, is snapshot, all []ended) (back, done []string) {
	var notUndone []string
	for _, e := range all {
		for _, one := range lines[report](t, e.stdout, "report") {
			notUndone = append(notUndone, one.NotUndone...)
		}
	}
	return asBefore(k.before, is, notUndone), allAsWanted(k.next, is, nil)
}

// killed calls flotilla, and kills it.
func (k *kills) killed(t *testing.T, b blow, args ...string) ended {
	var victim atomic.Pointer[process]
	var seen atomic.Int64
	kill := func() {
		for victim.Load() == nil { // it has just been started
			time.Sleep(time.Millisecond)
		}
		victim.Load().kill()
	}
	counts := func(n int, r *http.Request) bool {
		return n > 0 && (b.kind == "any" || b.kind == written{method: r.Method, path: r.URL.Path}.kind()) && int(seen.Add(1)) == b.nth
	}
	f := faults{}
	switch {
	case b.kind == "":
	case b.after:
		f.after = func(n int, r *http.Request) bool {
			if counts(n, r) {
				kill()
				return false
			}
			return true
		}
	default:
		f.before = func(n int, r *http.Request) *http.Response {
			if counts(n, r) {
				kill()
				return cutOff()
			}
			return nil
		}
	}
	k.wire.disturb(f)
	p := site{k.dir, k.wire.kubeconfig}.start(t, args...)
	victim.Store(p)
	if b.kind == "" {
		timer := time.AfterFunc(b.at, p.kill)
		defer timer.Stop()
	}
	e := p.wait()
	k.wire.disturb(faults{})
	return e
}

func declares(e environment, name id) bool {
	for _, r := range e.releases {
		if r.id == name {
			return true
		}
	}
	return false
}

// drop removes a release that the base does not have.
func (k *kills) drop(name id) {
	k.Helper()
	only := environment{prefix: k.base.prefix, releases: nil}
	for _, r := range k.next.releases {
		if r.id == name {
			r.needs = nil
			only.releases = append(only.releases, r)
		}
	}
	only.write(k, k.dir)
	k.must(k, 0, "destroy")
	k.base.write(k, k.dir)
}
