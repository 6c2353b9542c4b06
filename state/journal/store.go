package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/state"
)

// pageSize keeps one answer of a LIST small.
const pageSize = 100

// List reads the records of an owner, those of all owners when it is empty,
// newest first. Records that cannot be read are left out and named by errors of
// type *Damaged, joined, beside the others; with any other error there are none.
// A namespace that is not there has no records.
func (s *Store) List(ctx context.Context, owner string) ([]*Run, error) {
	selector := labelRun + ",!" + labelPart
	if owner != "" {
		selector += "," + labelOwner + "=" + state.OwnerValue(owner)
	}
	found, err := s.list(ctx, selector)
	if err != nil {
		return nil, err
	}
	var runs []*Run
	var damaged []error
	for i := range found {
		r, err := s.read(ctx, &found[i])
		switch {
		case errors.Is(err, ErrDamaged):
			damaged = append(damaged, &Damaged{Run: found[i].Labels[labelRun], Owner: found[i].Labels[labelOwner],
				Context: s.cluster.Context(), Namespace: s.namespace, Secret: found[i].Name, Err: err})
		case apierrors.IsNotFound(err): // deleted while we read
		case err != nil:
			return nil, s.explain(err, "get")
		case owner == "" || r.Owner == owner:
			runs = append(runs, r)
		}
	}
	slices.SortFunc(runs, func(a, b *Run) int { return strings.Compare(b.ID, a.ID) })
	return runs, errors.Join(damaged...)
}

func (s *Store) list(ctx context.Context, selector string) ([]corev1.Secret, error) {
	opts := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	var all []corev1.Secret
	for {
		page, err := s.secrets().List(ctx, opts)
		if apierrors.IsResourceExpired(err) && opts.Continue != "" {
			all, opts.Continue, opts.Limit = nil, "", 0
			continue
		}
		if err != nil {
			return nil, s.explain(err, "list")
		}
		all = append(all, page.Items...)
		if opts.Continue = page.Continue; opts.Continue == "" {
			return all, nil
		}
	}
}

// read decodes a record. One in parts that is written anew meanwhile is read
// once more. Its error is apierrors.IsNotFound when the record is gone, and
// ErrDamaged when only a part of it is.
func (s *Store) read(ctx context.Context, secret *corev1.Secret) (*Run, error) {
	data, err := s.content(ctx, secret)
	if apierrors.IsNotFound(err) || errors.Is(err, ErrDamaged) {
		if secret, err = s.secrets().Get(ctx, secret.Name, metav1.GetOptions{}); err != nil {
			return nil, err
		}
		if data, err = s.content(ctx, secret); apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("%w: a part of it is missing: %w", ErrDamaged, err)
		}
	}
	if err != nil {
		return nil, err
	}
	r, err := decode(data)
	if err == nil {
		err = r.check(secret.Labels[labelRun])
	}
	return r, err
}

// check refuses what could not be worked with.
func (r *Run) check(id string) error {
	if r.ID != id {
		return fmt.Errorf("%w: it is labelled as that of run %s, and says %q", ErrDamaged, id, r.ID)
	}
	for _, step := range r.Steps {
		for _, need := range step.Needs {
			if need < 0 || need >= len(r.Steps) {
				return fmt.Errorf("%w: %s needs step %d of %d", ErrDamaged, step.Release, need+1, len(r.Steps))
			}
		}
	}
	if r.Verdict != nil {
		about := slices.Clone(r.Verdict.Undo)
		for _, l := range r.Verdict.Lost {
			about = append(about, l.Step)
		}
		for _, i := range about {
			if i < 0 || i >= len(r.Steps) {
				return fmt.Errorf("%w: step %d of %d is to be undone", ErrDamaged, i+1, len(r.Steps))
			}
		}
	}
	for _, e := range r.Edges {
		if min(e.From, e.To) < 0 {
			return fmt.Errorf("%w: a step comes after step %d", ErrDamaged, min(e.From, e.To)+1)
		}
	}
	return nil
}

func (s *Store) content(ctx context.Context, secret *corev1.Secret) ([]byte, error) {
	if secret.Type != SecretType {
		return nil, fmt.Errorf("%w: its Secret has the type %q", ErrDamaged, secret.Type)
	}
	count, inParts := secret.Data[keyParts]
	if !inParts {
		return secret.Data[keyRecord], nil
	}
	n, err := strconv.Atoi(string(count))
	if err != nil || n > maxRecord/maxPart {
		return nil, fmt.Errorf("%w: it is said to have %.20q parts", ErrDamaged, count)
	}
	var data []byte
	for i := range n {
		part, err := s.secrets().Get(ctx, partName(secret.Name, sequence(secret), i), metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		data = append(data, part.Data[keyRecord]...)
	}
	if digestOf(data) != string(secret.Data[keyDigest]) {
		return nil, fmt.Errorf("%w: its parts do not belong together", ErrDamaged)
	}
	return data, nil
}

// sequence is that of the stored record; zero: somebody took it away.
func sequence(secret *corev1.Secret) int {
	n, err := strconv.Atoi(secret.Annotations[sequenceOf])
	if err != nil {
		return 0
	}
	return n
}

// Prune deletes the records of an owner but for the newest ones, and parts that
// no record names any more.
func (s *Store) Prune(ctx context.Context, owner string, keep int) error {
	found, err := s.list(ctx, labelRun+","+labelOwner+"="+state.OwnerValue(owner))
	if err != nil {
		return err
	}
	for _, name := range superfluous(found, keep) {
		if err := s.secrets().Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return s.explain(err, "delete")
		}
	}
	return nil
}

// superfluous names the Secrets to delete, records before their parts.
func superfluous(found []corev1.Secret, keep int) []string {
	var ids []string
	for _, secret := range found {
		ids = append(ids, secret.Labels[labelRun])
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	old := ids[:max(len(ids)-keep, 0)]
	running := strings.ReplaceAll(string(OutcomeRunning), " ", "-")
	needed, open := map[string]bool{}, map[string]bool{} // by beginning of parts' names; by run
	var names, parts []string
	for _, secret := range found {
		switch {
		case secret.Labels[labelPart] != "":
		case slices.Contains(old, secret.Labels[labelRun]):
			names = append(names, secret.Name)
		default:
			needed[fmt.Sprintf("%s.%d", secret.Name, sequence(&secret))] = true
			open[secret.Labels[labelRun]] = open[secret.Labels[labelRun]] || secret.Labels[labelStatus] == running
		}
	}
	for _, secret := range found {
		at := strings.LastIndex(secret.Name, ".")
		if secret.Labels[labelPart] != "" && !open[secret.Labels[labelRun]] && (at < 0 || !needed[secret.Name[:at]]) {
			parts = append(parts, secret.Name)
		}
	}
	return append(names, parts...)
}
