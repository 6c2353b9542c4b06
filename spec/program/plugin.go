package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Plugin is a plugin of Helm that is a program.
type Plugin struct {
	Name    string
	Version string // as its plugin.yaml says it
	Dir     string

	file   pluginFile
	places string // folders of plugins, as HELM_PLUGINS
	lookup func(string) (string, bool)
}

// pluginFile is what matters of a plugin.yaml, of Helm 3 (the first fields) and
// of Helm 4 (Config).
type pluginFile struct {
	Name            string            `json:"name"`
	Version         string            `json:"version"`
	Command         string            `json:"command"`
	Type            string            `json:"type"`
	Runtime         string            `json:"runtime"`
	PlatformCommand []platformCommand `json:"platformCommand"`

	Config struct {
		PlatformCommand   []platformCommand `json:"platformCommand"`
		ExpandCommandArgs *bool             `json:"expandCommandArgs"`
	} `json:"runtimeConfig"`
}

type platformCommand struct {
	OS      string   `json:"os"`
	Arch    string   `json:"arch"`
	Command string   `json:"command"`
	Args    []string `json:"args"`
}

// PluginFolders are where Helm looks for plugins: HELM_PLUGINS, else below
// HELM_DATA_HOME, else where the platform keeps data (Helm's lazypath). Lookup
// gives environment variables.
func PluginFolders(lookup func(string) (string, bool)) []string {
	if list, _ := lookup("HELM_PLUGINS"); list != "" {
		return filepath.SplitList(list)
	}
	return []string{filepath.Join(helmData(lookup), "plugins")}
}

// FindPlugin looks through Helm's plugin folders; nil: it is not there.
func FindPlugin(lookup func(string) (string, bool), name string) *Plugin {
	folders := PluginFolders(lookup)
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*", "plugin.yaml"))
		if err != nil {
			continue
		}
		slices.Sort(files)
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // it may be another one
			}
			var f pluginFile
			if yaml.Unmarshal(text, &f) == nil && f.Name == name {
				return &Plugin{
					Name: f.Name, Version: f.Version, Dir: filepath.Dir(path), file: f,
					places: strings.Join(folders, string(filepath.ListSeparator)), lookup: lookup,
				}
			}
		}
	}
	return nil
}

// Runs reports whether the plugin is a program of a type that Helm 4 knows, such
// as "postrenderer/v1".
func (p *Plugin) Runs(kind string) bool {
	return p.file.Type == kind && p.file.Runtime == "subprocess"
}

func helmData(lookup func(string) (string, bool)) string {
	if dir, _ := lookup("HELM_DATA_HOME"); dir != "" {
		return dir
	}
	if dir, _ := lookup("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "helm")
	}
	home, _ := lookup("HOME")
	switch runtime.GOOS {
	case "windows":
		home, _ = lookup("APPDATA")
		return filepath.Join(home, "helm")
	case "darwin":
		return filepath.Join(home, "Library", "helm")
	default:
		return filepath.Join(home, ".local", "share", "helm")
	}
}

// Command makes the process that "helm NAME ARGS" would start, by Helm's rules
// for plugins that are programs (helm.sh/helm/v4/internal/plugin). It is not
// started.
func (p *Plugin) Command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	commands := slices.Concat(p.file.Config.PlatformCommand, p.file.PlatformCommand)
	if p.file.Command != "" {
		commands = append(commands, platformCommand{Command: p.file.Command})
	}
	chosen, ok := choose(commands)
	if !ok {
		return nil, fmt.Errorf("the Helm plugin %s in %s has no command for %s/%s", p.Name, p.Dir, runtime.GOOS, runtime.GOARCH)
	}
	expand := p.file.Config.ExpandCommandArgs
	words := append(strings.Split(chosen.Command, " "), chosen.Args...)
	for i, w := range words {
		if i == 0 || expand == nil || *expand {
			words[i] = os.Expand(w, p.variable)
		}
	}
	words = append(words, args...)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = os.Environ()
	for _, name := range []string{"HELM_BIN", "HELM_PLUGINS", "HELM_PLUGIN_DIR", "HELM_PLUGIN_NAME"} {
		cmd.Env = append(cmd.Env, name+"="+p.variable(name))
	}
	return cmd, nil
}

// variable gives what the plugin finds in its environment.
func (p *Plugin) variable(name string) string {
	v, _ := p.lookup(name)
	switch name {
	case "HELM_PLUGINS":
		return p.places
	case "HELM_PLUGIN_DIR":
		return p.Dir
	case "HELM_PLUGIN_NAME":
		return p.Name
	case "HELM_BIN":
		if v == "" {
			return "helm"
		}
	}
	return v
}

// choose prefers the entry for this system and architecture, then the first
// for this system, then the first for all.
func choose(commands []platformCommand) (platformCommand, bool) {
	for _, want := range [][2]string{{runtime.GOOS, runtime.GOARCH}, {runtime.GOOS, ""}, {"", ""}} {
		for _, c := range commands {
			if strings.EqualFold(c.OS, want[0]) && strings.EqualFold(c.Arch, want[1]) && strings.TrimSpace(c.Command) != "" {
				return c, true
			}
		}
	}
	return platformCommand{}, false
}
