package report

import (
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func TestPrometheusReadsTheSamples(t *testing.T) {
	for name, r := range runs() {
		t.Run(name, func(t *testing.T) {
			text := written(t, FormatPrometheus, r)
			parser := expfmt.NewTextParser(model.LegacyValidation)
			families, err := parser.TextToMetricFamilies(strings.NewReader(text))
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			for _, want := range []string{"flotilla_run_exit_code", "flotilla_run_timestamp_seconds", "flotilla_run_errors"} {
				if families[want] == nil {
					t.Errorf("no family %s", want)
				}
			}
			if got := families["flotilla_run_exit_code"].Metric[0].GetGauge().GetValue(); got != float64(r.ExitCode) {
				t.Errorf("exit code %v, want %d", got, r.ExitCode)
			}
			seen := map[string]bool{}
			for line := range strings.Lines(text) {
				series := line[:max(0, strings.LastIndex(line, "} "))]
				if !strings.HasPrefix(line, "#") && seen[series] {
					t.Errorf("the series %s is there twice", series)
				}
				seen[series] = true
				if strings.HasPrefix(line, "# TYPE") && !strings.HasSuffix(line, " gauge\n") {
					t.Errorf("no gauge: %s", line)
				}
			}
			for name, f := range families {
				if f.GetHelp() == "" {
					t.Errorf("%s has no help", name)
				}
			}
		})
	}
}

func TestWhatCouldNotBeSeenHasNoSampleThatSaysNotDrifted(t *testing.T) {
	text := written(t, FormatPrometheus, drifted())
	if got := line1(text, "flotilla_release_drifted{", `release="db"`); got != "" {
		t.Errorf("db was not seen: %q", got)
	}
	if got := line1(text, "flotilla_release_drifted{", `release="web"`); !strings.HasSuffix(got, " 1") {
		t.Errorf("web: %q", got)
	}
	if got := line1(text, "flotilla_release_unseen{", `release="db"`); !strings.HasSuffix(got, " 1") {
		t.Errorf("db: %q", got)
	}
}

func TestWhatWasPutBackIsNoDriftAnyMore(t *testing.T) {
	text := written(t, FormatPrometheus, fixed())
	if got := line1(text, "flotilla_release_drifted{", `release="web"`); !strings.HasSuffix(got, " 0") {
		t.Errorf("web: %q", got)
	}
	if text := written(t, FormatSARIF, fixed()); strings.Contains(text, `"ruleId": "flotilla/drift-removed"`) {
		t.Errorf("what was put back is a result:\n%s", text)
	}
}

// line1 is the first line that begins so and has that, without its end.
func line1(text, prefix, with string) string {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, prefix) && strings.Contains(l, with) {
			return strings.TrimSuffix(l, "\n")
		}
	}
	return ""
}
