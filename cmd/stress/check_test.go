package stress

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// event is a line about a step.
type event struct {
	Event   string
	Release struct{ Namespace, Name string }
	Action  string
	Undo    bool
	Outcome string
}

func (e event) id() id { return id(e.Release) }

// report is the last line of a run.
type report struct {
	Failed, Undone, Interrupted bool
	Results                     []struct {
		Release         struct{ Namespace, Name string }
		Action, Outcome string
	}
	NotUndone []string
}

// outcomes are those of the report, by release.
func (r report) outcomes() map[id]string {
	all := map[id]string{}
	for _, x := range r.Results {
		all[id(x.Release)] = x.Outcome
	}
	return all
}

// reportOf is the report of a run that has one.
func reportOf(t testing.TB, e ended) report {
	t.Helper()
	all := lines[report](t, e.stdout, "report")
	if len(all) != 1 {
		t.Fatalf("%d reports in: %s\n%s", len(all), e, e.stdout)
	}
	return all[0]
}

// outOfOrder tells which steps began before one that they need had ended: what is
// applied comes after what it needs, what is deleted before that, and an undo
// goes the other way.
func outOfOrder(e environment, seen []event) []string {
	var faults []string
	for _, undo := range []bool{false, true} {
		began, finished, action := map[id]int{}, map[id]int{}, map[id]string{}
		for i, v := range seen {
			switch {
			case v.Undo != undo:
			case v.Event == "started":
				began[v.id()], action[v.id()] = i, v.Action
			case began[v.id()] > 0 || v.Outcome != "skipped":
				finished[v.id()] = i
				if !undo && v.Outcome != "done" {
					finished[v.id()] = len(seen) // nothing may come after it
				}
			}
		}
		for _, r := range e.releases {
			for _, need := range r.needs {
				first, second := need, r.id
				if action[r.id] == "uninstall" || action[r.id] == "remove" || undo && action[r.id] == "rollback" {
					first, second = second, first
				}
				b, started := began[second]
				f, ended := finished[first]
				if !started || action[first] == "" {
					continue
				}
				if undo && action[r.id] == "rollback" && restores(seen, r.id) {
					continue // what was deleted before what it needs comes back after it
				}
				if !ended || f > b {
					faults = append(faults, fmt.Sprintf("%s (%s, undo: %v) began before %s (%s) had ended", second, action[second], undo, first, action[first]))
				}
			}
		}
	}
	return faults
}

// restores reports whether the run uninstalled a release, so that its undo
// installs it.
func restores(seen []event, name id) bool {
	return slices.ContainsFunc(seen, func(e event) bool { return !e.Undo && e.id() == name && e.Action == "uninstall" })
}

// asBefore holds a cluster against how it was: releases, objects, namespaces.
// What hooks leave, and what is only there for that, has to be in notUndone.
func asBefore(was, is snapshot, notUndone []string) []string {
	var faults []string
	names := map[id]bool{}
	for name := range was.releases {
		names[name] = true
	}
	for name := range is.releases {
		names[name] = true
	}
	for _, name := range slices.SortedFunc(maps.Keys(names), func(a, b id) int { return strings.Compare(a.String(), b.String()) }) {
		faults = append(faults, sameRelease(name, was.releases[name], is.releases[name], was.history)...)
	}
	faults = append(faults, sameObjects(was.objects, is.objects)...)
	named := func(kind, name string) bool {
		return slices.ContainsFunc(notUndone, func(text string) bool { return strings.Contains(text, kind) && strings.Contains(text, name) })
	}
	for _, o := range slices.SortedFunc(maps.Keys(is.hooks), compareObjects) {
		if _, there := was.hooks[o]; !there && !named(o.Kind, o.Name) {
			faults = append(faults, o.String()+": a hook left it, and nothing says so")
		}
	}
	for _, ns := range is.namespaces {
		if !slices.Contains(was.namespaces, ns) && !named("Namespace", ns) {
			faults = append(faults, "namespace "+ns+" was not there, and nothing says that it stays")
		}
	}
	for _, ns := range was.namespaces {
		if !slices.Contains(is.namespaces, ns) {
			faults = append(faults, "namespace "+ns+" is gone")
		}
	}
	return faults
}

// asWanted holds one release against what is declared. kept: a run that failed may
// have uninstalled it, and kept its history for whoever wants to undo that.
func asWanted(r release, is stored, kept bool) []string {
	if !r.installed {
		if is.newest > 0 && !(kept && is.status == "uninstalled") {
			return []string{fmt.Sprintf("%s is not to be installed, and is at revision %d, %s", r.id, is.newest, is.status)}
		}
		return nil
	}
	var faults []string
	if is.status != "deployed" {
		faults = append(faults, fmt.Sprintf("%s is %q, not deployed", r.id, is.status))
	}
	var content []json.RawMessage
	var have values
	if err := json.Unmarshal([]byte(is.revisions[is.newest].content), &content); err != nil || json.Unmarshal(content[1], &have) != nil {
		return append(faults, fmt.Sprintf("%s: its revision cannot be read", r.id))
	}
	if want, got := jsonOf(r.values), jsonOf(have); want != got {
		faults = append(faults, fmt.Sprintf("%s has the values %s, want %s", r.id, got, want))
	}
	return faults
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// kept are the releases that failed runs uninstalled and did not put back.
func kept(t testing.TB, all ...ended) map[id]bool {
	names := map[id]bool{}
	for _, e := range all {
		for _, one := range lines[report](t, e.stdout, "report") {
			for _, x := range one.Results {
				names[id(x.Release)] = names[id(x.Release)] || one.Failed && x.Action == "uninstall" && x.Outcome == "done"
			}
		}
	}
	return names
}

// allAsWanted holds a cluster against what is declared; kept as asWanted has it.
func allAsWanted(e environment, is snapshot, kept map[id]bool) []string {
	var faults []string
	known := map[id]bool{}
	for _, r := range e.releases {
		faults = append(faults, asWanted(r, is.releases[r.id], kept[r.id])...)
		known[r.id] = true
	}
	for name := range is.releases {
		if !known[name] {
			faults = append(faults, name.String()+" is nowhere declared")
		}
	}
	return append(faults, is.sound()...)
}

// none fails a test that found faults.
func none(t testing.TB, what string, faults []string) {
	t.Helper()
	if len(faults) == 0 {
		return
	}
	more := ""
	if n := len(faults); n > 20 {
		faults, more = faults[:20], fmt.Sprintf("\nand %d more", n-20)
	}
	t.Errorf("%s:\n%s%s", what, strings.Join(faults, "\n"), more)
}
