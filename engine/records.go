package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/release"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// records is Helm's storage driver for the time of one operation on one
// release. It lists the history once and answers Helm's many questions from
// that, writes through, and stores the real chart where Helm works with a
// frozen one. It is not safe for concurrent use, and needs not be.
type records struct {
	driver.Driver

	ctx     context.Context // Driver's methods take none
	name    string
	loaded  bool
	history map[int]*v1.Release // by revision

	frozen *chartv2.Chart // nil: nothing is frozen
	real   *chartv2.Chart
	want   *state.Revision

	hide    func(text string) string // takes values of Secrets out of descriptions; nil: there are none
	refused error                    // of the last update that failed: Helm's uninstall does not tell
	extra   string                   // documents that Helm finds in the newest manifest, and that are not stored
	stuck   func() bool              // whether objects of what came before may be there yet; nil: they are not

	begun *v1.Release // what this operation created, as last stored
	wrote *v1.Release // the newest record that it wrote, as last stored
}

var _ driver.Driver = (*records)(nil)

// recordsOf opens the storage of the release's namespace. Requests go under a
// context of their own, since what an operation has begun has to be written when
// ctx has ended, too.
func (e *Engine) recordsOf(ctx, requests context.Context, to *target, id spec.ReleaseID) (*records, error) {
	log := e.log.Handler()
	switch e.opts.Driver {
	case "", "secret", "secrets":
		d := driver.NewSecrets(tiedSecrets(requests, to.Kubernetes().CoreV1().Secrets(id.Namespace)))
		d.SetLogger(log)
		return &records{Driver: d, ctx: ctx, name: id.Name}, nil
	case "configmap", "configmaps":
		d := driver.NewConfigMaps(tiedConfigMaps(requests, to.Kubernetes().CoreV1().ConfigMaps(id.Namespace)))
		d.SetLogger(log)
		return &records{Driver: d, ctx: ctx, name: id.Name}, nil
	default:
		return nil, fmt.Errorf("%w: HELM_DRIVER is %q, secret and configmap work", cluster.ErrDriver, e.opts.Driver)
	}
}

// all gives the history in ascending order.
func (s *records) all() ([]*v1.Release, error) {
	if !s.loaded {
		if err := s.load(); err != nil {
			return nil, err
		}
	}
	out := make([]*v1.Release, 0, len(s.history))
	for _, number := range slices.Sorted(maps.Keys(s.history)) {
		out = append(out, s.history[number])
	}
	return out, nil
}

func (s *records) load() error {
	found, err := s.Driver.Query(map[string]string{"owner": "helm", "name": s.name})
	if err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return err
	}
	s.history = make(map[int]*v1.Release, len(found))
	for _, r := range found {
		rel, err := typed(r)
		if err != nil {
			return err
		}
		// Query, other than Get, leaves Helm's own labels in.
		maps.DeleteFunc(rel.Labels, func(key, _ string) bool { return slices.Contains(driver.GetSystemLabels(), key) })
		s.history[rel.Version] = rel
	}
	s.loaded = true
	return nil
}

// last gives the newest record, nil if there is none.
func (s *records) last() (*v1.Release, error) {
	all, err := s.all()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return copyRelease(all[len(all)-1]), nil
}

// dropAbove deletes the records of a release that is uninstalled, but for those up
// to a number: they say again that it is, which an install has made "superseded".
// Oldest first: as long as one is left, the newest says uninstalled. Nothing is
// deleted where history limits have taken what was to be left.
func (s *records) dropAbove(number int) error {
	all, err := s.all()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(r *v1.Release) bool { return r.Version > number })
	switch {
	case at < 0, at == 0 && number > 0:
		return nil
	case at > 0 && all[at-1].Info.Status != rcommon.StatusUninstalled:
		kept := copyRelease(all[at-1])
		kept.SetStatus(rcommon.StatusUninstalled, "Uninstallation complete")
		if err := s.Update(recordKey(kept.Name, kept.Version), kept); err != nil {
			return fmt.Errorf("revision %d: %w", kept.Version, err)
		}
	}
	for _, r := range all[at:] {
		if _, err := s.Delete(recordKey(r.Name, r.Version)); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
			return fmt.Errorf("revision %d: %w", r.Version, err)
		}
	}
	return nil
}

func (s *records) get(name string, number int) (*v1.Release, error) {
	found, err := s.Driver.Get(recordKey(name, number))
	if err != nil {
		return nil, err
	}
	return typed(found)
}

// Get implements driver.Driver.
func (s *records) Get(key string) (release.Releaser, error) {
	all, err := s.all()
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if recordKey(r.Name, r.Version) == key {
			return copyRelease(r), nil
		}
	}
	return nil, driver.ErrReleaseNotFound
}

// Query implements driver.Driver for what Helm's storage asks: the history of a
// release, and its records with one status.
func (s *records) Query(labels map[string]string) ([]release.Releaser, error) {
	if labels["name"] != s.name {
		return s.Driver.Query(labels)
	}
	all, err := s.all()
	if err != nil {
		return nil, err
	}
	var found []release.Releaser
	for _, r := range all {
		if status := labels["status"]; status == "" || status == r.Info.Status.String() {
			found = append(found, copyRelease(r))
		}
	}
	if s.extra != "" && labels["status"] == "" && len(found) > 0 {
		newest, err := typed(found[len(found)-1])
		if err != nil {
			return nil, err
		}
		newest.Manifest += s.extra
	}
	if len(found) == 0 {
		return nil, driver.ErrReleaseNotFound
	}
	return found, nil
}

