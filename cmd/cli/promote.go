package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/promote"
)

// promoteFormat is format for a command whose results are files, too.
type promoteFormat struct {
	Output string `short:"o" enum:"text,json,patch,markdown" default:"text" help:"Output format: text, json, patch (for git apply), markdown (the body of a pull request)."`
}

const (
	formatPatch    = "patch"
	formatMarkdown = "markdown"
)

// format is the one that the view has: of a patch, stdout holds nothing else.
func (f promoteFormat) format() format {
	if f.Output == formatJSON {
		return format(f)
	}
	return format{}
}

type promoteCmd struct {
	promoteFormat
	concurrency
	showFlags
	From     string   `arg:"" optional:"" help:"Environment that runs what is to be promoted."`
	To       string   `arg:"" optional:"" help:"Environment whose files are to say it."`
	Releases []string `arg:"" optional:"" help:"Releases: NAME or NAMESPACE/NAME. Default: all that are selected."`
	Write    bool     `help:"Change the files."`
	Force    bool     `help:"Go on although a release has failed, has drifted, is not healthy or has not soaked, or a step of the order is skipped; needs --reason."`
	Reason   string   `placeholder:"TEXT" help:"Why --force is right; it becomes part of the patch and of the body."`
	Status   bool     `help:"Show what runs in every environment: version, image, age and drift of every release."`
}

// errByHand says that not everything could be changed.
var errByHand = errors.New("not everything can be changed here")

// Run moves what runs in one environment into the files of another one.
func (c *promoteCmd) Run(ctx context.Context, s *session) error {
	if err := c.check(s); err != nil {
		return err
	}
	if c.Status {
		return c.status(ctx, s)
	}
	from, err := s.side(ctx, c, c.From)
	if err != nil {
		return err
	}
	to, err := s.side(ctx, c, c.To)
	if err != nil {
		return err
	}
	return from.tools.around(ctx, from.fleet, func(f *fleet) error {
		from.fleet = f
		return to.tools.around(ctx, to.fleet, func(f *fleet) error {
			to.fleet = f
			return (&promotion{promoteCmd: c, session: s, from: from, to: to}).run(ctx)
		})
	})
}

func (c *promoteCmd) check(s *session) error {
	why := ""
	switch {
	case s.given["environment"]:
		why = "promote takes its environments as words, such as promote dev prod, and not by -e"
	case s.globals.File == "-":
		why = "a state file from standard input cannot be changed: name it with -f"
	case c.Status && (c.From != "" || c.Write || c.Force):
		why = "--status shows all environments: it takes none, and changes nothing"
	case c.Status && (c.Output == formatPatch || c.Output == formatMarkdown):
		why = "--status has the formats text and json"
	case c.Status:
	case c.To == "":
		why = "say from which environment to which: promote dev prod"
	case c.From == c.To:
		why = "an environment cannot be promoted to itself"
	case c.Force && strings.TrimSpace(c.Reason) == "":
		why = "--force needs --reason TEXT, for whoever reads the change"
	case c.Reason != "" && !c.Force:
		why = "--reason says why --force is right: give both, or none"
	}
	if why != "" {
		return fmt.Errorf("%w: %s", errUsage, why)
	}
	return nil
}

// promotion is one run between two environments.
type promotion struct {
	*promoteCmd
	session  *session
	from, to *side

	pairs []*pair
	files []promote.File
	notes []string
	plan  *plan.Plan

	refused  []string         // what speaks against all of it
	unpinned []spec.ReleaseID // whose pins in the lock file could not come along
	others   []string         // what changes in other environments
}

// pair is one release in both environments.
type pair struct {
	from, to spec.Release
	health   promote.Health
	running  promote.Running
	chart    string
	refused  []string
	moves    []promote.Placed
	notes    []promote.Note
}

func (p *promotion) run(ctx context.Context) error {
	if err := p.match(); err != nil {
		return err
	}
	if err := p.look(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if err := p.compare(ctx); err != nil {
		return interrupted(ctx, err)
	}
	p.judge()
	if !p.goes() {
		if err := p.print(); err != nil {
			return err
		}
		return told{exitRefused}
	}
	if err := p.settle(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if err := p.foresee(ctx); err != nil {
		return interrupted(ctx, fmt.Errorf("planning %s with the changed files, of which none was written: %w", p.To, err))
	}
	if c := p.Write && len(p.files) > 0; c {
		if err := promote.Write(p.files); err != nil {
			return err
		}
	}
	if err := p.print(); err != nil {
		return err
	}
	return p.leftover()
}

// goes reports whether nothing speaks against it, or somebody insists.
func (p *promotion) goes() bool {
	if len(p.refused) > 0 && !p.Force {
		return false
	}
	for _, one := range p.pairs {
		if len(one.refused) > 0 && !p.Force {
			return false
		}
	}
	return true
}

// leftover is the error of what has to be done by hand.
func (p *promotion) leftover() error {
	byHand := 0
	for _, one := range p.pairs {
		for _, m := range one.moves {
			if m.Hand != "" {
				byHand++
			}
		}
	}
	if byHand == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of the values have to be changed by hand, as shown", errByHand, byHand)
}

// print shows the result in the format that was asked for.
func (p *promotion) print() error {
	s := p.session
	shown := p.shown()
	out := s.env.Streams.Out
	switch p.Output {
	case formatPatch:
		if shown.Refused() || len(p.files) == 0 {
			return s.tell(strings.TrimRight(view.PromotionText(shown), "\n"))
		}
		return view.Text(out, s.secrets.met.Redact(p.heading())+promote.Patch(p.files, here()))
	case formatMarkdown:
		if shown.Refused() {
			return s.tell(strings.TrimRight(view.PromotionText(shown), "\n"))
		}
		return view.Text(out, view.PromotionMarkdown(shown))
	case formatJSON:
		return view.JSON(out, view.PromotionJSON(shown, s.env.Now()))
	}
	if err := view.Text(out, view.PromotionText(shown)); err != nil {
		return err
	}
	if p.plan != nil {
		if err := view.Text(out, "\nThe plan of "+p.To+" then:\n\n"); err != nil {
			return err
		}
		s.view.Plan(p.plan, p.show(format{}))
	}
	return p.tellFiles(shown.Files)
}

// tellFiles says which files changed, or how they would.
func (p *promotion) tellFiles(files []string) error {
	switch {
	case len(files) == 0 || !p.goes():
		return nil
	case !p.Write:
		return p.session.tell("No file was changed: --write does that.")
	default:
		return p.session.tell(fmt.Sprintf("Wrote %s. Next: flotilla -e %s apply", strings.Join(files, ", "), p.To))
	}
}
