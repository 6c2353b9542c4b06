package main

import (
	"fmt"
	"os"
	"sync"
)

// workdir is the working directory, which a process has only one of: requests
// of one folder run together, those of another wait for them.
type workdir struct {
	mu    sync.Mutex
	free  *sync.Cond // told when users becomes zero
	dir   string
	users int
}

// enter moves to a folder, once nobody works in another. Empty: wherever it is.
func (w *workdir) enter(dir string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for dir != "" && dir != w.dir && w.users > 0 {
		w.free.Wait()
	}
	if dir != "" && dir != w.dir {
		if err := os.Chdir(dir); err != nil {
			return fmt.Errorf("relative paths start from a folder that is not there: %w", err)
		}
		w.dir = dir
	}
	w.users++
	return nil
}

func (w *workdir) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.users--; w.users == 0 {
		w.free.Broadcast()
	}
}
