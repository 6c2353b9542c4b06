package lease

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// Look tells who holds the lock of an owner in a cluster, and who broke it last;
// nil: nobody.
func Look(ctx context.Context, c *cluster.Cluster, owner spec.Owner) (*Held, *Break, error) {
	s := store{c, owner}
	l, err := s.get(ctx)
	if err != nil || l == nil {
		return nil, nil, err
	}
	by, err := s.held(ctx, l)
	return by, breakOf(l), err
}

// Take breaks a lock that somebody holds, and only of that holder: another one may
// have come since it was looked at, which is a *HeldError. The run that held it
// is told at once and does not write any more; should it not be reachable, it stops
// by itself before its lease has expired. ErrFree: there was nothing to break.
func (b *Break) Take(ctx context.Context, c *cluster.Cluster, owner spec.Owner, from Held) error {
	s := store{c, owner}
	for {
		l, err := s.get(ctx)
		if err != nil {
			return err
		}
		by, err := s.held(ctx, l)
		switch {
		case err != nil:
			return err
		case by == nil:
			return fmt.Errorf("context %s: %w", c.Context(), ErrFree)
		case by.identity != from.identity:
			return &HeldError{Held: *by, Owner: owner}
		}
		next := free(l)
		if next.Annotations == nil {
			next.Annotations = map[string]string{}
		}
		next.Annotations[annotationBroken] = b.At.UTC().Format(time.RFC3339)
		next.Annotations[annotationBrokenBy] = b.By
		next.Annotations[annotationBrokenReason] = b.Reason
		next.Annotations[annotationBrokenHolder] = by.identity
		if _, err = s.update(ctx, next); !apierrors.IsConflict(err) {
			return err
		}
	}
}

// breakOf reads what Take wrote; nil: nobody ever broke it.
func breakOf(l *coordinationv1.Lease) *Break {
	a := l.Annotations
	at, err := time.Parse(time.RFC3339, a[annotationBroken])
	if err != nil {
		return nil
	}
	return &Break{By: a[annotationBrokenBy], At: at, Reason: a[annotationBrokenReason]}
}
