package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-sh/flotilla/cmd/view"
)

type initCmd struct {
	Force bool `hidden:""`
}

// Run has nothing to do: Helm and what helmfile takes from plugins is built in.
func (c *initCmd) Run(s *session) error {
	return view.Text(s.env.Streams.Out, "Nothing to install: Helm is built in, and no plugins are needed.\n")
}

type createCmd struct {
	Name      string `arg:"" optional:"" help:"Name of the project and of its folder."`
	OutputDir string `short:"o" placeholder:"DIR" help:"Folder to write to; default: NAME, or the working directory."`
	Force     bool   `help:"Overwrite files that are there."`
}

const exampleState = `# The desired state of this project: what should run, and where.
helmDefaults:
  createNamespace: true
  wait: true
  timeout: 300 # seconds

# repositories:
#   - name: example
#     url: https://charts.example.com

# environments:
#   default:
#     values: [environments/default.yaml]
#   production:
#     values: [environments/production.yaml]
# ---

# releases:
#   - name: web
#     namespace: web
#     chart: example/web
#     version: ~1.2.0
#     values: [values/web.yaml]
#     needs: [web/database]
`

const exampleEnvironment = `# Values of the default environment: state files see them as .Values.
`

// Run writes a state file to begin with. It writes nothing if one of its files
// is there, unless --force says so.
func (c *createCmd) Run(s *session) error {
	if strings.ContainsAny(c.Name, `/\`) || c.Name == "." || c.Name == ".." || c.Name != "" && strings.TrimSpace(c.Name) == "" {
		return fmt.Errorf("%w: the project name %q is no folder name", errUsage, c.Name)
	}
	dir := c.OutputDir
	if dir == "" {
		dir = c.Name
	}
	files := [][2]string{
		{filepath.Join(dir, "helmfile.yaml"), exampleState},
		{filepath.Join(dir, "environments", "default.yaml"), exampleEnvironment},
		{filepath.Join(dir, "values", ".gitkeep"), ""},
	}
	if err := c.free(files); err != nil {
		return err
	}
	for _, file := range files {
		if err := os.MkdirAll(filepath.Dir(file[0]), 0o755); err != nil {
			return fmt.Errorf("creating the project: %w", err)
		}
		if err := os.WriteFile(file[0], []byte(file[1]), 0o644); err != nil {
			return fmt.Errorf("creating the project: %w", err)
		}
		if err := view.Text(s.env.Streams.Out, "wrote "+file[0]+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (c *createCmd) free(files [][2]string) error {
	if c.Force {
		return nil
	}
	var there []string
	for _, file := range files {
		if _, err := os.Stat(file[0]); err == nil {
			there = append(there, file[0])
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("creating the project: %w", err)
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("%s is there already: use --force to overwrite", strings.Join(there, ", "))
	}
	return nil
}
