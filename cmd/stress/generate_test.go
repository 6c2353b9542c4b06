package stress

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// environment is one version of a set of releases.
type environment struct {
	prefix   string // of its namespaces, and its owner
	group    string // of its kind Thing; empty: no release brings one
	history  int    // revisions that Helm keeps of a release
	mark     byte   // of what this version brings, 'a' in the first one
	releases []release
}

// release is one release of an environment.
type release struct {
	id        id
	needs     []id // of releases that come before it in environment.releases
	group     string
	chart     string
	values    values
	installed bool
	wait      bool
	timeout   int // seconds
}

// id names a release.
type id struct{ Namespace, Name string }

func (i id) String() string { return i.Namespace + "/" + i.Name }

// values are those of the chart unit.
type values struct {
	Maps    int    `json:"maps"`
	Mark    string `json:"mark"`
	Secret  bool   `json:"secret,omitempty"`
	Thing   string `json:"thing,omitempty"`
	App     *app   `json:"app,omitempty"`
	Hooks   []hook `json:"hooks,omitempty"`
	Broken  bool   `json:"broken,omitempty"`
	Refused bool   `json:"refused,omitempty"`
}

type app struct {
	Replicas int    `json:"replicas"`
	Selector string `json:"selector"`
	Fail     string `json:"fail,omitempty"`
	Delay    string `json:"delay,omitempty"`
}

type hook struct {
	Event  string `json:"event"`
	Policy string `json:"policy"`
	Fail   string `json:"fail,omitempty"`
	Delay  string `json:"delay,omitempty"`
}

func (r release) clone() release {
	r.needs, r.values.Hooks = slices.Clone(r.needs), slices.Clone(r.values.Hooks)
	if r.values.App != nil {
		one := *r.values.App
		r.values.App = &one
	}
	return r
}

func (e environment) clone() environment {
	releases := make([]release, len(e.releases))
	for i, r := range e.releases {
		releases[i] = r.clone()
	}
	e.releases = releases
	return e
}

// owner is how the labels of records name whose they are.
func (e environment) owner() string {
	sum := sha256.Sum256([]byte(e.prefix + ", environment default"))
	return "sha256-" + hex.EncodeToString(sum[:16])
}

