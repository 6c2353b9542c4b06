package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/engine/chart"
	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/file"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// identities open saved plans that are encrypted.
type identities struct {
	Identity []string `sep:"none" placeholder:"FILE" help:"File of an age identity that opens an encrypted plan; may be repeated."`
}

type showCmd struct {
	format
	showFlags
	identities
	Plan string `arg:"" name:"plan" help:"A file that plan -o wrote."`
}

// Run shows a saved plan as it was shown when it was made. It needs no cluster.
func (c *showCmd) Run(s *session) error {
	saved, _, err := s.readPlan(c.Plan, c.identities)
	if err != nil {
		return err
	}
	look := c.show(c.format)
	look.Saved = saved
	s.view.Plan(saved.Plan, look)
	return nil
}

// readPlan reads a saved plan, and keeps its secrets from being printed.
func (s *session) readPlan(path string, with identities) (*plan.Saved, map[string][]byte, error) {
	saved, charts, err := s.unpackPlan(path, with)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the plan %s: %w", path, err)
	}
	s.secrets.met.Learn(saved.Secrets)
	s.reports.saved(saved)
	return saved, charts, nil
}

func (s *session) unpackPlan(path string, with identities) (*plan.Saved, map[string][]byte, error) {
	data, err := file.Read(path)
	if err != nil {
		return nil, nil, err
	}
	s.planFile, s.planPath = digestOf(data), path
	var keys []string
	for _, name := range with.Identity {
		key, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, fmt.Errorf("reading an identity: %w", err)
		}
		keys = append(keys, string(key))
	}
	if data, err = file.Decrypt(data, keys); err != nil {
		return nil, nil, err
	}
	return file.Unpack(data)
}

// applySaved executes a saved plan. It looks at nothing but the file and the
// cluster.
func (s *session) applySaved(ctx context.Context, c *applyCmd) error {
	if err := s.onlyOfTheRun(c.asRun()...); err != nil {
		return err
	}
	saved, archives, err := s.readPlan(c.Plan, c.identities)
	if err != nil {
		return err
	}
	from := savedPlan{saved, archives}
	if c.Replan {
		return s.applyRenewed(ctx, c, from)
	}
	if err := s.sameClusters(ctx, saved); err != nil {
		return err
	}
	p, err := s.onto(ctx, saved)
	if err != nil {
		return err
	}
	look := c.show(c.format)
	look.Saved = saved
	s.view.Plan(p, look)
	return s.executeSaved(ctx, c, &renewed{savedPlan: from, plan: p})
}

// asRun are further flags that applying a saved plan takes.
func (c *applyCmd) asRun() []string {
	if c.Replan {
		return []string{"file"}
	}
	return nil
}

// onto looks at the cluster once, and refuses a plan that it has moved away
// from.
func (s *session) onto(ctx context.Context, saved *plan.Saved) (*plan.Plan, error) {
	have := state.Snapshot{}
	if ids := saved.Touched(); len(ids) > 0 {
		var err error
		if have, err = s.clusters().Read(ctx, ids); err != nil {
			return nil, interrupted(ctx, err)
		}
	}
	p, err := saved.Onto(have)
	if err == nil || errors.Is(err, state.ErrStale) {
		err = errors.Join(err, s.movedLive(ctx, saved, have, staleReleases(err)))
	}
	if errors.Is(err, state.ErrStale) {
		return nil, errors.Join(errors.New("the plan is stale: nothing was written; plan anew, or give --replan to plan just these releases anew"), err)
	}
	return p, err
}

// imported gives a store with the charts of a plan and nothing else: it has no
// cache and asks no network.
func imported(archives map[string][]byte) (*chart.Store, error) {
	store := chart.NewStore(chart.Options{Freshness: chart.Offline})
	for _, digest := range slices.Sorted(maps.Keys(archives)) {
		c, err := store.Import(archives[digest])
		if err != nil {
			return nil, err
		}
		if c.Digest != digest {
			return nil, fmt.Errorf("%w: what should be chart %s is %s", file.ErrDamaged, digest, c.Digest)
		}
	}
	return store, nil
}

func (s *session) frozen(saved *plan.Saved) frozenHooks {
	h := frozenHooks{
		runner: hooks.New(hooks.Options{NoExec: s.noHooks(), Output: s.hookLine}),
		of:     map[spec.ReleaseID][]hooks.Frozen{},
	}
	for _, one := range saved.Hooks {
		h.of[one.Release] = one.Hooks
	}
	return h
}

// onlyOfTheRun refuses flags that say what is wanted, but for some: a saved plan
// has decided that.
func (s *session) onlyOfTheRun(but ...string) error {
	flags := flagsBelow(s.parser.Model.Node)
	var others []string
	for _, name := range slices.Sorted(maps.Keys(s.given)) {
		if !slices.Contains(ofTheRun(), name) && !slices.Contains(but, name) && !flags["--"+name].Hidden {
			others = append(others, "--"+name)
		}
	}
	if len(others) > 0 {
		return fmt.Errorf("%w: a saved plan is applied as it is: give %s to plan", errUsage, strings.Join(others, ", "))
	}
	return nil
}
