package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/state"
)

const (
	// failureLines is about how many lines a failed release takes.
	failureLines   = 40
	failureObjects = 6 // told of one release
	fewestLogLines = 5 // of a container, however many there are
)

// troubles tells what is known of the objects at fault: conditions first, then
// events, then as much of the logs as there is room for, of each the end.
func troubles(list []state.Trouble) string {
	told := list[:min(len(list), failureObjects)]
	logs, room := 0, failureLines
	for _, t := range told {
		n := len(distinct(t.Logs))
		logs += n
		room -= 1 + len(t.Events) + n
	}
	each := max(room/max(logs, 1), fewestLogLines)
	var b strings.Builder
	for _, t := range told {
		fmt.Fprintf(&b, "    %s: %s\n", t.Object, t.Message)
		for _, e := range t.Events {
			fmt.Fprintf(&b, "      event: %s\n", e)
		}
		for _, l := range distinct(t.Logs) {
			fmt.Fprintf(&b, "      log of %s%s:\n%s\n", l.from, lastOf(l.lines, each), indent(strings.Join(l.lines[max(len(l.lines)-each, 0):], "\n"), "        | "))
		}
	}
	if more := len(list) - len(told); more > 0 {
		fmt.Fprintf(&b, "    and %d more objects\n", more)
	}
	return b.String()
}

// tails are logs that say the same.
type tails struct {
	from  string
	lines []string
}

// distinct tells once what several containers say alike.
func distinct(logs []state.LogTail) []tails {
	var all []tails
	for _, l := range logs {
		name := l.Pod + "/" + l.Container
		at := slices.IndexFunc(all, func(t tails) bool { return slices.Equal(t.lines, l.Lines) })
		if at < 0 {
			all = append(all, tails{name, l.Lines})
			continue
		}
		all[at].from += ", " + name
	}
	return all
}

// lastOf says how much of a log is shown, if that is not all that was read.
func lastOf(lines []string, shown int) string {
	if len(lines) <= shown {
		return ""
	}
	return fmt.Sprintf(", the last %d lines", shown)
}

// retries says what is tried again, when that takes so long that somebody wonders.
// Releases that wait for the same reason are told of once.
type retries struct {
	told map[string]time.Time // until when a reason is known
}

// worthTelling is the pause from which on an attempt is told.
const worthTelling = time.Second

// quiet is how long a reason is not told again.
const quiet = 10 * time.Second

// line is empty for what need not be told.
func (r *retries) line(e executor.Event, name string) string {
	again := e.Retry
	if again.Pause < worthTelling || e.Time.Before(r.told[again.Reason]) {
		return ""
	}
	if r.told == nil {
		r.told = map[string]time.Time{}
	}
	r.told[again.Reason] = e.Time.Add(max(again.Pause, quiet))
	what := ""
	if again.What != "" {
		what = " " + again.What
	}
	return fmt.Sprintf("%s retrying%s in %s (attempt %d of %d): %s", name, what, elapsed(again.Pause), again.Attempt, again.Of, strings.Join(strings.Fields(again.Reason), " "))
}
