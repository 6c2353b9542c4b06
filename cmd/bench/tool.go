package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// tools finds what is to be measured; dir is a folder for links to it.
func (o options) tools(dir string) ([]tool, error) {
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
		{name: "bare", commands: func(work string, _ place) [][]string { // what lock and journal cost is seen beside it
			if work == workDiff {
				return nil
			}
			return [][]string{{flotilla, "apply", "--lock", "off", "--journal", "off"}}
		}},
		{name: "flotilla", commands: func(work string, _ place) [][]string {
			if work == workDiff {
				return [][]string{{flotilla, "diff", "--detailed-exitcode"}}
			}
			return [][]string{{flotilla, "apply"}}
		}},
	}
	if o.otherRounds > 0 {
		waves, err := helmwave(dir)
		if err != nil {
			return nil, err
		}
		tools = slices.Concat(tools, helmfile(), waves)
	}
	return tools, nil
}

func have(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// helmfile is there if all is that it starts.
func helmfile() []tool {
	var found []tool
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
	return found
}

// helmwave runs under the name of helm: by its own it would be another field
// manager, and in conflict with every release that the other tools made.
func helmwave(dir string) ([]tool, error) {
	real, err := exec.LookPath("helmwave")
	if err != nil {
		return nil, nil
	}
	link := filepath.Join(dir, "helmwave", "helm")
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return nil, err
	}
	if err := os.Symlink(real, link); err != nil {
		return nil, err
	}
	return []tool{{name: "helmwave", other: true, commands: func(work string, _ place) [][]string {
		if work == workDiff {
			return [][]string{{link, "build", "--diff-mode", "live"}}
		}
		return [][]string{{link, "build", "--diff-mode", "none"}, {link, "up"}}
	}}}, nil
}
