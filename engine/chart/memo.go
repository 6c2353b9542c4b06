package chart

import (
	"context"
	"sync"
)

// memo runs the work for a key once and hands the outcome to all who ask. The
// zero value forgets failures, so that the next caller tries again.
type memo[K comparable, V any] struct {
	keepErrors bool // a failure is an outcome too: nobody waits for it twice

	mu    sync.Mutex
	calls map[K]*call[V]
}

type call[V any] struct {
	done      chan struct{}
	value     V
	err       error
	abandoned bool // the caller that worked was cancelled: the next one works
}

// do returns the outcome of work for key, running it on this goroutine if
// nobody did. A caller that waits leaves when its own ctx ends.
func (m *memo[K, V]) do(ctx context.Context, key K, work func(context.Context) (V, error)) (V, error) {
	for {
		m.mu.Lock()
		c, found := m.calls[key]
		if !found {
			c = &call[V]{done: make(chan struct{}), abandoned: true}
			if m.calls == nil {
				m.calls = map[K]*call[V]{}
			}
			m.calls[key] = c
			m.mu.Unlock()
			m.work(ctx, key, c, work)
			return c.value, c.err
		}
		m.mu.Unlock()
		select {
		case <-c.done:
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
		if !c.abandoned {
			return c.value, c.err
		}
	}
}

// work settles c. Until work returns, c counts as abandoned, so that a panic
// leaves nobody waiting.
func (m *memo[K, V]) work(ctx context.Context, key K, c *call[V], work func(context.Context) (V, error)) {
	defer func() {
		if c.abandoned || c.err != nil && !m.keepErrors {
			m.mu.Lock()
			delete(m.calls, key)
			m.mu.Unlock()
		}
		close(c.done)
	}()
	c.value, c.err = work(ctx)
	c.abandoned = c.err != nil && stopped(ctx, c.err)
}
