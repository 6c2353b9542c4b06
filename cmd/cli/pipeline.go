package cli

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"runtime"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/engine"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

// bind fills in the contexts and namespaces that the state files leave open.
func (f *fleet) bind(t *tools) (*fleet, error) {
	bound, err := f.spec.Bind(t.clusters.Resolve)
	if err != nil {
		return nil, err
	}
	b := &fleet{spec: bound, calls: f.calls, limit: f.limit, validate: f.validate}
	for _, r := range f.releases {
		r.ID, r.Needs = bound.Releases[r.Index].ID, bound.Releases[r.Index].Needs
		b.releases = append(b.releases, r)
	}
	return b, nil
}

func (f *fleet) ids() []spec.ReleaseID {
	ids := make([]spec.ReleaseID, 0, len(f.releases))
	for _, r := range f.releases {
		ids = append(ids, r.ID)
	}
	return ids
}

// observe reads the cluster once for all releases.
func (t *tools) observe(ctx context.Context, f *fleet) (state.Snapshot, error) {
	if len(f.releases) == 0 {
		return state.Snapshot{}, nil
	}
	return t.clusters.Read(ctx, f.ids())
}

// observed does something with what the cluster holds of the releases, between
// the prepare and cleanup hooks.
func (t *tools) observed(ctx context.Context, f *fleet, work func(*fleet, state.Snapshot) error) error {
	return t.around(ctx, f, func(f *fleet) error {
		have, err := t.observe(ctx, f)
		if err != nil {
			return interrupted(ctx, err)
		}
		return work(f, have)
	})
}

// desired renders what is wanted, on all cores. Every release that cannot be
// rendered is reported, not just the first.
func (t *tools) desired(ctx context.Context, f *fleet, have state.Snapshot, in engine.RenderInput) (map[spec.ReleaseID]*state.Revision, error) {
	revisions := make([]*state.Revision, len(f.releases))
	errs := make([]error, len(f.releases))
	each(len(f.releases), f.at(max(runtime.GOMAXPROCS(0), 2)*2), func(i int) {
		r := f.releases[i]
		if !r.Installed {
			return
		}
		in := in
		in.Release, in.Have = r, have[r.ID]
		call := f.calls[r.File]
		in.IncludeCRDs = in.IncludeCRDs || in.Offline && call.includeCRDs // what is not installed but printed
		in.Offline = in.Offline && !call.server
		revisions[i], errs[i] = t.render(ctx, f, in)
	})
	if err := errors.Join(errs...); err != nil {
		return nil, interrupted(ctx, err)
	}
	want := make(map[spec.ReleaseID]*state.Revision, len(revisions))
	for i, r := range f.releases {
		if revisions[i] != nil {
			want[r.ID] = revisions[i]
		}
	}
	return want, nil
}

func (t *tools) render(ctx context.Context, f *fleet, in engine.RenderInput) (*state.Revision, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	in, err := f.complete(ctx, in)
	if err != nil {
		return nil, err
	}
	if in.Offline && in.Release.ID.Namespace == "" {
		in.Release.ID.Namespace = t.namespace(in.Release.ID.Context)
	}
	return t.engine.Render(ctx, in)
}

// namespace is what helm template takes where nobody says one: the
// kubeconfig's, or "default" where there is no kubeconfig.
func (t *tools) namespace(context string) string {
	if _, namespace, err := t.clusters.Resolve(context); err == nil && namespace != "" {
		return namespace
	}
	return "default"
}

// plan is the pipeline up to a plan: one look at the cluster, render, compare.
func (s *session) plan(ctx context.Context, t *tools, f *fleet, policy plan.Policy) (*plan.Plan, error) {
	if policy.Mode != plan.ModeDestroy {
		defer t.foresee(ctx, f)()
	}
	f, err := marked(f)
	if err != nil {
		return nil, err
	}
	have, gone, err := t.observeAll(ctx, f)
	if err != nil {
		return nil, err
	}
	var want map[spec.ReleaseID]*state.Revision
	if policy.Mode != plan.ModeDestroy {
		if want, err = t.desired(ctx, f, have, engine.RenderInput{}); err != nil {
			return nil, err
		}
	}
	if f.validate {
		if err := t.validate(ctx, f, have, want); err != nil {
			return nil, err
		}
	}
	scoped, err := t.clusters.ClusterScoped(ctx, f.ids())
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	policy.Diff.Redact = s.secrets.met.Redact
	policy.Diff.ShowSecrets = policy.Diff.ShowSecrets && s.reports == nil // whatever flags in state files say
	p, err := s.build(ctx, plan.Input{
		Releases:      f.releases,
		Undeclared:    gone,
		Files:         f.spec.Files,
		Have:          have,
		Want:          want,
		Policy:        policy,
		Pending:       s.pending(ctx, f, have, policy),
		ClusterScoped: diff.Scopes(scoped, want),
	})
	if err != nil {
		return nil, err
	}
	t.locate(ctx, f, p)
	return p, t.gates(ctx, f, p)
}

func lines(p []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for l := range bytes.Lines(p) {
			if !yield(strings.TrimRight(string(l), "\r\n")) {
				return
			}
		}
	}
}

func truth(lookup func(string) (string, bool), name string) bool {
	v, _ := lookup(name)
	on, err := strconv.ParseBool(v)
	return err == nil && on
}
