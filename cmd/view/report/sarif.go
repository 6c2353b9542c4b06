package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/drift"
	"github.com/flotilla-sh/flotilla/spec"
)

// Only the parts of SARIF 2.1.0 that are told here. Source: the OASIS standard
// sarif-schema-2.1.0.json, and what code scanning of GitHub asks for beyond it:
// every result has a location, and its uri is relative to the repository.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Automation  sarifAutomation   `json:"automationDetails"`
	Invocations []sarifInvocation `json:"invocations"`
	Results     []sarifResult     `json:"results"`
	ColumnKind  string            `json:"columnKind"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Short   sarifMessage `json:"shortDescription"`
	Default struct {
		Level sarifLevel `json:"level"`
	} `json:"defaultConfiguration"`
}

type sarifAutomation struct {
	ID string `json:"id"`
}

type sarifInvocation struct {
	Successful bool `json:"executionSuccessful"`
	ExitCode   int  `json:"exitCode"`
}

type sarifResult struct {
	RuleID       string             `json:"ruleId"`
	RuleIndex    int                `json:"ruleIndex"`
	Level        sarifLevel         `json:"level"`
	Message      sarifMessage       `json:"message"`
	Locations    []sarifLocation    `json:"locations,omitempty"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification"`
}

type sarifMessage struct {
	Text string `json:"text"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifactLocation"`
	Region sarifRegion `json:"region"`
}

