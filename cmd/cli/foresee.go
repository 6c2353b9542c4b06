package cli

import (
	"context"
	"sync"
)

// foresee asks the clusters for their version and for what they serve while
// their release records are read: one after the other these are four answers to
// wait for. Whoever needs one of them finds it, or waits for it, or is told what
// went wrong when asking again. The function that it returns ends it.
func (t *tools) foresee(ctx context.Context, f *fleet) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	asking.Go(func() { t.clusters.Foresee(ctx, f.ids()) })
	return func() { cancel(); asking.Wait() }
}
