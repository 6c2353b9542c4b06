// Package state says what exists: releases and their revisions as Helm stores
// them. What is wanted, once rendered, is a Revision too, so comparing both is
// ordinary code.
package state

import (
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

// Status is Helm's word for a stored revision.
type Status string

// Helm's statuses, from helm.sh/helm/v4/pkg/release/common.
const (
	StatusUnknown         Status = "unknown"
	StatusDeployed        Status = "deployed"
	StatusUninstalled     Status = "uninstalled"
	StatusSuperseded      Status = "superseded"
	StatusFailed          Status = "failed"
	StatusUninstalling    Status = "uninstalling"
	StatusPendingInstall  Status = "pending-install"
	StatusPendingUpgrade  Status = "pending-upgrade"
	StatusPendingRollback Status = "pending-rollback"
)

// Pending reports whether some Helm operation says that it is under way.
func (s Status) Pending() bool {
	return s == StatusPendingInstall || s == StatusPendingUpgrade || s == StatusPendingRollback
}

// Chart identifies the chart of a revision.
type Chart struct {
	Name       string
	Version    string
	AppVersion string
	Digest     string // sha256:... of its content in the chart store; empty for stored revisions
}

// Interrupted begins the description of a record in which an operation was under
// way that somebody found dead; what the record said follows.
const Interrupted = "Interrupted: was "

// Revision is one revision of a release, wanted or stored.
type Revision struct {
	Number      int // zero: wanted, not stored yet
	Status      Status
	Chart       Chart
	Values      map[string]any // what the user supplied, without the chart's defaults
	Stream      []byte         // objects as Helm stores them: "---\n# Source: ...\n", no hooks
	Hooks       []Hook         // in Helm's stored order
	Notes       string
	Description string
	Labels      map[string]string // of the Helm release record, system labels left out
	Deployed    time.Time         // when this revision was written
	ApplyMethod string            // "ssa", "csa" or empty for csa
	Writer      string            // stored only: the program that wrote the record last, such as helm; empty: unknown
	RolledBack  int               // stored only: the revision that a rollback made this one of; zero: none did
	CRDs        []CRDFile         // wanted only: the chart's crds/ folder
}

// CRDFile is one file of a chart's crds/ folder.
type CRDFile struct {
	Path string
	Data []byte
}

// Hook is a chart hook, as Helm stores it.
type Hook struct {
	Name           string
	Kind           string
	Path           string // template it came from
	Manifest       string
	Events         []HookEvent
	Weight         int
	DeletePolicies []string
}

// HookEvent is a moment of Helm's operations at which chart hooks run.
type HookEvent string

// The nine hook events of Helm.
const (
	HookPreInstall   HookEvent = "pre-install"
	HookPostInstall  HookEvent = "post-install"
	HookPreDelete    HookEvent = "pre-delete"
	HookPostDelete   HookEvent = "post-delete"
	HookPreUpgrade   HookEvent = "pre-upgrade"
	HookPostUpgrade  HookEvent = "post-upgrade"
	HookPreRollback  HookEvent = "pre-rollback"
	HookPostRollback HookEvent = "post-rollback"
	HookTest         HookEvent = "test"
)

// Phase is what a look at a release's records says of it.
type Phase string

// The phases; each is decided by the newest revision.
const (
	PhaseAbsent       Phase = "absent"       // no record
	PhaseDeployed     Phase = "deployed"     // newest revision is deployed
	PhaseFailed       Phase = "failed"       // newest revision failed
	PhasePending      Phase = "pending"      // some operation is, or was, under way
	PhaseUninstalling Phase = "uninstalling" // an uninstall was begun
	PhaseUninstalled  Phase = "uninstalled"  // only history is left
)

// Release is what the cluster knows of one release.
type Release struct {
	ID      spec.ReleaseID
	Phase   Phase
	History []Revision // ascending by Number; superseded revisions may be missing
}

// Snapshot is one look at the cluster. A release that is not in it is absent.
type Snapshot map[spec.ReleaseID]Release

// PhaseOf says the phase that a newest revision with that status means.
func PhaseOf(s Status) Phase {
	switch s {
	case StatusDeployed:
		return PhaseDeployed
	case StatusFailed, StatusSuperseded, StatusUnknown:
		return PhaseFailed
	case StatusPendingInstall, StatusPendingUpgrade, StatusPendingRollback:
		return PhasePending
	case StatusUninstalling:
		return PhaseUninstalling
	case StatusUninstalled:
		return PhaseUninstalled
	default:
		return PhaseFailed
	}
}

// Last gives the newest revision, nil if there is none.
func (r Release) Last() *Revision {
	if len(r.History) == 0 {
		return nil
	}
	return &r.History[len(r.History)-1]
}

// Deployed gives the revision whose objects are in the cluster by Helm's
// account: the newest deployed one; nil if there is none.
func (r Release) Deployed() *Revision {
	for i := len(r.History) - 1; i >= 0; i-- {
		if r.History[i].Status == StatusDeployed {
			return &r.History[i]
		}
	}
	return nil
}
