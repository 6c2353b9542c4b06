package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// errLocked says that another process holds the lock.
var errLocked = errors.New("the cluster is running")

// tryLock takes the lock at path, or returns errLocked. Closing the file, or
// the end of the process, releases it.
func tryLock(path string) (*os.File, error) {
	f, err := flock(path, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errLocked
	}
	return f, err
}

// ownLock is tryLock for the owner: it is patient with those who hold the lock
// for an instant only, to see whether somebody does.
func ownLock(ctx context.Context, path string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	var lock *os.File
	err := poll(ctx, func(context.Context) (err error) {
		lock, err = tryLock(path)
		return err
	})
	return lock, err
}

// waitLock takes the lock at path as soon as nobody holds it.
func waitLock(path string) (*os.File, error) {
	return flock(path, syscall.LOCK_EX)
}

func flock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
	}
}
