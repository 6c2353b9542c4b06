package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/cmd/view/report"
)

// TestEveryCommandThatTakesReportsWritesThem sets the flag of each command and
// wants it found: a command that is not in the list would take it and write
// nothing.
func TestEveryCommandThatTakesReportsWritesThem(t *testing.T) {
	var g grammar
	v := reflect.ValueOf(&g).Elem()
	set := 0
	for i := range v.NumField() {
		if v.Field(i).Kind() != reflect.Struct {
			continue
		}
		if flag := v.Field(i).FieldByName("Report"); flag.IsValid() {
			flag.Set(reflect.ValueOf([]string{"json=report.json"}))
			set++
		}
	}
	found := 0
	for _, flags := range g.reportFlags() {
		found += len(flags.Report)
	}
	if set < 6 || found != set {
		t.Errorf("%d commands take --report, %d write reports", set, found)
	}
}

func TestAReportIsAskedForInOneWay(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	tests := []struct {
		name  string
		typed []string
		want  string // part of the error; empty: it is taken
	}{
		{"a format and a file", []string{"json=" + at("a.json")}, ""},
		{"several", []string{"json=" + at("a.json"), "junit=" + at("a.xml"), "markdown=-"}, ""},
		{"a file whose name has an equals sign", []string{"json=" + at("a=b.json")}, ""},
		{"no file", []string{"json"}, "expected FORMAT=FILE, such as json=report.json"},
		{"an empty file", []string{"json="}, "expected FORMAT=FILE"},
		{"an unknown format", []string{"html=" + at("a.html")}, `unknown format "html": expected json, junit, markdown, prometheus or sarif`},
		{"a folder that is not there", []string{"json=" + at("no/a.json")}, "no such file or directory"},
		{"a folder in place of a file", []string{"json=" + dir}, "it is a folder"},
		{"two in one file", []string{"json=" + at("a"), "sarif=" + at("a")}, "another report goes to"},
		{"two to the standard output", []string{"json=-", "sarif=-"}, "another report goes to -"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := grammar{Diff: diffCmd{reportFlags: reportFlags{Report: tt.typed, ReportLimit: 60_000}}}
			_, err := g.reports(Env{}, nil)
			if got := errorText(err); tt.want == "" && err != nil || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("asking left %v behind: %v", entries, err)
	}
}

func TestReportsAndSecretsExcludeEachOther(t *testing.T) {
	g := grammar{Diff: diffCmd{reportFlags: reportFlags{Report: []string{"json=-"}, ReportLimit: 60_000}}}
	if _, err := g.reports(Env{}, map[string]bool{"show-secrets": true}); err == nil {
		t.Error("--show-secrets is taken beside --report")
	}
	g.Diff.ReportLimit = 100
	if _, err := g.reports(Env{}, nil); err == nil || !strings.Contains(err.Error(), "at least") {
		t.Errorf("a limit that nothing fits in: %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestAReportThatCannotBeWrittenIsAFailure(t *testing.T) {
	for code, want := range map[int]int{exitDone: exitFailed, exitChanges: exitFailed, exitStale: exitStale, exitNotUndone: exitNotUndone} {
		var errs bytes.Buffer
		plain, err := view.New(view.FormatHuman, view.Streams{Out: io.Discard, Err: &errs}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		r := &reports{targets: []reportTarget{{report.FormatJSON, toStdout}}, out: closedWriter{}, now: time.Now}
		v := r.collect(plain, Env{}, "diff", &Globals{})
		if got := r.write(v, code); got != want {
			t.Errorf("exit code %d became %d, want %d", code, got, want)
		}
		if !strings.Contains(errs.String(), "writing the report json=-: closed") {
			t.Errorf("it says %q", errs.String())
		}
	}
}
