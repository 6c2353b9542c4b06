package report

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/plan/drift"
)

// node is an element as it stands in the file.
type node struct {
	name     string
	attrs    map[string]string
	children []*node
	text     string
}

func parseXML(t *testing.T, text string) *node {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	root := &node{}
	open := []*node{root}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return root.children[0]
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		top := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			n := &node{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				n.attrs[a.Name.Local] = a.Value
			}
			top.children = append(top.children, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			top.text += string(token)
		}
	}
}

func (n *node) names() []string {
	var all []string
	for _, c := range n.children {
		all = append(all, c.name)
	}
	return all
}

// wants holds an element against the attributes that the schema asks for, each
// with the form of its value, and no other.
func (n *node) wants(t *testing.T, forms map[string]string) {
	t.Helper()
	for name, form := range forms {
		value, has := n.attrs[name]
		if optional := strings.TrimPrefix(form, "?"); optional != form {
			form = optional
			if !has {
				continue
			}
		}
		if !has || !regexp.MustCompile("^(?s:"+form+")$").MatchString(value) {
			t.Errorf("<%s %s=%q>, there: %v; want %s", n.name, name, value, has, form)
		}
	}
	for name := range n.attrs {
		if _, known := forms[name]; !known {
			t.Errorf("<%s> has an attribute %s", n.name, name)
		}
	}
}

const (
	aToken  = `\S+( \S+)*` // as xs:token keeps it
	aNumber = `\d+`
	aTime   = `\d+(\.\d{3})?`
)

// TestJUnitFollowsTheSchemaOfAnt also follows that of Jenkins, which asks for
// less: names and counts.
func TestJUnitFollowsTheSchemaOfAnt(t *testing.T) {
	for name, r := range runs() {
		t.Run(name, func(t *testing.T) {
			root := parseXML(t, written(t, FormatJUnit, r))
			root.wants(t, nil)
			if root.name != "testsuites" || len(root.children) == 0 {
				t.Fatalf("root %s with %d suites", root.name, len(root.children))
			}
			for i, suite := range root.children {
				checkSuite(t, i, suite)
			}
		})
	}
}

func checkSuite(t *testing.T, at int, suite *node) {
	t.Helper()
	suite.wants(t, map[string]string{
		"name": aToken, "package": aToken, "id": strconv.Itoa(at), "timestamp": `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`, "hostname": aToken,
		"tests": aNumber, "failures": aNumber, "errors": aNumber, "skipped": aNumber, "time": aTime,
	})
	names := suite.names()
	last := len(names) - 2
	if suite.name != "testsuite" || last < 1 || names[0] != "properties" || names[last] != "system-out" || names[last+1] != "system-err" {
		t.Fatalf("<%s> has %v", suite.name, names)
	}
	for _, p := range suite.children[0].children {
		p.wants(t, map[string]string{"name": aToken, "value": ".*"})
	}
	count := map[string]int{}
	for _, c := range suite.children[1:last] {
		if c.name != "testcase" || len(c.children) > 1 {
			t.Errorf("<%s> among the cases, with %v", c.name, c.names())
		}
		c.wants(t, map[string]string{"name": aToken, "classname": aToken, "time": aTime})
		for _, what := range c.children {
			count[what.name]++
			switch what.name {
			case "failure", "error":
				what.wants(t, map[string]string{"type": ".+", "message": ".+"})
			case "skipped":
				what.wants(t, map[string]string{"message": "?.+", "type": "?.+"})
			default:
				t.Errorf("a case has <%s>", what.name)
			}
		}
	}
	for attr, n := range map[string]int{"tests": last - 1, "failures": count["failure"], "errors": count["error"], "skipped": count["skipped"]} {
		if suite.attrs[attr] != strconv.Itoa(n) {
			t.Errorf("%s=%s, and there are %d", attr, suite.attrs[attr], n)
		}
	}
}

func TestJUnitFailsWhereTheExitCodeIsNotZero(t *testing.T) {
	for name, r := range runs() {
		text := written(t, FormatJUnit, r)
		faults := strings.Contains(text, "<failure") || strings.Contains(text, "<error")
		if faults != (r.ExitCode != 0) {
			t.Errorf("%s, exit code %d:\n%s", name, r.ExitCode, text)
		}
	}
	stale := compared()
	stale.ExitCode, stale.Plan = 4, nil
	if text := written(t, FormatJUnit, stale); !strings.Contains(text, `<error message="exit code 4" type="exit code">`) {
		t.Errorf("an exit code that nothing explains:\n%s", text)
	}
}

func TestAReleaseThatAFixPutBackDoesNotFailBesideOneThatItLeftAlone(t *testing.T) {
	r := fixed()
	r.ExitCode = exitChanges
	r.Drift.Findings = append(r.Drift.Findings, drift.Finding{Kind: drift.KindAbsent, Release: id("db"), Text: "it was never installed"})
	text := written(t, FormatJUnit, r)
	if n := strings.Count(text, "<failure"); n != 1 || !strings.Contains(text, `<failure message="it was never installed" type="drift">`) {
		t.Errorf("%d failures in\n%s", n, text)
	}
}

func TestJUnitKeepsTextsWhole(t *testing.T) {
	root := parseXML(t, written(t, FormatJUnit, nasty()))
	var texts []string
	var walk func(n *node)
	walk = func(n *node) {
		if n.name == "failure" || n.name == "error" {
			texts = append(texts, n.text)
		}
		for _, c := range n.children {
			walk(c)
		}
	}
	walk(root)
	if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "]]> ") && strings.Contains(s, "</details>") }) {
		t.Errorf("the end of a section, or markup, is lost: %q", texts)
	}
}