// Create implements driver.Driver. It refuses a record that is not what was
// rendered: nothing has been applied yet.
func (s *records) Create(key string, r release.Releaser) error {
	rel, err := typed(r)
	if err != nil {
		return err
	}
	if s.want != nil {
		if err := checkFrozen(rel, s.want); err != nil {
			return err
		}
	}
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if err := s.create(key, s.thawed(rel)); err != nil {
		return err
	}
	s.begun = copyRelease(rel)
	s.keep(rel)
	return nil
}

// maxCreates bounds how often a record is created when it is not told whether that
// was done.
const maxCreates = 3

// create knows a record of its own of which it was not told that it is stored.
func (s *records) create(key string, rel *v1.Release) error {
	for tries := 1; ; tries++ {
		err := s.Driver.Create(key, rel)
		exists := errors.Is(err, driver.ErrReleaseExists)
		if err == nil || !exists && !cluster.Transient(err) {
			return err
		}
		stored, getErr := s.get(rel.Name, rel.Version)
		switch {
		case getErr == nil && sameRecord(stored, rel):
			return nil
		case getErr == nil:
			return fmt.Errorf("%w: revision %d appeared", state.ErrStale, rel.Version)
		case !errors.Is(getErr, driver.ErrReleaseNotFound) || tries == maxCreates:
			return err
		}
	}
}

// sameRecord goes by the time, which Helm notes to the nanosecond, and by what the
// record says was applied.
func sameRecord(a, b *v1.Release) bool {
	return a.Info.LastDeployed.Equal(b.Info.LastDeployed) && a.Info.Status == b.Info.Status &&
		a.Info.Description == b.Info.Description && a.Manifest == b.Manifest
}

// Update implements driver.Driver. Helm supersedes a revision also when the
// rollback from it could not apply everything, and then has deleted nothing: it
// keeps its status, as under an upgrade that failed, because that tells whose
// objects there still may be.
func (s *records) Update(key string, r release.Releaser) error {
	rel, err := typed(r)
	if err != nil {
		return err
	}
	if rel.Info.Status == rcommon.StatusSuperseded && s.stuck != nil && s.stuck() {
		return nil
	}
	if s.extra != "" {
		rel = copyRelease(rel)
		rel.Manifest = strings.TrimSuffix(rel.Manifest, s.extra)
	}
	if err := s.Driver.Update(key, s.thawed(rel)); err != nil {
		s.refused = err
		return err
	}
	if s.begun != nil && s.begun.Version == rel.Version {
		s.begun = copyRelease(rel)
	}
	s.keep(rel)
	return nil
}

// Delete implements driver.Driver.
func (s *records) Delete(key string) (release.Releaser, error) {
	r, err := s.Driver.Delete(key)
	if err != nil {
		return nil, err
	}
	if rel, err := typed(r); err == nil {
		delete(s.history, rel.Version)
	}
	return r, nil
}

func (s *records) keep(rel *v1.Release) {
	if s.wrote == nil || rel.Version >= s.wrote.Version {
		s.wrote = copyRelease(rel)
	}
	if s.loaded {
		s.history[rel.Version] = copyRelease(rel)
	}
}

func (s *records) thawed(rel *v1.Release) *v1.Release {
	out := copyRelease(rel)
	if s.frozen != nil && rel.Chart == s.frozen {
		out.Chart = s.real
	}
	if s.hide != nil {
		out.Info.Description = s.hide(out.Info.Description)
	}
	return out
}

// fail marks a record as failed, so that the release can be worked on again.
func (s *records) fail(rel *v1.Release, why string) error {
	rel = copyRelease(rel)
	rel.SetStatus(rcommon.StatusFailed, why)
	return s.Update(recordKey(rel.Name, rel.Version), rel)
}

// unmarked is why no record says that the release is being uninstalled; nil where
// one does. Helm goes on without.
func (s *records) unmarked() error {
	if s.refused == nil || s.wrote != nil && s.wrote.Info.Status == rcommon.StatusUninstalling {
		return nil
	}
	return fmt.Errorf("nothing was deleted, because its record could not be written: %w", s.refused)
}

// unlock marks the newest record as failed if it says that an operation is
// under way.
func (s *records) unlock() error {
	last, err := s.last()
	if err != nil || last == nil || !last.Info.Status.IsPending() {
		return err
	}
	return s.fail(last, state.Interrupted+last.Info.Status.String())
}

// settle ends what an operation left open: Helm returns from some failures
// without a word in the record.
func (s *records) settle(cause error) error {
	if s.begun == nil || !s.begun.Info.Status.IsPending() {
		return nil
	}
	return s.fail(s.begun, fmt.Sprintf("Failed: %v", cause))
}

func recordKey(name string, number int) string {
	return fmt.Sprintf("%s.%s.v%d", storage.HelmStorageType, name, number)
}

func typed(r release.Releaser) (*v1.Release, error) {
	switch r := r.(type) {
	case *v1.Release:
		return r, nil
	case v1.Release:
		return &r, nil
	default:
		return nil, fmt.Errorf("release record of type %T is not supported", r)
	}
}

// copyRelease copies what Helm changes in a record.
func copyRelease(r *v1.Release) *v1.Release {
	out := *r
	info := *r.Info
	out.Info = &info
	out.Labels = maps.Clone(r.Labels)
	out.Hooks = make([]*v1.Hook, len(r.Hooks))
	for i, h := range r.Hooks {
		hook := *h
		hook.DeletePolicies = slices.Clone(h.DeletePolicies)
		out.Hooks[i] = &hook
	}
	return &out
}
