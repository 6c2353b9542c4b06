package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec/schema"
)

// GateKind is what a gate does.
type GateKind string

// The kinds of gates.
const (
	GateHTTP       GateKind = "http"
	GatePrometheus GateKind = "prometheus"
	GateTest       GateKind = "test"
	GateCommand    GateKind = "command"
)

// Gate is a look at whether what was installed or upgraded works. A gate that is
// not passed is a failed release. Its texts are templates until the hooks of its
// file have rendered them.
type Gate struct {
	Kind GateKind
	Name string // empty: Title says it
	Pos  Pos
	File int // index into Spec.Files: whose values and folder it sees
	// Group is the atomicGroup that has to pass it; empty: its release does.
	Group string

	// Within is for how long the gate is tried until it is passed; zero: once.
	Within time.Duration
	// For is for how long it then has to stay passed; zero: that is not looked at.
	For      time.Duration
	Interval time.Duration // between two tries
	Timeout  time.Duration // of one try; zero: that of the release

	HTTP       HTTPProbe       // of GateHTTP
	Prometheus PrometheusQuery // of GatePrometheus
	Test       ChartTest       // of GateTest
	Command    GateCommandRun  // of GateCommand
}

// Reach says how a server is spoken to.
type Reach struct {
	URL                   string
	Headers               map[string]string
	CAFile                string // relative to the folder of the file; rendering reads it into CA
	CA                    string // PEM; empty: the certificates of the system
	InsecureSkipTLSVerify bool
}

// HTTPProbe is a request and what its answer has to be.
type HTTPProbe struct {
	Reach
	Method   string
	Body     string
	Status   []string // 200, or 2xx for a whole class; at least one
	Contains string   // text of the answer's body; empty: any
	Matches  string   // regular expression that the body has a match for; empty: any
}

// PrometheusQuery is an instant query. All values of its result have to hold.
type PrometheusQuery struct {
	Reach
	Query      string
	Threshold  string // a comparison with a number, such as "< 0.01"
	NoDataPass bool   // an empty result, or one that is not a number, is fine
}

// ChartTest runs the tests of a release's chart.
type ChartTest struct {
	Only []string // names of test hooks; empty: all
	Skip []string
	Logs bool // show the logs of the pods
}

// GateCommandRun starts a program, without a shell.
type GateCommandRun struct {
	Argv     []string
	Env      map[string]string // on top of the environment of the run
	Dir      string            // absolute; the program runs there
	ShowLogs bool
}

// The times of a gate that does not say them.
const (
	defaultWithin   = time.Minute // of an HTTP probe
	defaultInterval = 2 * time.Second
	defaultSample   = 15 * time.Second // of a Prometheus query: how often it usually scrapes
	defaultTry      = 10 * time.Second
	defaultCommand  = 5 * time.Minute
)

// Title is how messages call the gate. It holds no secret, once the gate is
// rendered.
func (g Gate) Title() string {
	switch {
	case g.Name != "":
		return g.Name
	case g.Kind == GateHTTP:
		return "http " + g.HTTP.Method + " " + g.HTTP.Address()
	case g.Kind == GatePrometheus:
		return "prometheus " + oneLine(g.Prometheus.Query)
	case g.Kind == GateCommand && len(g.Command.Argv) > 0:
		return "command " + g.Command.Argv[0]
	case g.Kind == GateTest:
		return "test of the chart"
	default:
		return string(g.Kind)
	}
}

// Address is the URL without what may be a secret: user, password and parameters.
func (r Reach) Address() string {
	address := r.URL
	if before, _, ok := strings.Cut(address, "?"); ok {
		address = before
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	} else {
		scheme += "://"
	}
	host, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:]
	}
	if path != "" {
		path = "/" + path
	}
	return scheme + host + path
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// provenance is what the key verify says of the chart.
func provenance(r *schema.Release) *bool {
	if r.Verify == nil {
		return nil
	}
	return r.Verify.Provenance
}

// gates makes the exported form of the gates of a release.
func (c *converter) gates(r *schema.Release) []Gate {
	if r.Verify == nil {
		return nil
	}
	var out []Gate
	for i, g := range r.Verify.Gates {
		gate, err := gateOf(g, c.index)
		c.fail(g.Pos, fmt.Sprintf("releases.%s.verify[%d]", r.Name, i), err)
		out = append(out, gate)
	}
	return out
}

// groupGates gives the gates of a file's groups, in order of names.
func groupGates(groups map[string]schema.Group, file int) (map[string][]Gate, []error) {
	if len(groups) == 0 {
		return nil, nil
	}
	out := make(map[string][]Gate, len(groups))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		for i, g := range groups[name].Verify {
			gate, err := gateOf(g, file)
			if err == nil && gate.Kind == GateTest {
				err = fmt.Errorf("a group has no chart: put test on the release whose chart has the tests")
			}
			if err != nil {
				errs = append(errs, asErrors(err, g.Pos, fmt.Sprintf("groups.%s.verify[%d]", name, i)))
			}
			gate.Group = name
			out[name] = append(out[name], gate)
		}
	}
	return out, errs
}

// joinGroups gives every release the gates of its atomicGroup, whichever file
// declares them.
func (l *loader) joinGroups() {
	gates := map[string][]Gate{}
	for i := range l.spec.Files {
		for name, list := range l.spec.Files[i].Groups {
			gates[name] = append(gates[name], list...)
		}
	}
	used := map[string]bool{}
	for i := range l.spec.Releases {
		r := &l.spec.Releases[i]
		r.GroupVerify = gates[r.AtomicGroup]
		used[r.AtomicGroup] = true
	}
	for _, f := range l.spec.Files {
		for _, name := range slices.Sorted(maps.Keys(f.Groups)) {
			if !used[name] && !l.spec.loaded.partial {
				l.opts.Warn(fmt.Sprintf("%s: groups.%s has no effect: no release has atomicGroup: %s", f.Path, name, name))
			}
		}
	}
}
