package promote

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

// Health is how a release is in the source.
type Health struct {
	Environment string
	Installed   bool      // there is a record of it
	Failed      bool      // its newest revision failed, or was never finished
	Status      string    // Helm's word for that revision
	Number      int       // of it
	Why         string    // what the record says of it
	Deployed    time.Time // when it was written
	Drift       []string  // what is not as it was deployed, one line each
	Unready     []string  // objects that are not ready, and why, one line each
}

// most is how many objects a refusal names.
const most = 3

// Refusals says what speaks against moving on what runs, in the order in which
// one looks after it; none: nothing does.
func (h Health) Refusals(rules spec.Promotion, now time.Time) []string {
	switch {
	case !h.Installed:
		return []string{"it is not installed in " + h.Environment}
	case h.Failed:
		text := fmt.Sprintf("its revision %d in %s is %s", h.Number, h.Environment, h.Status)
		if h.Why != "" {
			text += ": " + h.Why
		}
		return []string{text}
	}
	var all []string
	if len(h.Drift) > 0 {
		all = append(all, fmt.Sprintf("it has drifted in %s: %s", h.Environment, few(h.Drift)))
	}
	if len(h.Unready) > 0 {
		all = append(all, fmt.Sprintf("it is not healthy in %s: %s", h.Environment, few(h.Unready)))
	}
	if runs := now.Sub(h.Deployed); rules.Soak > 0 && runs < rules.Soak {
		all = append(all, fmt.Sprintf("it has run for %s in %s, and promotion.soak (%s) wants %s: it may move from %s on",
			Age(runs), h.Environment, rules.Pos, Age(rules.Soak), h.Deployed.Add(rules.Soak).UTC().Format("2006-01-02 15:04 MST")))
	}
	return all
}

// OutOfOrder says why nothing may move from one environment to the other; empty:
// it may.
func OutOfOrder(rules spec.Promotion, from, to string) string {
	if len(rules.Order) == 0 {
		return ""
	}
	at, next := slices.Index(rules.Order, from), slices.Index(rules.Order, to)
	order := strings.Join(rules.Order, ", ")
	switch {
	case at < 0:
		return fmt.Sprintf("%s is not in promotion.order (%s): %s", from, rules.Pos, order)
	case next < 0:
		return fmt.Sprintf("%s is not in promotion.order (%s): %s", to, rules.Pos, order)
	case next < at:
		return fmt.Sprintf("promotion.order (%s) has %s before %s", rules.Pos, to, from)
	case next > at+1:
		return fmt.Sprintf("promotion.order (%s) has %s between them: promote %s to %s first",
			rules.Pos, strings.Join(rules.Order[at+1:next], " and "), from, rules.Order[at+1])
	default:
		return ""
	}
}

func few(lines []string) string {
	if len(lines) <= most {
		return strings.Join(lines, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(lines[:most], "; "), len(lines)-most)
}

// Age words how long something lasts, in its largest units.
func Age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour && d%time.Hour >= time.Minute:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}
