package journal

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/flotilla-sh/flotilla/state"
)

// Task is something that runs do again and again.
type Task struct {
	Release string // spec.ReleaseID as text
	Action  string // of plan.Action
}

// maxLooked bounds the records that are decoded to learn how long tasks take.
const maxLooked = 5

// Durations tells how long tasks took when they went well the last time, as far as
// the newest records of an owner say it. It is one LIST; records that cannot be
// read say nothing.
func (s *Store) Durations(ctx context.Context, owner string, of []Task) (map[Task]time.Duration, error) {
	found, err := s.list(ctx, labelRun+",!"+labelPart+","+labelOwner+"="+state.OwnerValue(owner))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b corev1.Secret) int { return strings.Compare(b.Labels[labelRun], a.Labels[labelRun]) })
	missing := map[Task]bool{}
	for _, t := range of {
		missing[t] = true
	}
	known := map[Task]time.Duration{}
	for i := range found[:min(len(found), maxLooked)] {
		if len(missing) == 0 {
			break
		}
		if _, inParts := found[i].Data[keyParts]; inParts {
			continue // each part would be another request
		}
		r, err := s.read(ctx, &found[i])
		if errors.Is(err, ErrDamaged) || err == nil && r.Owner != owner {
			continue
		}
		if err != nil {
			return known, err
		}
		for _, step := range r.Steps {
			task := Task{Release: step.Release.String(), Action: step.Action}
			took := step.Finished.Sub(step.Started)
			if missing[task] && step.State == StateDone && !step.Started.IsZero() && took > 0 {
				known[task] = took
				delete(missing, task)
			}
		}
	}
	return known, nil
}
