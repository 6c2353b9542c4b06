package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// The works.
const (
	workDiff    = "diff"    // nothing changed
	workChange  = "change"  // an apply in which one release changed
	workInstall = "install" // a first apply, without waiting
)

// tool is one of the measured programs.
type tool struct {
	name  string
	other bool // slow: runs less often, and not with many releases
	// commands of a work on a set of releases; nil: the tool cannot do that.
	commands func(work string, at place) [][]string
}

// place is where a work is done.
type place struct {
	set
	namespace  string
	kubeconfig string
}

func (o options) tools() ([]tool, error) {
	flotilla, err := filepath.Abs(o.flotilla)
	if err != nil {
		return nil, err
	}
	floor, err := filepath.Abs(o.floor)
	if err != nil {
		return nil, err
	}
	for _, path := range []string{flotilla, floor} {
		if _, err := exec.LookPath(path); err != nil {
			return nil, fmt.Errorf("looking for what is measured: %w; make bench builds it", err)
		}
	}
	tools := []tool{
		{name: "floor", commands: func(work string, at place) [][]string {
			if work != workDiff {
				return nil
			}
			return [][]string{{floor, at.kubeconfig, at.namespace, at.charts()}}
		}},
		{name: "flotilla", commands: func(work string, _ place) [][]string {
			if work == workDiff {
				return [][]string{{flotilla, "diff", "--detailed-exitcode"}}
			}
			return [][]string{{flotilla, "apply"}}
		}},
	}
	if o.otherRounds > 0 {
		tools = append(tools, others()...)
	}
	return tools, nil
}

// others are the tools that are on the PATH.
func others() []tool {
	var found []tool
	have := func(name string) bool { _, err := exec.LookPath(name); return err == nil }
	if have("helmfile") && have("helm") && exec.Command("helm", "diff", "version").Run() == nil {
		found = append(found, tool{name: "helmfile", other: true, commands: func(work string, _ place) [][]string {
			switch work {
			case workDiff:
				return [][]string{{"helmfile", "diff", "--detailed-exitcode"}}
			case workChange:
				return [][]string{{"helmfile", "apply"}}
			default:
				return [][]string{{"helmfile", "sync"}}
			}
		}})
	}
	if have("helmwave") {
		found = append(found, tool{name: "helmwave", other: true, commands: func(work string, _ place) [][]string {
			if work == workDiff {
				return [][]string{{"helmwave", "build", "--diff-mode", "live"}}
			}
			return [][]string{{"helmwave", "build", "--diff-mode", "none"}, {"helmwave", "up"}}
		}})
	}
	return found
}
