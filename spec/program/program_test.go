package program

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestBesideLooksOnPath(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := Beside("flotilla-nothing"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	write(t, filepath.Join(dir, "flotilla-nothing"), "#!/bin/sh\n")
	if got, err := Beside("flotilla-nothing"); err != nil || got != filepath.Join(dir, "flotilla-nothing") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestPluginFolders(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want string
	}{
		{"HELM_PLUGINS is a list", map[string]string{"HELM_PLUGINS": "/a" + string(filepath.ListSeparator) + "/b", "HELM_DATA_HOME": "/d"}, "/a /b"},
		{"HELM_DATA_HOME", map[string]string{"HELM_DATA_HOME": "/d", "XDG_DATA_HOME": "/x"}, "/d/plugins"},
		{"XDG_DATA_HOME", map[string]string{"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/helm/plugins"},
	}
	if runtime.GOOS == "linux" {
		tests = append(tests, struct {
			name string
			env  map[string]string
			want string
		}{"the home folder", map[string]string{"HOME": "/h"}, "/h/.local/share/helm/plugins"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lookup := func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }
			if got := strings.Join(PluginFolders(lookup), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPluginCommand(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"Helm 3: a command with variables", "name: p\ncommand: $HELM_PLUGIN_DIR/run now\n", "DIR/run now x"},
		{"Helm 3: by platform", "name: p\ncommand: all\nplatformCommand: [{os: " + runtime.GOOS + ", command: here}]\n", "here x"},
		{"Helm 4: by platform and architecture, arguments expanded",
			"name: p\nruntimeConfig:\n  platformCommand:\n  - {command: all}\n  - {os: " + runtime.GOOS + ", arch: " + runtime.GOARCH + ", command: mine, args: ['$HELM_PLUGIN_NAME']}\n", "mine p x"},
		{"Helm 4: arguments as they are", "name: p\nruntimeConfig:\n  expandCommandArgs: false\n  platformCommand: [{command: all, args: ['$HELM_PLUGIN_NAME']}]\n", "all $HELM_PLUGIN_NAME x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "broken", "plugin.yaml"), "name: [")
			write(t, filepath.Join(dir, "p", "plugin.yaml"), tt.file)
			p := FindPlugin(func(name string) (string, bool) { return dir, name == "HELM_PLUGINS" }, "p")
			if p == nil {
				t.Fatal("the plugin is not found")
			}
			cmd, err := p.Command(t.Context(), "x")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(strings.Join(cmd.Args, " "), p.Dir, "DIR"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if FindPlugin(func(string) (string, bool) { return t.TempDir(), true }, "p") != nil {
		t.Error("a plugin where there is none")
	}
}
