package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
)

// left warns of what a fix leaves alone, with what can be done about it, and
// reports whether there is something.
func (l *lookout) left(report drift.Report) bool {
	more := l.session.alike(l.session.globals.Selector, "")
	byKind := map[drift.Kind][]string{}
	var kinds []drift.Kind
	for _, f := range report.Findings {
		if f.Fixable() {
			continue
		}
		if byKind[f.Kind] == nil {
			kinds = append(kinds, f.Kind)
		}
		if name := l.named(f.Release); !slices.Contains(byKind[f.Kind], name) {
			byKind[f.Kind] = append(byKind[f.Kind], name)
		}
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		l.session.view.Warn(fmt.Sprintf("left alone: %s: %s: %s", strings.Join(byKind[k], ", "), k, remedy(k, more)))
	}
	return len(kinds) > 0
}

// named leaves the context out where all releases are in one.
func (l *lookout) named(id spec.ReleaseID) string {
	if len(l.contexts()) == 1 {
		id.Context = ""
	}
	return id.String()
}

// remedy says what can be done about findings that putting back what was deployed
// does not take away. more are the flags that name the same state files.
func remedy(k drift.Kind, more string) string {
	switch k {
	case drift.KindAbsent:
		return fmt.Sprintf("flotilla apply%s installs what is declared", more)
	case drift.KindFailed:
		return fmt.Sprintf("flotilla apply%s makes a revision of what the state files want; where a run left it so, flotilla resume goes on with that run, and flotilla resume --undo puts it back", more)
	case drift.KindPending:
		return fmt.Sprintf("wait for the operation to end; where a run was cut off, flotilla resume goes on with it; flotilla apply%s --force-pending takes over what nobody works on any more", more)
	case drift.KindOutside:
		return fmt.Sprintf("objects were held against that revision; flotilla apply%s makes a revision of what the state files want", more)
	case drift.KindUndeclared:
		return fmt.Sprintf("flotilla apply --prune%s uninstalls it, unless it is declared again", more)
	case drift.KindAdded:
		return "nobody declared those fields: declare them in the chart or its values, list them under drift.ignore, or remove them by hand"
	case drift.KindChanged, drift.KindRemoved, drift.KindMissing:
		return fmt.Sprintf("flotilla drift --fix%s puts it back", more)
	default:
		return "this version of flotilla does not know what to do about it"
	}
}
