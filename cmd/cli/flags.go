package cli

import (
	"fmt"
	"regexp"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
)

// format is a flag of the commands that show a plan. Beside our own formats it
// takes those of the helm-diff plugin.
type format struct {
	Output string `short:"o" enum:"text,json,yaml,dyff,simple,diff,structured,template," default:"text" help:"Output format: text (also diff), dyff (differences by their path), simple (names of objects only), json (also structured), yaml."`
}

const (
	formatJSON       = "json"
	formatYAML       = "yaml"
	formatDyff       = "dyff"
	formatSimple     = "simple"
	formatStructured = "structured"
	formatTemplate   = "template"
)

// view gives the view that comes closest to a format of helm-diff.
func (f format) view() view.Format {
	switch f.Output {
	case formatJSON, formatStructured:
		return view.FormatJSON
	case formatYAML:
		return view.FormatYAML
	default:
		return view.FormatHuman
	}
}

// told names what is asked of the output and has no effect on this format: a
// format of helm-diff that is shown as another one, and columns where there
// are no lines.
func (f format) told(given map[string]bool) []string {
	var told []string
	if f.Output == formatTemplate {
		told = append(told, "--output "+f.Output+" (shown as text)")
	}
	if given["side-by-side"] && (f.view() != view.FormatHuman || f.Output == formatDyff || f.Output == formatSimple) {
		told = append(told, "--side-by-side (--output "+f.Output+" has no lines to set in columns)")
	}
	return told
}

// concurrency is a flag of nearly every command.
type concurrency struct {
	Concurrency int `default:"0" help:"Releases worked on at once; 0: as many as is useful."`
}

// overlay is what a command's own flags put on top of every release.
type overlay struct {
	Set    []string `sep:"none" placeholder:"K=V" help:"Set a value on every release, on top of all others."`
	Values []string `sep:"none" placeholder:"PATH" help:"Values file for every release, above the state file's."`
}

// needsFlags say what to do with needs that the selector leaves out.
type needsFlags struct {
	SkipNeeds                bool `default:"true" negatable:"" help:"Ignore needs that the selector leaves out."`
	IncludeNeeds             bool `help:"Also select what the selected releases need."`
	IncludeTransitiveNeeds   bool `help:"Like --include-needs."`
	EnforceNeedsAreInstalled bool `help:"Fail when a release needs one that has installed: false."`
}

func (n needsFlags) policy() spec.NeedsPolicy {
	switch {
	case n.IncludeNeeds, n.IncludeTransitiveNeeds:
		return spec.NeedsInclude
	case n.SkipNeeds:
		return spec.NeedsSkip
	default:
		return spec.NeedsRequire
	}
}

// rawArgs is for flags of Helm that are given as text.
type rawArgs struct {
	Args string `placeholder:"FLAGS" help:"Flags of helm, for every release."`
}

// templateFlags say how charts are rendered.
type templateFlags struct {
	TemplateArgs         string   `placeholder:"FLAGS" help:"Flags of helm template, in place of helmDefaults.templateArgs."`
	PostRenderer         string   `placeholder:"PROGRAM" help:"Program or Helm plugin that every manifest goes through; a release's own wins."`
	PostRendererArgs     []string `sep:"none" placeholder:"ARG" help:"Argument of the post-renderer."`
	SkipSchemaValidation bool     `help:"Do not check values against the chart's schema."`
}

// upgradeFlags say how a revision is made, and thus what it differs in.
type upgradeFlags struct {
	ReuseValues   bool   `help:"Put the values on top of those of the deployed revision."`
	ResetValues   bool   `help:"Do not reuse values, whatever the state files say."`
	TakeOwnership bool   `help:"Adopt objects that belong to nobody or to another release."`
	ServerSide    string `enum:",true,false,auto" default:"" help:"Server-side apply (true, false, auto)."`
}

// installFlags override how Helm works on every release.
type installFlags struct {
	SyncArgs          string `placeholder:"FLAGS" help:"Flags of helm upgrade, in place of helmDefaults.syncArgs."`
	Wait              bool   `help:"Wait until the objects of every release are ready."`
	WaitForJobs       bool   `help:"With waiting, also wait until Jobs are complete."`
	Timeout           int    `placeholder:"SECONDS" help:"Timeout of one operation on a release."`
	SkipCRDs          bool   `name:"skip-crds" help:"Do not install the CRDs of charts."`
	SyncReleaseLabels bool   `help:"Put the labels of releases on Helm's release records."`
	Description       string `help:"Description of the new revisions."`
	Cascade           string `enum:",background,foreground,orphan" default:"" help:"How objects are deleted (background, foreground, orphan)."`
}

// trackFlags say what a wait looks at.
type trackFlags struct {
	TrackMode        string `enum:",helm,helm-legacy,kubedog" default:"" help:"How to wait (helm, helm-legacy, kubedog)."`
	TrackTimeout     int    `placeholder:"SECONDS" help:"Timeout of a wait that --track-mode kubedog asks for."`
	TrackLogs        bool   `help:"Show the logs of the pods that are waited for."`
	TrackFailedLogs  bool   `help:"Show the last log lines of pods that fail."`
	TrackFailOnError bool   `help:"With --track-mode kubedog, a wait that fails fails the release."`
}