// namespaces are those that its releases are in.
func (e environment) namespaces() []string {
	var names []string
	for _, r := range e.releases {
		names = append(names, r.id.Namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// newEnvironment makes up a first version. Every need points to a release before
// it, so there are no cycles.
func newEnvironment(rng *rand.Rand, seed uint64, size int) environment {
	e := environment{prefix: fmt.Sprintf("st-%d-%s", seed, letters(4)), history: 1000, mark: 'a'}
	if rng.IntN(3) == 0 {
		e.history = 1 + rng.IntN(3)
	}
	if rng.IntN(4) == 0 {
		e.group = e.prefix + ".stress.flotilla.sh"
		e.releases = append(e.releases, release{
			id: id{e.prefix + "-0", "kinds"}, chart: "kinds", values: values{Mark: "a"}, installed: true, timeout: patienceOfHealthy,
		})
	}
	for len(e.releases) < size {
		e.releases = append(e.releases, e.another(rng))
	}
	return e
}

// patienceOfHealthy is the timeout, in seconds, of releases that nothing ails:
// many at once take long on a small machine.
const patienceOfHealthy = 200

// letters makes names of their own where two runs share a cluster.
func letters(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('a' + rand.IntN(26))
	}
	return string(text)
}

// another makes up one more release.
func (e environment) another(rng *rand.Rand) release {
	r := release{
		id:        id{fmt.Sprintf("%s-%d", e.prefix, rng.IntN(4)), fmt.Sprintf("r%03d", len(e.releases))},
		chart:     "unit",
		values:    values{Maps: 1 + rng.IntN(3), Mark: string(e.mark), Secret: rng.IntN(4) == 0},
		installed: rng.IntN(8) > 0,
		wait:      rng.IntN(2) == 0,
		timeout:   patienceOfHealthy,
	}
	if rng.IntN(3) == 0 {
		r.values.App = &app{Replicas: rng.IntN(3), Selector: "a"}
		if rng.IntN(3) == 0 {
			r.values.App.Delay = fmt.Sprintf("%dms", 200+rng.IntN(1000))
		}
	}
	for _, event := range events {
		if rng.IntN(8) == 0 {
			r.values.Hooks = append(r.values.Hooks, hook{Event: event, Policy: policies[rng.IntN(len(policies))]})
		}
	}
	if e.group != "" && rng.IntN(4) == 0 {
		r.values.Thing = e.group
		r.needs = append(r.needs, e.releases[0].id)
	}
	if rng.IntN(4) == 0 {
		r.group = fmt.Sprintf("group-%d", rng.IntN(3))
	}
	for range rng.IntN(3) {
		if len(e.releases) > 0 {
			r.needs = append(r.needs, e.releases[rng.IntN(len(e.releases))].id)
		}
	}
	slices.SortFunc(r.needs, func(a, b id) int { return strings.Compare(a.String(), b.String()) })
	r.needs = slices.Compact(r.needs)
	return r
}

var (
	events = []string{"pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-rollback", "post-rollback", "pre-delete", "post-delete"}
	// policies are Helm's: what becomes of a hook's object. Not among them is
	// hook-succeeded alone: what a hook that failed leaves is in the way of the next
	// one then, with Helm as with flotilla.
	policies = []string{"before-hook-creation", "before-hook-creation,hook-succeeded"}
)

// changed makes up the next version: of most releases something differs, some go,
// some come.
func (e environment) changed(rng *rand.Rand) environment {
	next := e.clone()
	next.mark++
	for i := range next.releases {
		r := &next.releases[i]
		if r.chart != "unit" {
			continue
		}
		switch rng.IntN(8) {
		case 0: // as it is
			continue
		case 1:
			r.installed = !r.installed
		case 2:
			r.values.Maps = 1 + rng.IntN(4)
		case 3:
			if r.values.App == nil {
				r.values.App = &app{Replicas: 1, Selector: "a"}
			} else {
				r.values.App = nil
			}
		}
		r.values.Mark = string(next.mark)
	}
	for range 1 + rng.IntN(1+len(e.releases)/6) {
		r := next.another(rng)
		if rng.IntN(3) == 0 {
			r.id.Namespace = fmt.Sprintf("%s-new%d", e.prefix, rng.IntN(2))
		}
		next.releases = append(next.releases, r)
	}
	return next
}

// wound is a way to make a release fail.
type wound string

// The wounds.
const (
	woundNone      wound = "none"
	woundRender    wound = "rendering fails"
	woundRefused   wound = "the admission policy refuses an object"
	woundHook      wound = "a hook's Job fails"
	woundHookHangs wound = "a hook's Job never ends"
	woundUnready   wound = "a Deployment is never ready"
	woundImmutable wound = "a field cannot be changed"
)

// wounds are those that show only while the plan is executed.
var wounds = []wound{woundRefused, woundHook, woundHookHangs, woundUnready, woundImmutable}

// wounded makes the release at i, which may be there before, fail.
func (e environment) wounded(rng *rand.Rand, i int, how wound, before snapshot) environment {
	next := e.clone()
	r := &next.releases[i]
	r.installed, r.values.Mark = true, string(e.mark)
	event := "install"
	if before.installed(r.id) {
		event = "upgrade"
	}
	event = []string{"pre-", "post-"}[rng.IntN(2)] + event
	hooks := slices.DeleteFunc(r.values.Hooks, func(h hook) bool { return h.Event == event })
	short := 5 + rng.IntN(5)
	if len(e.releases) > 50 {
		short += 15 // an undo has to be ready in that time, too, beside many others
	}
	_, deployed := before.objects[object{"Deployment", r.id.Namespace, r.id.Name}]
	if how == woundImmutable && (!deployed || r.values.App == nil) {
		how = woundRefused
	}
	switch how {
	case woundNone:
	case woundRender:
		r.values.Broken = true
	case woundRefused:
		r.values.Refused = true
	case woundHook:
		r.values.Hooks = append(hooks, hook{Event: event, Policy: policies[rng.IntN(len(policies))], Fail: "job-failure"})
	case woundHookHangs:
		r.values.Hooks, r.timeout = append(hooks, hook{Event: event, Policy: policies[0], Fail: "never-ready"}), short
	case woundUnready:
		selector := "a"
		if r.values.App != nil {
			selector = r.values.App.Selector
		}
		r.values.App, r.wait, r.timeout = &app{Replicas: 1, Selector: selector, Fail: "never-ready"}, true, short
	case woundImmutable:
		r.values.App.Selector = "b"
	}
	return next
}

// write puts the state file and the charts into a folder.
func (e environment) write(t testing.TB, dir string) {
	t.Helper()
	e.charts(t, dir)
	file := map[string]any{"owner": e.prefix, "releases": e.declared(), "helmDefaults": map[string]any{"historyMax": e.history}}
	data, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "helmfile.yaml"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (e environment) declared() []map[string]any {
	var all []map[string]any
	for _, r := range e.releases {
		one := map[string]any{
			"name": r.id.Name, "namespace": r.id.Namespace, "chart": "./charts/" + r.chart, "values": []values{r.values},
			"installed": r.installed, "wait": r.wait, "timeout": r.timeout,
		}
		if r.group != "" {
			one["atomicGroup"] = r.group
		}
		var needs []string
		for _, n := range r.needs {
			needs = append(needs, n.String())
		}
		if needs != nil {
			one["needs"] = needs
		}
		all = append(all, one)
	}
	return all
}

// charts copies the charts, once.
func (e environment) charts(t testing.TB, dir string) {
	t.Helper()
	to := filepath.Join(dir, "charts")
	if _, err := os.Stat(to); err == nil {
		return
	}
	if err := os.CopyFS(to, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	if e.group == "" {
		return
	}
	err := filepath.WalkDir(filepath.Join(to, "kinds"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "GROUP", e.group)), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
