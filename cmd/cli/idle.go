package cli

import (
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

// idleFlag is a flag of helmfile that changes nothing here.
type idleFlag struct {
	name   string
	effect string // what it does in helmfile
	reason string // why there is nothing to do here
}

// idleFlags lists the flags that steer helmfile's helper programs and files.
// They are taken so that scripts keep working, and one warning names them.
func idleFlags() []idleFlag {
	const noHelm = "no helm program is started"
	return []idleFlag{
		{"helm-binary", "names the helm program", noHelm},
		{"kustomize-binary", "names the kustomize program", "kustomize is built in"},
		{"enable-live-output", "shows helm's output while it runs", noHelm},
		{"strip-args-values-on-exit-error", "hides helm's arguments in errors", "there are no arguments to show"},
		{"disable-force-update", "adds repositories without replacing them", "helm's list of repositories is not written"},
		{"enforce-plugin-verification", "refuses helm plugins without provenance", "no plugins are installed"},
		{"otel-tracing", "exports traces", "no traces are made; --output json has the time of every step"},
		{"helm-stuck-grace", "interrupts a helm that does not end", noHelm},
		{"skip-cleanup", "keeps temporary values files", "there are none"},
		{"keep-temp-dir", "keeps the temporary folder", "there is none"},
		{"cleanup", "deletes test pods", "helm test does not, either: hook delete policies decide"},
	}
}

// tellIdle warns once of everything on the command line that changes nothing.
func tellIdle(v view.View, typed commandLine, formats []format) {
	var parts []string
	for _, o := range formats {
		parts = append(parts, o.told(typed.given)...)
	}
	for _, f := range idleFlags() {
		if typed.given[f.name] {
			parts = append(parts, fmt.Sprintf("--%s (%s)", f.name, f.reason))
		}
	}
	if len(parts) > 0 {
		v.Warn("without effect here: " + strings.Join(parts, ", "))
	}
	if len(typed.extra) > 0 {
		v.Warn(fmt.Sprintf("ignored: %q", typed.extra))
	}
}

type idleGlobals struct {
	HelmBinary                 string `short:"b" hidden:""`
	KustomizeBinary            string `short:"k" hidden:""`
	EnableLiveOutput           bool   `hidden:""`
	StripArgsValuesOnExitError bool   `hidden:""`
	DisableForceUpdate         bool   `hidden:""`
	EnforcePluginVerification  bool   `hidden:""`
	OtelTracing                bool   `hidden:""`
}

type idleCleanup struct {
	SkipCleanup bool `hidden:""`
}

type idleTrack struct {
	HelmStuckGrace int `hidden:""`
}

// The flags below ask for what always holds here, so taking them is all there
// is to do.

// heldByDiff: a diff is rendered with the cluster's own capabilities, compares
// values and not lines, and takes test hooks along.
type heldByDiff struct {
	StripTrailingCR             bool `name:"strip-trailing-cr" hidden:""`
	IncludeTests                bool `hidden:""`
	SkipDiffValidationOnInstall bool `hidden:""`
}

// heldByNotes: the notes of charts are not printed.
type heldByNotes struct {
	HideNotes bool `hidden:""`
}

// heldByLooking: charts are only had where they are needed.
type heldByLooking struct {
	SkipCharts bool `hidden:""`
}
