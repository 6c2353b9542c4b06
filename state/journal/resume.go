package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// takeover is by how much the Sequence of a record grows when another process goes
// on with it: more than the one before can write in vain, which so learns that the
// record is not its own any more.
const takeover = 1 << 20

// Resume goes on with the record of a run as r has it, in the clusters that have
// one and in those that have none. Whoever wrote it before gets ErrTaken with the
// next write. Finish has to be called unless there is an error, which is that of
// reading a record, or of writing where one is required.
func Resume(ctx context.Context, r Run, targets []Target, opts Options) (*Log, error) {
	l := newLog(r, opts)
	for _, t := range targets {
		lane, err := l.resumed(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("reading the record of run %s in context %s: %w", r.ID, t.Context, err)
		}
		l.lanes[t.Context] = lane
	}
	return l, l.begin(ctx)
}

// resumed is the lane of a cluster, with the record that is there.
func (l *Log) resumed(ctx context.Context, t Target) (*lane, error) {
	found, err := t.Store.list(ctx, labelRun+"="+l.run.ID)
	if err != nil {
		return nil, err
	}
	name, taken := NamePrefix+l.run.ID, map[string]bool{}
	for i := range found {
		one := &found[i]
		if one.Labels[labelPart] != "" {
			continue
		}
		taken[one.Name] = true
		r, err := t.Store.read(ctx, one)
		switch {
		case errors.Is(err, ErrDamaged), err == nil && r.Context != t.Context:
			continue
		case err != nil:
			return nil, t.Store.explain(err, "get")
		}
		next := newLane(l, t, one.Name)
		next.entry.version, next.entry.parts = one.ResourceVersion, partsOf(one)
		next.sequence = max(r.Sequence, sequence(one)) + takeover
		return next, nil
	}
	for i := 2; taken[name]; i++ {
		name = fmt.Sprintf("%s%s-%d", NamePrefix, l.run.ID, i)
	}
	next := newLane(l, t, name)
	next.sequence = l.run.Sequence + takeover
	return next, nil
}

// partsOf names the Secrets with the parts of a large record.
func partsOf(index *corev1.Secret) []string {
	n, err := strconv.Atoi(string(index.Data[keyParts]))
	if err != nil {
		return nil
	}
	var names []string
	for i := range min(n, maxRecord/maxPart) {
		names = append(names, partName(index.Name, sequence(index), i))
	}
	return slices.Clip(names)
}
