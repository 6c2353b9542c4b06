package cli

import (
	"regexp"
	"strconv"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
)

// planLook is how a plan is compared and shown.
type planLook struct {
	show    view.PlanOptions
	compare diff.Options
}

// look puts what flags of Helm say of showing on top of the command's flags.
func (f *fleet) look(d diffFlags, o format) planLook {
	l := planLook{d.show(o), d.compare()}
	for _, call := range f.calls {
		for _, shows := range call.shows {
			shows(&l)
		}
	}
	return l
}

func (p *argsParser) shows(f func(*planLook)) { p.call.shows = append(p.call.shows, f) }

// outputFlags are those that say what is printed.
func outputFlags() map[string]helmFlag {
	context := helmFlag{do: func(p *argsParser, value string) error {
		n, err := strconv.Atoi(value)
		p.shows(func(l *planLook) { l.show.Context = n })
		return err
	}}
	showOnly := helmFlag{do: func(p *argsParser, value string) error {
		p.call.showOnly = append(p.call.showOnly, value)
		return nil
	}}
	return map[string]helmFlag{
		"--context": context, "-C": context,
		"--suppress": {do: func(p *argsParser, value string) error {
			p.shows(func(l *planLook) { l.show.Suppress = append(l.show.Suppress, value) })
			return nil
		}},
		"--suppress-secrets": sign(func(p *argsParser) {
			p.shows(func(l *planLook) { l.show.Suppress = append(l.show.Suppress, "Secret") })
		}),
		"--show-secrets": sign(func(p *argsParser) { p.shows(func(l *planLook) { l.compare.ShowSecrets = true }) }),
		"--no-hooks": sign(func(p *argsParser) {
			p.call.noHooks = true
			p.change(func(r *spec.Release) { r.Options.DisableHooks = true })
			p.shows(func(l *planLook) { l.compare.NoHooks = true })
		}),
		"--suppress-output-line-regex": {do: func(p *argsParser, value string) error {
			p.call.lines = append(p.call.lines, value)
			_, err := regexp.Compile(value)
			return err
		}},
		"--show-only":    showOnly,
		"-s":             showOnly,
		"--include-crds": sign(func(p *argsParser) { p.call.includeCRDs = true }),
		"--skip-tests":   sign(func(p *argsParser) { p.call.skipTests = true }),
		"--validate":     sign(func(p *argsParser) { p.call.server = true }),
		"--strict":       sign(func(p *argsParser) { p.call.strict = true }),
		"--debug":        sign(func(p *argsParser) { p.call.debug = true }),
	}
}

// sign is a flag without a value that does something unless it says =false.
func sign(do func(*argsParser)) helmFlag {
	return helmFlag{bare: true, then: "true", do: func(p *argsParser, value string) error {
		on, err := strconv.ParseBool(value)
		if on {
			do(p)
		}
		return err
	}}
}

// heldFlags ask for what always holds here, or for what the command's own
// flags decide.
func heldFlags() map[string]helmFlag {
	held := helmFlag{bare: true, then: "true", do: func(*argsParser, string) error { return nil }}
	all := map[string]helmFlag{}
	for _, name := range []string{
		"--install", "-i", "--dependency-update", "--render-subchart-notes", "--hide-notes", "--ignore-not-found",
		"--normalize-manifests", "--strip-trailing-cr", "--include-tests", "--allow-unreleased", "--color", "--no-color",
	} {
		all[name] = held
	}
	return all
}
