package spec

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// defaultHistory is how many revisions helmfile keeps where nothing is said.
const defaultHistory = 10

func orDefault[T any](own *T, otherwise T) T {
	if own != nil {
		return *own
	}
	return otherwise
}

func orPointer[T any](own, second *T, otherwise T) T {
	if own != nil {
		return *own
	}
	return orDefault(second, otherwise)
}

func orText(own, otherwise string) string {
	if own != "" {
		return own
	}
	return otherwise
}

func orList(own, otherwise []string) []string {
	if len(own) > 0 {
		return own
	}
	return otherwise
}

// options puts the options of a release over those of the command line, and
// these over the defaults of its file.
func options(r *schema.Release, defaults schema.HelmDefaults, cli HelmOptions) (Options, error) {
	layered := cli.over(defaults)
	d := &layered
	tracked, err := track(r, d, cli.Track)
	if err != nil {
		return Options{}, err
	}
	o := Options{
		Wait:                 orDefault(r.Wait, d.Wait),
		WaitForJobs:          orDefault(r.WaitForJobs, d.WaitForJobs),
		Timeout:              seconds(orDefault(r.Timeout, d.Timeout)),
		RollbackOnFailure:    rollback(r, d),
		CleanupOnFail:        orDefault(r.CleanupOnFail, d.CleanupOnFail),
		ForceReplace:         orDefault(r.Force, d.Force),
		ForceConflicts:       orDefault(r.ForceConflicts, d.ForceConflicts),
		ServerSide:           orPointer(r.ServerSide, d.ServerSide, ""),
		TakeOwnership:        orPointer(r.TakeOwnership, d.TakeOwnership, false),
		HistoryMax:           orPointer(r.HistoryMax, d.HistoryMax, defaultHistory),
		CreateNamespace:      orPointer(r.CreateNamespace, d.CreateNamespace, true),
		SkipCRDs:             d.SkipCRDs,
		SkipSchemaValidation: orPointer(r.SkipSchemaValidation, d.SkipSchemaValidation, false),
		EnableDNS:            orDefault(r.EnableDNS, d.EnableDNS),
		ReuseValues:          orDefault(r.ReuseValues, d.ReuseValues),
		Description:          r.Description,
		Cascade:              orPointer(r.Cascade, d.Cascade, ""),
		DeleteWait:           orDefault(r.DeleteWait, d.DeleteWait),
		DeleteTimeout:        seconds(orDefault(r.DeleteTimeout, d.DeleteTimeout)),
		SyncLabels:           orPointer(r.SyncReleaseLabels, d.SyncReleaseLabels, false),
		APIVersions:          r.APIVersions,
		KubeVersion:          r.KubeVersion,
		PostRenderer:         orPointer(r.PostRenderer, d.PostRenderer, ""),
		PostRendererArgs:     orList(r.PostRendererArgs, d.PostRendererArgs),
		UpdateStrategy:       r.UpdateStrategy,
		ContinueOnError:      orDefault(r.ContinueOnError, false),
		Track:                tracked,
		SuppressDiff:         orDefault(r.SuppressDiff, false),
		SuppressLines:        orList(r.SuppressOutputLineRegex, d.SuppressOutputLineRegex),
	}
	return o, checkOptions(r, o)
}

// rollback joins the two spellings: what the release says in either wins over
// the defaults.
func rollback(r *schema.Release, d *schema.HelmDefaults) bool {
	if r.Atomic != nil || r.RollbackOnFailure != nil {
		return orDefault(r.Atomic, false) || orDefault(r.RollbackOnFailure, false)
	}
	return d.Atomic || d.RollbackOnFailure
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func checkOptions(r *schema.Release, o Options) error {
	var errs []error
	if orDefault(r.Atomic, false) && orDefault(r.RollbackOnFailure, false) {
		errs = append(errs, errors.New("atomic and rollbackOnFailure are two names of one option: keep one"))
	}
	if o.ForceReplace && o.ForceConflicts {
		errs = append(errs, errors.New("force and forceConflicts exclude each other"))
	}
	if !slices.Contains([]string{"", "true", "false", "auto"}, o.ServerSide) {
		errs = append(errs, fmt.Errorf("serverSide: %q is unknown, expected true, false or auto", o.ServerSide))
	}
	if !slices.Contains([]string{"", "background", "foreground", "orphan"}, o.Cascade) {
		errs = append(errs, fmt.Errorf("cascade: %q is unknown, expected background, foreground or orphan", o.Cascade))
	}
	if !slices.Contains([]string{"", "reinstallIfForbidden"}, o.UpdateStrategy) {
		errs = append(errs, fmt.Errorf("updateStrategy: %q is unknown, expected reinstallIfForbidden", o.UpdateStrategy))
	}
	for _, line := range o.SuppressLines {
		if _, err := regexp.Compile(line); err != nil {
			errs = append(errs, fmt.Errorf("suppressOutputLineRegex: %w", err))
		}
	}
	return errors.Join(errs...)
}

func events() []HookEvent {
	return []HookEvent{EventPrepare, EventPreApply, EventPreSync, EventPostSync, EventPreUninstall, EventPostUninstall, EventCleanup}
}

func checkHook(h schema.Hook) error {
	for _, e := range h.Events {
		if !slices.Contains(events(), HookEvent(e)) {
			return fmt.Errorf("the event %q is unknown, expected one of %s", e, events())
		}
	}
	return nil
}

func hooks(in []schema.Hook) []Hook {
	var out []Hook
	for _, h := range in {
		hook := Hook{
			Name: h.Name, Command: h.Command, Args: h.Args, ShowLogs: h.ShowLogs,
			KubectlApply: h.Kubectl, Pos: posOf(h.Pos),
		}
		for _, e := range h.Events {
			hook.Events = append(hook.Events, HookEvent(e))
		}
		out = append(out, hook)
	}
	return out
}
