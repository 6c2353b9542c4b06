//go:build unix

package secret

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What the plugin starts, such as sops, holds its output open.
func TestACancelledPluginEndsWithAllThatItStarted(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"plugin.yaml": "name: secrets\nversion: 4.7.4\nruntimeConfig:\n  platformCommand:\n  - command: ${HELM_PLUGIN_DIR}/run.sh\n",
		"run.sh":      "#!/bin/sh\ntouch \"$0.up\"\nsleep 600\ncat\n",
	} {
		path := filepath.Join(folder, "secrets", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := FindPlugin(func(name string) (string, bool) { return folder, name == "HELM_PLUGINS" })
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(folder, "secrets", "run.sh.up")); err == nil {
				return
			}
		}
	}()
	start := time.Now()
	if _, err := p.Decrypt(ctx, "", "s.yaml"); !errors.Is(err, context.Canceled) || time.Since(start) > 20*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}
