package report

import (
	"encoding/json"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaOf is the schema of OASIS, which a library has in its source.
func schemaOf(t *testing.T) *jsonschema.Schema {
	t.Helper()
	const library = "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	at, err := build.Import(library, ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(at.Dir, "schema.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	literal := file.Decls[0].(*ast.GenDecl).Specs[0].(*ast.ValueSpec).Values[0].(*ast.BasicLit)
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("sarif.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestSARIFFollowsTheSchema also has a library read the file that knows every
// field: none is unknown to it.
func TestSARIFFollowsTheSchema(t *testing.T) {
	schema := schemaOf(t)
	if schema.Validate(map[string]any{"version": "2.1.0", "runs": []any{map[string]any{"tool": "flotilla"}}}) == nil {
		t.Fatal("the schema takes a tool that is a text: it is not the one that it should be")
	}
	for name, r := range runs() {
		t.Run(name, func(t *testing.T) {
			text := written(t, FormatSARIF, r)
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document); err != nil {
				t.Errorf("%v\n%s", err, text)
			}
			var read sarif.Report
			dec := json.NewDecoder(strings.NewReader(text))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&read); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if len(read.Runs) != 1 || (r.ExitCode == 0 || r.ExitCode == 2) != *read.Runs[0].Invocations[0].ExecutionSuccessful {
				t.Errorf("exit code %d is told wrongly", r.ExitCode)
			}
			for _, one := range read.Runs[0].Results {
				checkResult(t, one, read.Runs[0].Tool.Driver.Rules)
			}
		})
	}
}

func checkResult(t *testing.T, one *sarif.Result, rules []*sarif.ReportingDescriptor) {
	t.Helper()
	if *rules[one.RuleIndex].ID != *one.RuleID {
		t.Errorf("rule %d is %s, not %s", one.RuleIndex, *rules[one.RuleIndex].ID, *one.RuleID)
	}
	if len(one.Locations) == 0 || one.Locations[0].PhysicalLocation == nil {
		t.Errorf("%s has no location in a file", *one.Message.Text)
		return
	}
	uri := *one.Locations[0].PhysicalLocation.ArtifactLocation.URI
	if parsed, err := url.Parse(uri); err != nil || parsed.IsAbs() && parsed.Scheme != "file" || strings.HasPrefix(uri, "/") {
		t.Errorf("uri %q", uri)
	}
}

func TestFindingsKeepTheirFingerprints(t *testing.T) {
	prints := func(r Run) []string {
		var all []string
		facts := factsOf(r)
		for _, f := range facts.findings() {
			all = append(all, fingerprint(facts, f))
		}
		return all
	}
	first, later := drifted(), drifted()
	later.Drift.Findings[0].Live, later.Drift.Findings[0].Time = "9", clockAt(30) // another value of the same field
	if d := cmp.Diff(prints(first), prints(later)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	all := prints(first)
	slices.Sort(all)
	if len(slices.Compact(all)) != len(prints(first)) {
		t.Errorf("two findings share one fingerprint: %v", all)
	}
}

func TestPathsAreToldFromTheRootOfTheRepository(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"a file below the root", "/repo/env/helmfile.yaml", "env/helmfile.yaml"},
		{"a path from the working folder", "values/web.yaml", "env/values/web.yaml"},
		{"one above the working folder", "../base.yaml", "base.yaml"},
		{"what has to be escaped", "/repo/a b/ä#1?.yaml", "a%20b/%C3%A4%231%3F.yaml"},
		{"a first part with a colon", "/repo/c:d.yaml", "./c:d.yaml"},
		{"a file that is elsewhere", "/etc/flotilla/helmfile.yaml", "file:///etc/flotilla/helmfile.yaml"},
		{"a remote file", "https://git.example/x.yaml", "https://git.example/x.yaml"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Options{Dir: "/repo/env", Root: "/repo"}).uri(tt.file); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
