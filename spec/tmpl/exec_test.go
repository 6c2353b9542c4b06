//go:build unix

package tmpl

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Asked to end, the script tells so; killed at once it could not, and its child
// would stay.
func TestExecIsAskedToEnd(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	text := `{{ exec "sh" (list "-c" "trap 'touch ended; exit' TERM; sleep 600 & touch up; wait") }}`
	go func() {
		_, err := renderer(nil).Render(ctx, Template{File: filepath.Join(dir, "a.gotmpl"), Text: []byte(text), Dir: dir}, nil)
		done <- err
	}()
	appears(t, filepath.Join(dir, "up"))
	stop()
	if err := <-done; err == nil {
		t.Error("a cancelled program is no error")
	}
	appears(t, filepath.Join(dir, "ended"))
}

func appears(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Fatalf("%s does not appear", filepath.Base(path))
}
