package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// maxPlain bounds what a plugin may print.
const maxPlain = 32 << 20

// Plugin is the Helm plugin named secrets (helm-secrets). It is started as
// "helm secrets decrypt FILE" would start it.
type Plugin struct {
	dir     string
	file    pluginFile
	folders string // of plugins, as HELM_PLUGINS
	lookup  func(string) (string, bool)
}

// pluginFile is what matters of a plugin.yaml, of Helm 3 (the first fields) and
// of Helm 4 (Config).
type pluginFile struct {
	Name            string            `json:"name"`
	Version         string            `json:"version"`
	Command         string            `json:"command"`
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

// FindPlugin looks through Helm's plugin folders (HELM_PLUGINS, else below
// HELM_DATA_HOME, else where the platform keeps data) with the environment
// variables that lookup gives; nil: it is not there.
func FindPlugin(lookup func(string) (string, bool)) *Plugin {
	folders, _ := lookup("HELM_PLUGINS")
	if folders == "" {
		folders = filepath.Join(helmData(lookup), "plugins")
	}
	for _, folder := range filepath.SplitList(folders) {
		files, err := filepath.Glob(filepath.Join(folder, "*", "plugin.yaml"))
		if err != nil {
			continue
		}
		slices.Sort(files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			var f pluginFile
			if yaml.Unmarshal(text, &f) == nil && f.Name == "secrets" {
				return &Plugin{dir: filepath.Dir(file), file: f, folders: folders, lookup: lookup}
			}
		}
	}
	return nil
}

// helmData is the folder of Helm's data, by the rules of Helm's lazypath.
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

// Decrypt gives the plain text of a file. The error holds what the plugin
// printed on stderr.
func (p *Plugin) Decrypt(ctx context.Context, path string) ([]byte, error) {
	cmd, err := p.command(ctx, path)
	if err != nil {
		return nil, err
	}
	var out, stderr bounded
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("running the Helm plugin secrets: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return out.Bytes(), nil
}

// command follows Helm's rules for plugins that are programs
// (helm/internal/plugin, subprocess_commands.go). Before its version 4 the
// plugin's verb was view.
func (p *Plugin) command(ctx context.Context, path string) (*exec.Cmd, error) {
	f, verb := p.file, "decrypt"
	major, _, _ := strings.Cut(strings.TrimPrefix(f.Version, "v"), ".")
	if n, err := strconv.Atoi(major); err == nil && n < 4 {
		verb = "view"
	}
	commands := slices.Concat(f.Config.PlatformCommand, f.PlatformCommand)
	if f.Command != "" {
		commands = append(commands, platformCommand{Command: f.Command})
	}
	chosen, ok := choose(commands)
	if !ok {
		return nil, fmt.Errorf("the Helm plugin secrets in %s has no command for %s/%s", p.dir, runtime.GOOS, runtime.GOARCH)
	}
	env := p.env()
	expand := func(s string) string { return os.Expand(s, func(name string) string { return p.variable(env, name) }) }
	words := append(strings.Split(chosen.Command, " "), chosen.Args...)
	for i, w := range words {
		if i == 0 || f.Config.ExpandCommandArgs == nil || *f.Config.ExpandCommandArgs {
			words[i] = expand(w)
		}
	}
	words = append(words, verb, path)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = os.Environ()
	for _, name := range []string{"HELM_BIN", "HELM_PLUGINS", "HELM_PLUGIN_DIR", "HELM_PLUGIN_NAME"} {
		cmd.Env = append(cmd.Env, name+"="+p.variable(env, name))
	}
	return cmd, nil
}

func (p *Plugin) env() map[string]string {
	env := map[string]string{"HELM_PLUGINS": p.folders, "HELM_PLUGIN_DIR": p.dir, "HELM_PLUGIN_NAME": "secrets"}
	if bin, _ := p.lookup("HELM_BIN"); bin == "" {
		env["HELM_BIN"] = "helm"
	}
	return env
}

func (p *Plugin) variable(env map[string]string, name string) string {
	if v, ok := env[name]; ok {
		return v
	}
	v, _ := p.lookup(name)
	return v
}

// choose prefers the entry for this system and architecture, then the first
// for this system, then the first for all.
func choose(commands []platformCommand) (platformCommand, bool) {
	fits := func(c platformCommand, system, arch string) bool {
		return strings.EqualFold(c.OS, system) && strings.EqualFold(c.Arch, arch) && strings.TrimSpace(c.Command) != ""
	}
	for _, want := range [][2]string{{runtime.GOOS, runtime.GOARCH}, {runtime.GOOS, ""}, {"", ""}} {
		for _, c := range commands {
			if fits(c, want[0], want[1]) {
				return c, true
			}
		}
	}
	return platformCommand{}, false
}

// bounded is a buffer that refuses to grow without bound.
type bounded struct{ bytes.Buffer }

// Write fails once the bound is passed, which ends the program that writes.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPlain {
		return 0, errors.New("too much output")
	}
	return b.Buffer.Write(p)
}
