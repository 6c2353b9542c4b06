package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// plugin is a command-line plugin of Helm, ready to be started.
type plugin struct {
	argv []string
	env  []string
}

// pluginFile is the part of plugin.yaml that says what to start: at the top in
// Helm 3's form, in runtimeConfig in Helm 4's. Source: internal/plugin of Helm.
type pluginFile struct {
	Name string `json:"name"`
	pluginCommands
	Runtime pluginCommands `json:"runtimeConfig"`
}

type pluginCommands struct {
	Command  string            `json:"command"`
	Platform []platformCommand `json:"platformCommand"`
}

type platformCommand struct {
	OS      string   `json:"os"`
	Arch    string   `json:"arch"`
	Command string   `json:"command"`
	Args    []string `json:"args"`
}

// pluginFolders are where Helm looks: HELM_PLUGINS, or the plugins folder of
// its data (helm.sh/helm/v4/pkg/helmpath).
func pluginFolders(lookup func(string) (string, bool)) []string {
	if list, _ := lookup("HELM_PLUGINS"); list != "" {
		return filepath.SplitList(list)
	}
	if data, _ := lookup("HELM_DATA_HOME"); data != "" {
		return []string{filepath.Join(data, "plugins")}
	}
	if data, _ := lookup("XDG_DATA_HOME"); data != "" {
		return []string{filepath.Join(data, "helm", "plugins")}
	}
	home, err := os.UserHomeDir()
	switch {
	case err != nil:
		return nil
	case runtime.GOOS == "darwin":
		return []string{filepath.Join(home, "Library", "helm", "plugins")}
	default:
		return []string{filepath.Join(home, ".local", "share", "helm", "plugins")}
	}
}

func findPlugin(lookup func(string) (string, bool), name string) (plugin, error) {
	folders := pluginFolders(lookup)
	for _, folder := range folders {
		found, err := filepath.Glob(filepath.Join(folder, "*", "plugin.yaml"))
		if err != nil {
			return plugin{}, fmt.Errorf("looking for plugins in %s: %w", folder, err)
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			var file pluginFile
			if err != nil || yaml.Unmarshal(text, &file) != nil || file.Name != name {
				continue // one that cannot be read may be another
			}
			return file.plugin(filepath.Dir(path), strings.Join(folders, string(filepath.ListSeparator)))
		}
	}
	return plugin{}, fmt.Errorf("the Helm plugin %s is not in %s: install it with helm plugin install", name, strings.Join(folders, ", "))
}

func (f pluginFile) plugin(dir, folders string) (plugin, error) {
	commands := f.Runtime
	if commands.Command == "" && len(commands.Platform) == 0 {
		commands = f.pluginCommands
	}
	argv := commands.argv(runtime.GOOS, runtime.GOARCH)
	if len(argv) == 0 {
		return plugin{}, fmt.Errorf("the Helm plugin %s in %s has no command for %s/%s", f.Name, dir, runtime.GOOS, runtime.GOARCH)
	}
	own := map[string]string{"HELM_PLUGIN_NAME": f.Name, "HELM_PLUGIN_DIR": dir, "HELM_PLUGINS": folders, "HELM_BIN": "helm"}
	p := plugin{env: os.Environ()}
	for _, name := range []string{"HELM_PLUGIN_NAME", "HELM_PLUGIN_DIR", "HELM_PLUGINS", "HELM_BIN"} {
		p.env = append(p.env, name+"="+own[name])
	}
	for _, word := range argv {
		p.argv = append(p.argv, os.Expand(word, func(name string) string {
			if value, ok := own[name]; ok {
				return value
			}
			return os.Getenv(name)
		}))
	}
	return p, nil
}

// argv gives the command of the closest platform: system and architecture,
// system alone, or neither.
func (c pluginCommands) argv(system, arch string) []string {
	for _, want := range [][2]string{{system, arch}, {system, ""}, {"", ""}} {
		for _, p := range c.Platform {
			if strings.EqualFold(p.OS, want[0]) && strings.EqualFold(p.Arch, want[1]) {
				return append(strings.Fields(p.Command), p.Args...)
			}
		}
	}
	return strings.Fields(c.Command)
}

// pluginGrace is how long an interrupted plugin may take to end.
const pluginGrace = 5 * time.Second

func (p plugin) run(ctx context.Context, args []string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, p.argv[0], append(p.argv[1:len(p.argv):len(p.argv)], args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = pluginGrace
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return fmt.Errorf("they failed (%w)", err)
	}
	return err
}
