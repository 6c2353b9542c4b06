package view

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/state"
)

func logOf(pod string, n int) state.LogTail {
	l := state.LogTail{Pod: pod, Container: "web"}
	for i := range n {
		l.Lines = append(l.Lines, fmt.Sprintf("line %d of %s", i, pod))
	}
	return l
}

func TestAFailureIsToldInFewLines(t *testing.T) {
	same := logOf("a", 3)
	same.Pod = "b"
	var many []state.Trouble
	for i := range 9 {
		many = append(many, state.Trouble{Object: state.ObjectID{Kind: "Deployment", Name: fmt.Sprint("d", i)}, Message: "0 of 1 replicas are ready",
			Events: []string{"x", "y"}, Logs: []state.LogTail{logOf(fmt.Sprint("p", i), 20)}})
	}
	tests := []struct {
		name  string
		list  []state.Trouble
		lines int // at most
		has   []string
		not   []string
	}{
		{"one log is told whole", []state.Trouble{{Logs: []state.LogTail{logOf("a", 20)}}}, 22, []string{"line 0 of a", "line 19 of a"}, []string{"the last"}},
		{"what several containers say alike is told once", []state.Trouble{{Logs: []state.LogTail{logOf("a", 3), same}}}, 6, []string{"log of a/web, b/web:"}, nil},
		{"of many logs the ends are told", []state.Trouble{{Logs: []state.LogTail{logOf("a", 20), logOf("b", 20), logOf("c", 20)}}}, failureLines + 2,
			[]string{"log of b/web, the last 12 lines:", "line 19 of c"}, []string{"line 0 of a"}},
		{"of many objects the first ones", many, 60, []string{"and 3 more objects", "line 19 of p5"}, []string{"d7"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := troubles(tt.list)
			if n := strings.Count(got, "\n"); n > tt.lines {
				t.Errorf("%d lines, want at most %d:\n%s", n, tt.lines, got)
			}
			for _, text := range tt.has {
				if !strings.Contains(got, text) {
					t.Errorf("it does not say %q:\n%s", text, got)
				}
			}
			for _, text := range tt.not {
				if strings.Contains(got, text) {
					t.Errorf("it says %q:\n%s", text, got)
				}
			}
		})
	}
}

func TestRetriesAreToldOnceForAllWhoWait(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	event := func(after, pause time.Duration, reason string) executor.Event {
		return executor.Event{Kind: executor.EventRetrying, Time: at.Add(after), Retry: state.Retry{What: "PATCH deployments/web", Attempt: 5, Of: 15, Pause: pause, Reason: reason}}
	}
	var r retries
	tests := []struct {
		name  string
		event executor.Event
		want  string
	}{
		{"a short pause is nobody's business", event(0, 200*time.Millisecond, "refused"), ""},
		{"a longer one is told", event(0, 2*time.Second, "refused"), "shop/web retrying PATCH deployments/web in 2.0s (attempt 5 of 15): refused"},
		{"the same reason is known", event(time.Second, 2*time.Second, "refused"), ""},
		{"another one is not", event(time.Second, 2*time.Second, "reset"), "shop/web retrying PATCH deployments/web in 2.0s (attempt 5 of 15): reset"},
		{"after a while it is told again", event(quiet, 2*time.Second, "refused"), "shop/web retrying PATCH deployments/web in 2.0s (attempt 5 of 15): refused"},
	}
	for _, tt := range tests { // in this order
		if got := r.line(tt.event, "shop/web"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
