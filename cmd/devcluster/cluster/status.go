package cluster

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
)

// State is how one component is.
type State string

// The states.
const (
	Running State = "running"
	Paused  State = "paused"
	Dead    State = "dead"
)

// ComponentStatus is the state of one component.
type ComponentStatus struct {
	Name  components.Name `json:"name"`
	State State           `json:"state"`
	PID   int             `json:"pid,omitempty"`
	Log   string          `json:"log"`
}

// Status is the state of a cluster whose supervisor runs.
type Status struct {
	Supervisor int               `json:"supervisor"`
	Components []ComponentStatus `json:"components"`
}

// String is one line for each component.
func (s Status) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s %-8s %d\n", "supervisor", Running, s.Supervisor)
	for _, c := range s.Components {
		fmt.Fprintf(&b, "%-20s %-8s %-8d %s\n", c.Name, c.State, c.PID, c.Log)
	}
	return b.String()
}

// Err names the components that do not run; nil means that all do.
func (s Status) Err() error {
	var errs []error
	for _, c := range s.Components {
		if c.State != Running {
			errs = append(errs, fmt.Errorf("%s is %s", c.Name, c.State))
		}
	}
	return errors.Join(errs...)
}
