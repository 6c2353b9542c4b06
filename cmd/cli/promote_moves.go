package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/promote"
)

// compare finds what moves of every release, and where it has to be changed.
func (p *promotion) compare(ctx context.Context) error {
	shared, err := p.shared(ctx)
	if err != nil {
		return err
	}
	cache := p.session.cacheDir("sources") + string(filepath.Separator)
	locate := &promote.Locator{
		Spec: p.to.fleet.spec, From: p.From, Shared: shared,
		Fetched: func(file string) bool { return strings.HasPrefix(file, cache) },
	}
	errs := make([]error, len(p.pairs))
	each(len(p.pairs), runtime.GOMAXPROCS(0), func(i int) { errs[i] = p.compareOne(ctx, locate, p.pairs[i]) })
	return errors.Join(errs...)
}

func (p *promotion) compareOne(ctx context.Context, locate *promote.Locator, one *pair) error {
	if one.running.Version == "" {
		p.absent(one)
		return nil
	}
	found, err := p.to.tools.explain(ctx, p.to.fleet, one.to)
	if err != nil {
		return err
	}
	secret, err := p.secret(ctx, one, found.Sources, found.User)
	if err != nil {
		return err
	}
	declared := promote.Declared{Environment: p.To, Version: found.Chart.Version, User: found.User, Final: found.Final, Secret: secret}
	moves, notes, err := promote.Moves(one.running, declared, p.to.fleet.spec.PromotionOf(one.to.File))
	if err != nil {
		return err
	}
	one.notes = append(one.notes, notes...)
	for _, m := range moves {
		place, err := locate.Find(ctx, promote.Release{Release: one.to, Sources: found.Sources}, m)
		if err != nil {
			return fmt.Errorf("finding where %s says %s of %s: %w", p.To, m.Field(), one.to.ID, err)
		}
		one.moves = append(one.moves, promote.Placed{Release: one.to, Move: m, Place: place})
	}
	return nil
}

// absent notes a release that has no deployed revision to take anything from.
func (p *promotion) absent(one *pair) {
	if !one.health.Installed {
		one.notes = append(one.notes, promote.Note{Field: "release", Text: "it is not installed in " + p.From})
	}
}

// secret tells which values come from something encrypted in either environment,
// or are called, or look, like a secret.
func (p *promotion) secret(ctx context.Context, one *pair, to origin.Sources, declared map[string]any) (func(origin.Path, any) bool, error) {
	from, _, err := p.from.fleet.spec.LayersOf(ctx, one.from)
	if err != nil {
		return nil, err
	}
	met := &p.session.secrets.met
	return func(path origin.Path, v any) bool {
		text := fmt.Sprint(v)
		if spec.SecretNamed(path.String()) || spec.SecretWithin(path, v) || spec.SecretText(text) || met.Redact(text) != text {
			return true
		}
		if inSecretElement(one.running.Values, path) || inSecretElement(declared, path) {
			return true
		}
		for _, layers := range [][]origin.Layer{from, to.Layers} {
			if found, ok := origin.Find(layers, path, v); ok && found.Secret {
				return true
			}
		}
		return false
	}, nil
}

// inSecretElement reports whether a path leads through an element of a list whose
// name says that it is a secret.
func inSecretElement(tree map[string]any, path origin.Path) bool {
	for n := range path {
		if element, ok := origin.Lookup(tree, path[:n+1]); ok && path[n].InList && spec.SecretElement(element) {
			return true
		}
	}
	return false
}

// settle makes the changed texts, and looks what comes out of them in every
// environment. A change that has other effects is left to somebody's hand.
func (p *promotion) settle(ctx context.Context) error {
	moves := p.placed()
	surprises, err := p.attempt(ctx, moves)
	if err != nil || len(surprises) == 0 {
		return err
	}
	for _, group := range grouped(moves) {
		alone := slices.Clone(moves)
		for i := range alone {
			if alone[i].Hand == "" && !slices.Contains(group, i) {
				alone[i].Hand = "not now"
			}
		}
		surprises, err := p.attempt(ctx, alone)
		if err != nil {
			return err
		}
		for _, i := range group {
			if len(surprises) > 0 {
				moves[i].Hand = blamed(surprises)
			}
		}
	}
	if surprises, err = p.attempt(ctx, moves); err != nil || len(surprises) == 0 {
		return err
	}
	for i := range moves {
		if moves[i].Hand == "" {
			moves[i].Hand = blamed(surprises)
		}
	}
	_, err = p.attempt(ctx, moves)
	return err
}

