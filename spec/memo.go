package spec

import (
	"context"
	"sync"
)

// result is what came of one piece of work.
type result[T any] struct {
	value T
	err   error
}

// memo does each piece of work once, errors included, whoever asks for it and
// however many at a time. The zero value is empty.
type memo[T any] struct {
	mu   sync.Mutex
	done map[string]*memoized[T]
}

type memoized[T any] struct {
	ready  chan struct{} // closed when result is set
	result result[T]
}

// get gives the results of all keys, in order. work gets the keys that nobody
// asked for before, all at once, and gives a result for each, in order.
func (m *memo[T]) get(ctx context.Context, keys []string, work func(keys []string) []result[T]) []result[T] {
	all := make([]*memoized[T], len(keys))
	var mine []*memoized[T]
	var todo []string
	m.mu.Lock()
	if m.done == nil {
		m.done = map[string]*memoized[T]{}
	}
	for i, key := range keys {
		if m.done[key] == nil {
			m.done[key] = &memoized[T]{ready: make(chan struct{})}
			mine, todo = append(mine, m.done[key]), append(todo, key)
		}
		all[i] = m.done[key]
	}
	m.mu.Unlock()
	if len(todo) > 0 {
		for i, r := range work(todo) {
			mine[i].result = r
			close(mine[i].ready)
		}
	}
	out := make([]result[T], len(keys))
	for i, e := range all {
		select {
		case <-e.ready:
			out[i] = e.result
		case <-ctx.Done():
			out[i].err = context.Cause(ctx)
		}
	}
	return out
}
