package spec

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// gateOf makes the exported form of a gate. What is no template is checked here,
// the rest when it is rendered.
func gateOf(g schema.Gate, file int) (Gate, error) {
	kind, err := kindOf(g)
	if err != nil {
		return Gate{}, err
	}
	out := Gate{
		Kind: kind, Name: g.Name, Pos: posOf(g.Pos), File: file,
		Within: span(g.Within, 0), For: span(g.For, 0), Interval: span(g.Interval, defaultInterval), Timeout: span(g.Timeout, defaultTry),
	}
	var errs []error
	switch kind {
	case GateHTTP:
		out.Within = span(g.Within, defaultWithin)
		out.HTTP = probeOf(g.HTTP)
	case GatePrometheus:
		out.Interval = span(g.Interval, defaultSample)
		out.Prometheus, err = queryOf(g.Prometheus)
		errs = append(errs, err)
	case GateTest:
		out.Timeout = span(g.Timeout, 0)
		out.Test = ChartTest{Only: g.Test.Only, Skip: g.Test.Skip, Logs: g.ShowLogs}
		if g.Within != nil || g.For != nil || g.Interval != nil {
			errs = append(errs, errors.New("within, for and interval do not go with test, which runs once"))
		}
	case GateCommand:
		out.Timeout = span(g.Timeout, defaultCommand)
		out.Command = GateCommandRun{Argv: slices.Concat([]string(g.Command), g.Args), Env: g.Env, ShowLogs: g.ShowLogs}
	default:
		errs = append(errs, fmt.Errorf("unknown kind of gate %q", kind))
	}
	if kind != GateCommand && (len(g.Args) > 0 || len(g.Env) > 0) {
		errs = append(errs, fmt.Errorf("args and env are for a command, this gate is of the kind %s", kind))
	}
	if out.Interval <= 0 {
		errs = append(errs, errors.New("interval: must be more than nothing"))
	}
	return out, errors.Join(append(errs, out.check(true))...)
}

