package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/bench/traffic"
)

// result is one tool at one work.
type result struct {
	Work          string `json:"work"`
	Set           string `json:"set"`
	Size          int    `json:"releases"`
	Objects       int    `json:"objectsPerRelease"`
	Tool          string `json:"tool"`
	Rounds        int    `json:"rounds"`
	sample               // the medians
	traffic.Count        // of one run of its own
}

func encode(results []result, about string) ([]byte, error) {
	data, err := json.MarshalIndent(map[string]any{"about": about, "results": results}, "", "  ")
	return append(data, '\n'), err
}

// about says what the figures depend on.
func about(now time.Time) string {
	line := fmt.Sprintf("%s, %s/%s, %d cores", now.UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(load)); len(fields) > 2 {
			line += fmt.Sprintf("; load average at the end %s (1 min), %s (15 min)", fields[0], fields[2])
		}
	}
	return line
}

// text prints a table for each work and set.
func text(results []result, about string) string {
	var out strings.Builder
	fmt.Fprintln(&out, about)
	for start := 0; start < len(results); {
		end := start + 1
		for end < len(results) && results[end].title() == results[start].title() {
			end++
		}
		out.WriteString(table(results[start:end]))
		start = end
	}
	return out.String()
}

func (r result) title() string {
	return fmt.Sprintf("%s, %d %s releases of %d objects", r.Work, r.Size, r.Set, r.Objects)
}

// table shows one work and set. Ratios are to the first tool: the floor where
// there is one, else flotilla without lock and journal.
func table(rows []result) string {
	var out strings.Builder
	base := rows[0]
	fmt.Fprintf(&out, "\n%s\n", base.title())
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "tool\trounds\twall\tx %s\tCPU\tx %s\tmemory\trequests\tbytes\t\n", base.Tool, base.Tool)
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%.3f s\t%s\t%.3f s\t%s\t%.0f MB\t%d\t%.0f kB\t\n", r.Tool, r.Rounds,
			r.Wall.Seconds(), ratio(r.Wall, base.Wall), r.CPU.Seconds(), ratio(r.CPU, base.CPU),
			float64(r.Memory)/1e6, r.Requests, float64(r.Bytes)/1e3)
	}
	w.Flush()
	for _, r := range rows {
		fmt.Fprintf(&out, "  %s asked: %s\n", r.Tool, strings.Join(r.Kinds(), ", "))
	}
	return out.String()
}

func ratio(a, b time.Duration) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(a)/float64(b))
}
