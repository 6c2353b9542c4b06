package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/openapi"
)

// Error is an object that is not valid.
type Error struct {
	Release string
	Object  state.ObjectID
	Source  string // template; empty: nobody says
	Faults  []openapi.Fault
}

// Error names release, object and template, and in a line of its own every
// field at fault.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "validating %s: %s", e.Release, e.Object)
	if e.Source != "" {
		fmt.Fprintf(&b, " (%s)", e.Source)
	}
	b.WriteString(":")
	for _, f := range e.Faults {
		if len(e.Faults) == 1 {
			b.WriteString(" " + f.String())
			break
		}
		b.WriteString("\n    " + f.String())
	}
	return b.String()
}

// Is makes an Error match ErrInvalid.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

// Undefined is a kind that nothing defines.
type Undefined struct {
	Release string
	Kind    schema.GroupVersionKind
	Why     string
	Used    []string // the objects of that kind, with their templates, sorted
}

// Error names the kind, what was looked at, and where it is used.
func (u *Undefined) Error() string {
	return fmt.Sprintf("validating %s: there is no kind %s in %s: %s; used by %s",
		u.Release, u.Kind.Kind, u.Kind.GroupVersion(), u.Why, strings.Join(u.Used, ", "))
}

// Is makes an Undefined match ErrInvalid.
func (u *Undefined) Is(target error) bool { return target == ErrInvalid }

// Check holds the objects of a release against their schemas. The error joins an
// *Error for each object at fault and an *Undefined for each kind that nothing
// defines.
func (r *Release) Check(kinds *openapi.Catalog) error {
	var errs []error
	var absent []*Undefined
	for _, o := range r.objects {
		validator, err := kinds.Validator(o.kind)
		switch {
		case errors.Is(err, openapi.ErrNoKind) && r.unchecked[o.kind]:
			continue
		case errors.Is(err, openapi.ErrNoKind), r.early(o, kinds):
			absent = r.lacks(absent, o, err)
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("validating %s: %s: %w", r.id, r.name(o), err))
			continue
		}
		if faults := r.counted(validator, validator.Validate(o.Object)); len(faults) > 0 {
			errs = append(errs, &Error{Release: r.id.String(), Object: r.name(o), Source: o.Source, Faults: faults})
		}
	}
	for _, u := range absent {
		slices.Sort(u.Used)
		errs = append(errs, u)
	}
	return errors.Join(errs...)
}

// counted leaves out what the server does not mind.
func (r *Release) counted(v *openapi.Validator, faults []openapi.Fault) []openapi.Fault {
	if !r.clientSide {
		return faults
	}
	return slices.DeleteFunc(faults, func(f openapi.Fault) bool {
		return f.Kind == openapi.FaultNull || f.Kind == openapi.FaultDuplicate && !v.Custom()
	})
}

// name identifies an object; its namespace is told where it is not the
// release's.
func (r *Release) name(o object) state.ObjectID {
	id := diff.Identify(o.Object, "")
	if id.Namespace == r.id.Namespace {
		id.Namespace = ""
	}
	return id
}

// early reports an object whose definition comes together with it.
func (r *Release) early(o object, kinds *openapi.Catalog) bool {
	_, own := r.alone[o.kind.GroupKind()]
	return own && !o.hook && !kinds.Serves(o.kind)
}

// lacks notes an object whose kind nothing defines.
func (r *Release) lacks(absent []*Undefined, o object, err error) []*Undefined {
	used := r.name(o).String()
	if o.Source != "" {
		used += " (" + o.Source + ")"
	}
	for _, u := range absent {
		if u.Kind == o.kind {
			u.Used = append(u.Used, used)
			return absent
		}
	}
	u := &Undefined{Release: r.id.String(), Kind: o.kind, Used: []string{used}, Why: "neither the cluster nor this plan has a definition of it"}
	var versions *openapi.NotServed
	idle := slices.IndexFunc(r.idle, func(d *openapi.Definition) bool { return d.Kind == o.kind.GroupKind() })
	switch {
	case errors.As(err, &versions):
		u.Why = versions.Error()
	case err == nil:
		u.Why = fmt.Sprintf("its definition %s is part of this release, and Helm looks up the kinds of a release before it applies the first object: move it to crds/ of the chart or to another release", r.alone[o.kind.GroupKind()])
	case idle >= 0:
		u.Why += fmt.Sprintf("; %s is in crds/ of the chart, which Helm installs only together with a new release, and this one is there already", r.idle[idle].Name)
	}
	return append(absent, u)
}