func blamed(surprises []promote.Surprise) string {
	var all []string
	for _, s := range surprises {
		all = append(all, s.String())
	}
	if len(all) > 3 {
		all = append(all[:3], fmt.Sprintf("%d more", len(all)-3))
	}
	return "changing it there does not lead to this alone: see " + strings.Join(all, ", ")
}

// placed lists the moves of all releases.
func (p *promotion) placed() []promote.Placed {
	var all []promote.Placed
	for _, one := range p.pairs {
		all = append(all, one.moves...)
	}
	return all
}

// grouped puts the moves together that change the same place.
func grouped(moves []promote.Placed) [][]int {
	var out [][]int
	at := map[string]int{}
	for i, m := range moves {
		if m.Hand != "" {
			continue
		}
		key := fmt.Sprintf("%s\x00%d\x00%s", m.File, m.Doc, m.Place.Path)
		j, known := at[key]
		if !known {
			j = len(out)
			at[key] = j
			out = append(out, nil)
		}
		out[j] = append(out[j], i)
	}
	return out
}

// attempt makes the changed texts and says what they would change that they
// should not. What it finds out about the moves goes to the pairs.
func (p *promotion) attempt(ctx context.Context, moves []promote.Placed) ([]promote.Surprise, error) {
	files, made, err := promote.Edit(moves)
	if err != nil {
		return nil, err
	}
	pins, left, err := promote.Pins(p.to.fleet.spec, p.From, made)
	if err != nil {
		return nil, err
	}
	if pins != nil {
		files = append(files, *pins)
	}
	p.files, p.unpinned = files, left
	rest := made
	for _, one := range p.pairs {
		one.moves, rest = rest[:len(one.moves)], rest[len(one.moves):]
	}
	if len(files) == 0 {
		return nil, nil
	}
	return p.surprises(ctx, made)
}

// surprises loads every environment with the changed texts.
func (p *promotion) surprises(ctx context.Context, made []promote.Placed) ([]promote.Surprise, error) {
	can := slices.DeleteFunc(slices.Clone(made), func(m promote.Placed) bool { return m.Hand != "" })
	out, err := p.against(ctx, p.To, can)
	if err != nil {
		return nil, err
	}
	source, err := p.against(ctx, p.From, nil)
	if err != nil {
		return nil, err
	}
	p.others = nil
	for _, name := range p.to.fleet.spec.Environments() {
		if name == p.From || name == p.To || !p.inUse(ctx, name) {
			continue
		}
		found, err := p.against(ctx, name, nil)
		if err != nil {
			p.others = append(p.others, fmt.Sprintf("whether %s changes as well could not be told: %s", name, p.session.secrets.met.Redact(firstLine(err))))
			continue
		}
		for _, s := range found {
			p.others = append(p.others, "also changes "+s.String())
		}
	}
	return append(out, source...), nil
}

// inUse reports whether an environment is one that people deploy. The default one is
// often defined and never used, and does not load.
func (p *promotion) inUse(ctx context.Context, environment string) bool {
	if environment != spec.DefaultEnvironment {
		return true
	}
	_, _, err := p.session.in(environment, nil).read(ctx, request{})
	return err == nil
}

// against compares what an environment's files say with and without the changes.
func (p *promotion) against(ctx context.Context, environment string, moves []promote.Placed) ([]promote.Surprise, error) {
	before, _, err := p.session.in(environment, nil).read(ctx, request{})
	if err != nil {
		return nil, err
	}
	after, _, err := p.session.in(environment, p.edited()).read(ctx, p.request(environment))
	if err != nil {
		return nil, err
	}
	return promote.Surprises(ctx, before, after, moves)
}

// request loads the target without its pins where some of them could not come
// along.
func (p *promotion) request(environment string) request {
	return request{limit: p.Concurrency, policy: spec.NeedsIgnore, unlocked: environment == p.To && len(p.unpinned) > 0}
}

// edited are the changed texts by the paths of their files.
func (p *promotion) edited() map[string][]byte {
	out := map[string][]byte{}
	for _, f := range p.files {
		out[f.Path] = f.After
	}
	return out
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
