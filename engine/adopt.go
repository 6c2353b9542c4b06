package engine

import (
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/flotilla-sh/flotilla/state"
)

// adopt remembers the objects that this operation takes over from elsewhere:
// those that Helm updates though the release did not have them.
func (c *client) adopt(originals kube.ResourceList) {
	if c.adopting == nil {
		return
	}
	if taken := originals.Difference(c.ours); len(taken) > 0 {
		c.adopting(taken)
	}
}

// takeOver prepares an install or upgrade that may take objects over; manifest
// is what the release has so far.
func (o *operation) takeOver(manifest string) error {
	if !o.release.Options.TakeOwnership {
		return nil
	}
	if manifest != "" {
		ours, err := o.client.Build(strings.NewReader(manifest), false)
		if err != nil {
			return err
		}
		o.client.ours = ours
	}
	o.client.adopting = func(taken kube.ResourceList) {
		o.engine.mu.Lock()
		defer o.engine.mu.Unlock()
		o.engine.adopted[o.release.ID] = append(o.engine.adopted[o.release.ID], taken...)
	}
	return nil
}

// sparing runs the undoing of an operation and keeps it from deleting what that
// operation took over, which nobody could bring back. What was spared is told
// as state.ErrAdopted.
func (o *operation) sparing(undo func() error) error {
	o.engine.mu.Lock()
	o.client.kept = o.engine.adopted[o.release.ID]
	o.engine.mu.Unlock()
	if err := undo(); err != nil || len(o.client.kept) == 0 {
		return err
	}
	var names []string
	_ = o.client.kept.Visit(func(info *resource.Info, err error) error {
		names = append(names, info.Mapping.GroupVersionKind.Kind+"/"+info.Name)
		return err
	})
	return fmt.Errorf("%w: %s", state.ErrAdopted, strings.Join(names, ", "))
}

// ErrUnsure: an operation took objects over, and nobody knows which: undoing it
// would delete them.
var ErrUnsure = errors.New("it may have taken over objects of others (takeOwnership), and which ones only the process knew that is gone; put it back by hand")

// sure refuses to undo an operation that may have taken over what is not known.
func sure(left state.Trace) error {
	if left.Unsure {
		return ErrUnsure
	}
	return nil
}