// showFlags are the ways to show a plan.
type showFlags struct {
	Context           int      `default:"3" help:"Lines of context around a difference; -1 shows whole objects."`
	SkipDiffOnInstall bool     `help:"Of releases that are not installed yet, list the objects without their content."`
	Suppress          []string `sep:"none" placeholder:"KIND" help:"Kinds of objects not to show."`
	SuppressSecrets   bool     `help:"Do not show Secrets at all."`
	SuppressDiff      bool     `help:"Show one line a release instead of the differences."`
	SideBySide        bool     `help:"Show what was and what will be in two columns."`
	FoldLabels        bool     `help:"Tell a change of version labels (helm.sh/chart, app.kubernetes.io/version) once for all objects of a release."`
}

// diffFlags are the ways to compare and to show what differs.
type diffFlags struct {
	showFlags
	SuppressOutputLineRegex []string `sep:"none" placeholder:"REGEX" help:"Do not show differing lines that match; a release's own list wins."`
	ShowSecrets             bool     `help:"Show the values of Secrets."`
	NoHooks                 bool     `help:"Do not compare chart hooks."`
	DiffArgs                string   `placeholder:"FLAGS" help:"Flags of the helm-diff plugin, in place of helmDefaults.diffArgs."`

	validating
	heldByDiff
}

func (d diffFlags) check() error {
	for _, expression := range d.SuppressOutputLineRegex {
		if _, err := regexp.Compile(expression); err != nil {
			return fmt.Errorf("%w: --suppress-output-line-regex: %w", errUsage, err)
		}
	}
	return nil
}

func (d showFlags) show(o format) view.PlanOptions {
	show := view.PlanOptions{
		Context: d.Context, Suppress: d.Suppress, NamesOnInstall: d.SkipDiffOnInstall,
		Names: o.Output == formatSimple, Brief: d.SuppressDiff, FoldLabels: d.FoldLabels,
	}
	switch {
	case o.Output == formatDyff:
		show.Form = view.FormPaths
	case d.SideBySide:
		show.Form = view.FormSideBySide
	}
	if d.SuppressSecrets {
		show.Suppress = append([]string{"Secret"}, show.Suppress...)
	}
	return show
}

func (d diffFlags) compare() diff.Options {
	return diff.Options{ShowSecrets: d.ShowSecrets && !d.SuppressSecrets, NoHooks: d.NoHooks}
}

// runFlags are the ways to run a plan.
type runFlags struct {
	concurrency
	Rollback  plan.Scope `enum:"plan,group,release,none" default:"plan" help:"What to put back when a release fails: everything this run did (plan), the failed release's atomicGroup and what needs it (group), only the failed release (release), or nothing (none)."`
	KeepGoing bool       `help:"Let releases that do not need a failed one go on."`
	limitFlags
	ForcePending bool `help:"Take over releases that say an operation is in progress, when whoever started it is gone."`
	lockFlags
	journalFlags
}

// deleteFlags say how releases are uninstalled.
type deleteFlags struct {
	Cascade       string `enum:",background,foreground,orphan" default:"" help:"How objects are deleted (background, foreground, orphan)."`
	DeleteWait    bool   `name:"deleteWait" help:"Wait until the objects are gone."`
	DeleteTimeout int    `name:"deleteTimeout" placeholder:"SECONDS" help:"Timeout of one uninstall."`
}

// helmFlags are all that a command says about how Helm works on releases.
type helmFlags struct {
	template templateFlags
	upgrade  upgradeFlags
	install  installFlags
	track    trackFlags
	delete   deleteFlags
	lines    []string // --suppress-output-line-regex
}

// between are the flags that a release's own keys win over.
func (h helmFlags) between() spec.HelmOptions {
	cascade := h.install.Cascade
	if cascade == "" {
		cascade = h.delete.Cascade
	}
	return spec.HelmOptions{
		PostRenderer: h.template.PostRenderer, PostRendererArgs: h.template.PostRendererArgs,
		SuppressLines: h.lines, Cascade: cascade, ServerSide: h.upgrade.ServerSide,
		Track: spec.Track{
			Mode: h.track.TrackMode, Timeout: seconds(h.track.TrackTimeout),
			Logs: h.track.TrackLogs, FailedLogs: h.track.TrackFailedLogs, FailOnError: h.track.TrackFailOnError,
		},
	}
}

// apply puts the other flags on top of a release's options.
func (h helmFlags) apply(o *spec.Options) {
	o.Wait = o.Wait || h.install.Wait
	o.WaitForJobs = o.WaitForJobs || h.install.WaitForJobs
	o.SkipCRDs = o.SkipCRDs || h.install.SkipCRDs
	o.SyncLabels = o.SyncLabels || h.install.SyncReleaseLabels
	o.TakeOwnership = o.TakeOwnership || h.upgrade.TakeOwnership
	o.ReuseValues = (o.ReuseValues || h.upgrade.ReuseValues) && !h.upgrade.ResetValues
	o.SkipSchemaValidation = o.SkipSchemaValidation || h.template.SkipSchemaValidation
	o.DeleteWait = o.DeleteWait || h.delete.DeleteWait
	if h.install.Timeout > 0 {
		o.Timeout = seconds(h.install.Timeout)
	}
	if h.install.Description != "" {
		o.Description = h.install.Description
	}
	if h.delete.DeleteTimeout > 0 {
		o.DeleteTimeout = seconds(h.delete.DeleteTimeout)
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
