package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/spec"
)

// The elements are those of the schema of Ant's JUnit task, which is stricter
// than the one of Jenkins: what is in order there is in order here. Source:
// JUnit.xsd of github.com/windyroad/JUnit-Schema and junit-10.xsd of Jenkins'
// xunit plugin. Both want counts to agree with what is listed.
type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Package    string          `xml:"package,attr"`
	ID         int             `xml:"id,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Hostname   string          `xml:"hostname,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
	Out        junitText       `xml:"system-out"`
	Err        junitText       `xml:"system-err"`

	took time.Duration
}

type junitText struct {
	Text string `xml:",cdata"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string      `xml:"name,attr"`
	Class   string      `xml:"classname,attr"`
	Time    string      `xml:"time,attr"`
	Skipped *junitFault `xml:"skipped"`
	Error   *junitFault `xml:"error"`
	Failure *junitFault `xml:"failure"`
}

type junitFault struct {
	Message string `xml:"message,attr,omitempty"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",cdata"`
}

// noTime is the timestamp, which the schema wants, of what has none.
const noTime = "1970-01-01T00:00:00"

// writeJUnit writes a suite with the command itself, and one for every namespace
// with a case for every release. Anything but an exit code of 0 shows in at
// least one case.
func writeJUnit(b *bytes.Buffer, r *facts) error {
	suites := []*junitSuite{r.junitCommand()}
	at := map[string]*junitSuite{}
	suite := func(id spec.ReleaseID) *junitSuite {
		name := classOf(id)
		if at[name] == nil {
			at[name] = r.newSuite(name)
			suites = append(suites, at[name])
		}
		return at[name]
	}
	for _, c := range r.junitCases() {
		suite(c.of.id).add(c.junitCase, c.of)
	}
	var all junitSuites
	for i, s := range suites {
		s.ID, s.Time = i, seconds(s.took)
		all.Suites = append(all.Suites, *s)
	}
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(b)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return fmt.Errorf("writing XML: %w", err)
	}
	b.WriteString("\n")
	return nil
}

func (r *facts) newSuite(name string) *junitSuite {
	s := &junitSuite{Name: filled(name), Package: "flotilla." + filled(r.Command), Timestamp: noTime, Hostname: "localhost"}
	if x := r.Executed; x != nil {
		s.Timestamp = x.Started.UTC().Format("2006-01-02T15:04:05")
	}
	for _, p := range []junitProperty{{"environment", r.Environment}, {"owner", r.Owner}, {"flotilla", r.Flotilla}} {
		if p.Value != "" {
			s.Properties = append(s.Properties, junitProperty{p.Name, text(p.Value)})
		}
	}
	return s
}

// junitCommand is the suite that has the command as its only case.
func (r *facts) junitCommand() *junitSuite {
	s := r.newSuite(strings.TrimSpace("flotilla " + r.Command + " " + r.Environment))
	c := junitCase{Name: filled(r.Command), Class: "flotilla", Time: "0"}
	var texts []string
	for _, err := range r.faults() {
		texts = append(texts, err.Error())
	}
	switch {
	case r.interrupted():
		c.Error = fault("interrupted", strings.Join(append([]string{"interrupted"}, texts...), "\n"))
	case len(texts) > 0:
		c.Error = fault("error", strings.Join(texts, "\n"))
	case r.ExitCode != 0 && !r.blamesRelease():
		c.Error = fault("exit code", fmt.Sprintf("exit code %d", r.ExitCode))
	}
	s.add(c, release{})
	out := ""
	if r.Drift != nil {
		out = view.DriftSummary(*r.Drift) + "\n"
	}
	if r.Plan != nil {
		out += view.Summary(r.Plan, r.Show) + "\n"
	}
	if r.Executed != nil {
		out += view.Ending(*r.Executed) + "\n"
		s.took = r.Executed.Finished.Sub(r.Executed.Started)
		s.Cases[0].Time = seconds(s.took)
	}
	s.Out.Text, s.Err.Text = text(out), text(strings.Join(r.Warnings, "\n"))
	return s
}

// blamesRelease reports whether the case of a release tells why the exit code is
// not 0.
func (r *facts) blamesRelease() bool {
	return slices.ContainsFunc(r.junitCases(), func(c releaseCase) bool { return c.Failure != nil || c.Error != nil })
}

// releaseCase is the case of a release.
type releaseCase struct {
	junitCase
	of release
}

// junitCases has one case for every release. That of a release that was looked at
// and then put back is about what failed last.
func (r *facts) junitCases() []releaseCase {
	var all []releaseCase
	at := map[spec.ReleaseID]int{}
	for _, id := range r.looked {
		at[id] = len(all)
		all = append(all, releaseCase{r.driftCase(id), release{id: id}})
	}
	for _, one := range r.releases {
		c := releaseCase{r.junitCase(one), one}
		i, looked := at[one.id]
		switch {
		case !looked:
			all = append(all, c)
		case all[i].Failure == nil && all[i].Error == nil || c.Failure != nil || c.Error != nil:
			all[i] = c
		}
	}
	return all
}

// junitCase tells of one release. That it changes is a failure where the exit
// code says that changes are; after a look for drift that code is of what still
// drifts.
func (r *facts) junitCase(one release) junitCase {
	c := junitCase{Name: filled(one.id.Name), Class: filled(classOf(one.id)), Time: "0"}
	told := words(view.Describe(*one.step, r.Show))
	if one.result != nil {
		c.Time = seconds(one.result.Elapsed)
	}
	switch {
	case one.failed():
		c.Failure = fault(string(one.result.Outcome), one.trouble())
	case one.result != nil && one.result.Outcome == executor.OutcomeSkipped:
		c.Skipped = fault("", one.result.Because)
	case one.result == nil && len(told.Objections) > 0:
		c.Failure = fault("objection", strings.Join(told.Objections, "\n"))
	case r.ExitCode == exitChanges && r.Drift == nil && one.step.Action.Writes():
		c.Failure = fault("change", told.text())
	}
	return c
}

// driftCase tells whether a release is as it was deployed. What could not be
// seen of it comes first: then nobody knows.
func (r *facts) driftCase(id spec.ReleaseID) junitCase {
	c := junitCase{Name: filled(id.Name), Class: filled(classOf(id)), Time: "0"}
	found, unseen := r.driftOf(id), r.unseenOf(id)
	switch {
	case len(unseen) > 0:
		c.Error = fault("not seen", strings.Join(append(unseen, found...), "\n"))
	case len(found) > 0:
		c.Failure = fault("drift", strings.Join(found, "\n"))
	}
	return c
}

// exitChanges is the exit code that says that there are changes.
const exitChanges = 2

func (s *junitSuite) add(c junitCase, of release) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	if of.result != nil {
		s.took += of.result.Elapsed
	}
}

// fault tells the first line as its message.
func fault(kind, of string) *junitFault {
	of = text(of)
	first, rest, _ := strings.Cut(of, "\n")
	f := &junitFault{Type: kind, Message: first}
	if rest != "" {
		f.Text = of
	}
	return f
}

// classOf is where a release is. A class is not empty.
func classOf(id spec.ReleaseID) string {
	where := strings.Trim(id.Context+"/"+id.Namespace, "/")
	if where == "" {
		return "default"
	}
	return where
}

func seconds(d time.Duration) string {
	if d <= 0 {
		return "0"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 3, 64)
}
