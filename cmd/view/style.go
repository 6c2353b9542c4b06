package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
)

// style is one way to stress text on a terminal.
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"

	reverse style = "7"
)

type painter struct{ on bool }

func (p painter) paint(s style, text string) string {
	if !p.on || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// symbol is the sign of an action, as in a plan of terraform.
func symbol(a plan.Action) (string, style) {
	switch a {
	case plan.ActionInstall:
		return "+", green
	case plan.ActionUpgrade:
		return "~", yellow
	case plan.ActionUninstall, plan.ActionRemove:
		return "-", red
	case plan.ActionRollback:
		return "<", cyan
	case plan.ActionNone:
		return "=", dim
	default:
		return "?", bold
	}
}

func opSymbol(op diff.Op) (string, style) {
	switch op {
	case diff.OpAdd:
		return "+", green
	case diff.OpRemove:
		return "-", red
	case diff.OpChange:
		return "~", yellow
	case diff.OpMove:
		return ">", cyan
	default:
		return "?", bold
	}
}

// verbs gives the progressive and the past form of an action.
func verbs(a plan.Action) (doing, done string) {
	switch a {
	case plan.ActionInstall:
		return "installing", "installed"
	case plan.ActionUpgrade:
		return "upgrading", "upgraded"
	case plan.ActionUninstall:
		return "uninstalling", "uninstalled"
	case plan.ActionRollback:
		return "rolling back", "rolled back"
	case plan.ActionRemove:
		return "removing", "removed"
	case plan.ActionNone:
		return "checking", "unchanged"
	default:
		return string(a), string(a)
	}
}

// doneWord is the past form of what a step did, which may be more than its
// action says.
func doneWord(a plan.Action, left state.Trace) string {
	if left.Reinstalled {
		return "reinstalled"
	}
	_, done := verbs(a)
	return done
}

func elapsed(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	default:
		return d.Truncate(time.Second).String()
	}
}

func indent(text, prefix string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return prefix + strings.Join(lines, "\n"+prefix)
}