type sarifRegion struct {
	Line   int `json:"startLine"`
	Column int `json:"startColumn,omitempty"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
}

type sarifLevel string

const (
	levelError   sarifLevel = "error"
	levelWarning sarifLevel = "warning"
)

// rule is a sort of result.
type rule struct {
	id, name, text string
	level          sarifLevel
}

const (
	ruleError      = "error"
	ruleFailed     = "release-failed"
	ruleNotUndone  = "not-undone"
	ruleObjection  = "objection"
	informationURI = "https://github.com/flotilla-sh/flotilla"
	sarifSchema    = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

func rules() []rule {
	return []rule{
		{ruleError, "CommandFailed", "The command failed, or could not see everything.", levelError},
		{ruleFailed, "ReleaseFailed", "The step of a release did not end well.", levelError},
		{ruleNotUndone, "NotUndone", "Something that a run did could not be put back.", levelError},
		{ruleObjection, "Objection", "The cluster would refuse what is declared.", levelError},
		{driftRule(drift.KindChanged), "DriftChanged", "A field has another value than was deployed.", levelWarning},
		{driftRule(drift.KindRemoved), "DriftRemoved", "A field that was deployed is not there any more.", levelWarning},
		{driftRule(drift.KindMissing), "DriftMissing", "An object that was deployed is not there any more.", levelWarning},
		{driftRule(drift.KindAdded), "DriftAdded", "A field is there that nobody declared.", levelWarning},
		{driftRule(drift.KindAbsent), "DriftNotInstalled", "A release that is declared is not installed.", levelWarning},
		{driftRule(drift.KindFailed), "DriftFailed", "The newest operation on a release failed.", levelWarning},
		{driftRule(drift.KindPending), "DriftPending", "An operation on a release is under way, or was cut off.", levelWarning},
		{driftRule(drift.KindOutside), "DriftOutside", "The newest revision of a release was made outside of flotilla.", levelWarning},
		{driftRule(drift.KindUndeclared), "DriftUndeclared", "A release of this owner is not declared any more.", levelWarning},
	}
}

func driftRule(k drift.Kind) string { return "drift-" + strings.ReplaceAll(string(k), " ", "-") }

// finding is a result before it is laid out.
type finding struct {
	rule    string
	release spec.ReleaseID // zero: of none
	at      spec.Pos
	text    string
	key     string // tells findings of one rule and release apart, the same in each run
	because string // why it does not count; empty: it does
}

func writeSARIF(b *bytes.Buffer, r *facts, opts Options) error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "flotilla", Version: text(r.Flotilla), InformationURI: informationURI}},
		Automation:  sarifAutomation{text("flotilla/" + r.Command + "/" + r.Environment + "/")},
		Invocations: []sarifInvocation{{Successful: r.ExitCode == 0 || r.ExitCode == exitChanges, ExitCode: r.ExitCode}},
		Results:     []sarifResult{}, ColumnKind: "unicodeCodePoints",
	}
	index, known := map[string]int{}, rules()
	for i, one := range known {
		index[one.id] = i
		out := sarifRule{ID: "flotilla/" + one.id, Name: one.name, Short: sarifMessage{one.text}}
		out.Default.Level = one.level
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, out)
	}
	for _, f := range r.findings() {
		i := index[f.rule]
		run.Results = append(run.Results, sarifResult{
			RuleID: "flotilla/" + f.rule, RuleIndex: i, Level: known[i].level, Message: sarifMessage{text(f.text)},
			Locations:    r.locations(f, opts),
			Fingerprints: map[string]string{"flotilla/v1": fingerprint(r, f)}, Suppressions: suppressions(f),
		})
	}
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{sarifSchema, "2.1.0", []sarifRun{run}})
}

// findings are all that somebody has to look at, in order of the plan.
func (r *facts) findings() []finding {
	var all []finding
	for _, err := range r.faults() {
		all = append(all, finding{rule: ruleError, at: placeOf(err), text: err.Error(), key: err.Error()})
	}
	for _, one := range r.releases {
		of := func(rule, text, key string) {
			all = append(all, finding{rule: rule, release: one.id, at: one.step.Release.Pos, text: r.name(one.id) + ": " + text, key: key})
		}
		if one.failed() {
			of(ruleFailed, string(one.result.Outcome)+": "+one.trouble(), "")
		}
		if one.result == nil {
			for _, o := range one.step.Objections {
				of(ruleObjection, objectionText(o), o.Object.String()+" "+o.Field+" "+string(o.Kind))
			}
		}
	}
	all = append(all, r.sarifDrift()...)
	if r.Executed != nil {
		for _, l := range r.Executed.Lost {
			all = append(all, finding{rule: ruleNotUndone, release: l.Release, at: r.declared(l.Release),
				text: r.name(l.Release) + ": " + l.Object.String() + " was not put back: " + l.Why, key: l.Object.String()})
		}
	}
	return all
}

// sarifDrift also has what rules of the state file say does not count: SARIF has
// a place for results that are suppressed.
func (r *facts) sarifDrift() []finding {
	var all []finding
	add := func(f drift.Finding, because string) {
		all = append(all, finding{
			rule: driftRule(f.Kind), release: f.Release, at: r.declared(f.Release), text: r.name(f.Release) + ": " + findingText(f),
			key: f.Object.String() + " " + f.Object.Group + " " + f.Field, because: because,
		})
	}
	for _, f := range r.driftFindings() {
		add(f, "")
	}
	if r.Drift == nil {
		return all
	}
	for _, i := range r.Drift.Ignored {
		if i.Rule != nil {
			add(i.Finding, i.Because)
		}
	}
	return all
}

func objectionText(o plan.Objection) string {
	text := o.Object.String()
	if o.Field != "" {
		text += " " + strings.TrimPrefix(o.Field, ".")
	}
	return text + ": " + o.Message
}

func (r *facts) declared(id spec.ReleaseID) spec.Pos {
	if at, known := r.Declared[id]; known {
		return at
	}
	for _, one := range r.releases {
		if one.id == id {
			return one.step.Release.Pos
		}
	}
	return spec.Pos{}
}

// locations are the place in the state file, the file as a whole where no place
// is known, and the release.
func (r *facts) locations(f finding, opts Options) []sarifLocation {
	at := f.at
	if at.File == "" {
		at = spec.Pos{File: r.StateFile}
	}
	var l sarifLocation
	if at.File != "" && at.File != "-" {
		l.Physical = &sarifPhysical{Region: sarifRegion{Line: max(at.Line, 1), Column: at.Col}}
		l.Physical.Artifact.URI = opts.uri(at.File)
	}
	if f.release.Name != "" {
		l.Logical = []sarifLogical{{text(f.release.String())}}
	}
	if l.Physical == nil && l.Logical == nil {
		return nil
	}
	return []sarifLocation{l}
}

// uri names a file below the root by its path from there, and any other one by
// a URL.
func (o Options) uri(file string) string {
	if strings.Contains(file, "://") {
		return file
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(o.Dir, file)
	}
	root := o.Root
	if root == "" {
		root = o.Dir
	}
	if inside, err := filepath.Rel(root, file); err == nil && filepath.IsLocal(inside) {
		return (&url.URL{Path: filepath.ToSlash(inside)}).String()
	}
	return (&url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(filepath.ToSlash(file), "/")}).String()
}

func suppressions(f finding) []sarifSuppression {
	if f.because == "" {
		return nil
	}
	return []sarifSuppression{{Kind: "external", Justification: text(f.because)}}
}

func fingerprint(r *facts, f finding) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{f.rule, r.Environment, f.release.String(), f.key}, "\x00")))
	return hex.EncodeToString(sum[:16])
}