// kindOf finds the one key that says what a gate does.
func kindOf(g schema.Gate) (GateKind, error) {
	var kinds []GateKind
	for kind, given := range map[GateKind]bool{
		GateHTTP: g.HTTP != nil, GatePrometheus: g.Prometheus != nil, GateTest: g.Test != nil, GateCommand: g.Command != nil,
	} {
		if given {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	if len(kinds) != 1 {
		return "", fmt.Errorf("expected exactly one of http, prometheus, test and command, found %v", kinds)
	}
	return kinds[0], nil
}

func span(own *schema.Duration, otherwise time.Duration) time.Duration {
	if own == nil {
		return otherwise
	}
	return time.Duration(*own)
}

func probeOf(p *schema.HTTPProbe) HTTPProbe {
	out := HTTPProbe{
		Reach:  Reach{URL: p.URL, Headers: p.Headers, CAFile: p.CAFile, InsecureSkipTLSVerify: p.InsecureSkipTLSVerify},
		Method: orText(p.Method, "GET"), Body: p.Body, Status: p.Status, Contains: p.Contains, Matches: p.Matches,
	}
	if len(out.Status) == 0 {
		out.Status = []string{"2xx"}
	}
	return out
}

func queryOf(q *schema.PrometheusQuery) (PrometheusQuery, error) {
	out := PrometheusQuery{
		Reach: Reach{URL: q.URL, Headers: q.Headers, CAFile: q.CAFile, InsecureSkipTLSVerify: q.InsecureSkipTLSVerify},
		Query: q.Query, Threshold: q.Threshold, NoDataPass: q.OnNoData == "pass",
	}
	if !slices.Contains([]string{"", "pass", "fail"}, q.OnNoData) {
		return out, fmt.Errorf("prometheus.onNoData: %q is unknown, expected pass or fail", q.OnNoData)
	}
	return out, nil
}

// Check tells what is wrong with a gate whose texts are rendered.
func (g Gate) Check() error { return g.check(false) }

// check leaves out texts that are templates yet, if raw.
func (g Gate) check(raw bool) error {
	open := func(text string) bool { return raw && strings.Contains(text, "{{") }
	switch g.Kind {
	case GateHTTP:
		errs := []error{g.HTTP.check("http", open)}
		for _, s := range g.HTTP.Status {
			if !regexp.MustCompile(`^[1-5](xx|[0-9][0-9])$`).MatchString(s) {
				errs = append(errs, fmt.Errorf("http.status: %q is no status, expected one such as 200 or 2xx", s))
			}
		}
		if _, err := regexp.Compile(g.HTTP.Matches); err != nil && !open(g.HTTP.Matches) {
			errs = append(errs, fmt.Errorf("http.matches: %w", err))
		}
		return errors.Join(errs...)
	case GatePrometheus:
		errs := []error{g.Prometheus.check("prometheus", open)}
		if strings.TrimSpace(g.Prometheus.Query) == "" {
			errs = append(errs, errors.New("prometheus.query: is empty"))
		}
		if _, err := ParseThreshold(g.Prometheus.Threshold); err != nil && !open(g.Prometheus.Threshold) {
			errs = append(errs, fmt.Errorf("prometheus.threshold: %w", err))
		}
		return errors.Join(errs...)
	case GateTest:
		return nil
	case GateCommand:
		if len(g.Command.Argv) == 0 || strings.TrimSpace(g.Command.Argv[0]) == "" {
			return errors.New("command: is empty")
		}
		return nil
	default:
		return fmt.Errorf("unknown kind of gate %q", g.Kind)
	}
}

func (r Reach) check(key string, open func(string) bool) error {
	if open(r.URL) {
		return nil
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The text of url.Error has the whole URL, with credentials.
		return fmt.Errorf("%s.url: %q is no address of a server, expected one that begins with http:// or https://", key, r.Address())
	}
	if r.CAFile != "" && r.InsecureSkipTLSVerify {
		return fmt.Errorf("%s: caFile and insecureSkipTLSVerify exclude each other", key)
	}
	return nil
}

// Threshold is a comparison with a number.
type Threshold struct {
	Op    string // <, <=, >, >=, == or !=
	Value float64
}

// ParseThreshold reads a comparison such as "< 0.01".
func ParseThreshold(text string) (Threshold, error) {
	text = strings.TrimSpace(text)
	for _, op := range []string{"<=", ">=", "==", "!=", "<", ">"} { // longer ones first
		rest, ok := strings.CutPrefix(text, op)
		if !ok {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
		if err != nil || value != value {
			return Threshold{}, fmt.Errorf("%q is no comparison: %q is no number", text, strings.TrimSpace(rest))
		}
		return Threshold{op, value}, nil
	}
	return Threshold{}, fmt.Errorf(`%q is no comparison, expected one such as "< 0.01", with <, <=, >, >=, == or !=`, text)
}

// Holds reports whether a value is on the right side.
func (t Threshold) Holds(value float64) bool {
	switch t.Op {
	case "<":
		return value < t.Value
	case "<=":
		return value <= t.Value
	case ">":
		return value > t.Value
	case ">=":
		return value >= t.Value
	case "==":
		return value == t.Value
	case "!=":
		return value != t.Value
	default:
		return false
	}
}

// Texts gives a copy of the gate in which f has replaced every text that may be a
// template.
func (g Gate) Texts(f func(key, text string) string) Gate {
	g.Name = f("name", g.Name)
	reach := func(key string, r Reach) Reach {
		r.URL, r.CAFile = f(key+".url", r.URL), f(key+".caFile", r.CAFile)
		r.Headers = table(key+".headers", r.Headers, f)
		return r
	}
	switch g.Kind {
	case GateHTTP:
		p := &g.HTTP
		p.Reach = reach("http", p.Reach)
		p.Body, p.Contains, p.Matches = f("http.body", p.Body), f("http.contains", p.Contains), f("http.matches", p.Matches)
	case GatePrometheus:
		q := &g.Prometheus
		q.Reach = reach("prometheus", q.Reach)
		q.Query, q.Threshold = f("prometheus.query", q.Query), f("prometheus.threshold", q.Threshold)
	case GateTest:
	case GateCommand:
		g.Command.Argv = slices.Clone(g.Command.Argv)
		for i, text := range g.Command.Argv {
			g.Command.Argv[i] = f("command", text)
		}
		g.Command.Env = table("env", g.Command.Env, f)
	}
	return g
}

func table(key string, in map[string]string, f func(key, text string) string) map[string]string {
	out := maps.Clone(in)
	for _, name := range slices.Sorted(maps.Keys(in)) {
		out[name] = f(key+"."+name, in[name])
	}
	return out
}
