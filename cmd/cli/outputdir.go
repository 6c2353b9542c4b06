package cli

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/flotilla-sh/flotilla/spec"
)

// outputDirs say where manifests are written.
type outputDirs struct {
	OutputDir         string `placeholder:"DIR" help:"Write one file a template below this folder, which starts at the state file's, instead of stdout."`
	OutputDirTemplate string `placeholder:"TEMPLATE" help:"Folder of each release: a Go template with .OutputDir, .State.BaseName, .State.Path, .State.AbsPath, .State.AbsPathSHA1, .Release and .Environment."`
}

const defaultOutputDir = "{{ .OutputDir }}/{{ .State.BaseName }}-{{ .State.AbsPathSHA1 }}-{{ .Release.Name }}"

func (o outputDirs) wanted() bool { return o.OutputDir != "" || o.OutputDirTemplate != "" }

func (o outputDirs) dirOf(file spec.File, r spec.Release) (string, error) {
	data := newPathData(file, r)
	data.OutputDir = strings.TrimRight(o.OutputDir, string(filepath.Separator))
	return data.path("--output-dir-template", o.OutputDirTemplate, defaultOutputDir)
}

// pathData is what templates of paths see. Source: GenerateOutputDir,
// GenerateOutputFilePath and generateChartPath in pkg/state of helmfile.
type pathData struct {
	OutputDir   string
	ChartName   string
	State       pathState
	Release     pathRelease
	Environment spec.Environment
	file        spec.File
}

// pathState is the state file. AbsPathSHA1 is the start of a hash of its path.
type pathState struct{ BaseName, Path, AbsPath, AbsPathSHA1 string }

// pathRelease is a release, with what the state files say of it.
type pathRelease struct {
	Name, Namespace, KubeContext, Chart, Version string
	Labels                                       map[string]string
}

func newPathData(file spec.File, r spec.Release) pathData {
	sum := sha1.Sum([]byte(file.Path))
	name := filepath.Base(file.Path)
	return pathData{
		State: pathState{
			BaseName: strings.TrimSuffix(name, filepath.Ext(name)), Path: name,
			AbsPath: file.Path, AbsPathSHA1: hex.EncodeToString(sum[:])[:8],
		},
		Release: pathRelease{
			Name: r.ID.Name, Namespace: r.ID.Namespace, KubeContext: r.ID.Context,
			Chart: r.Chart.Ref, Version: r.Chart.Version, Labels: r.Labels,
		},
		Environment: file.Environment,
		file:        file,
	}
}

// path renders a template, or the other one if there is none; a relative path
// starts at the state file's folder.
func (d pathData) path(flag, text, otherwise string) (string, error) {
	if text == "" {
		text = otherwise
	}
	t, err := template.New(flag).Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, d); err != nil {
		return "", err
	}
	if b.String() == "" {
		return "", fmt.Errorf("%s: %q gives no path", flag, text)
	}
	if filepath.IsAbs(b.String()) {
		return filepath.Clean(b.String()), nil
	}
	return filepath.Join(d.file.Dir, b.String()), nil
}

// declared gives a release with the context and namespace that the state files
// say, not those that the kubeconfig fills in.
func (f *fleet) declared(r spec.Release) spec.Release {
	r.ID.Namespace = f.spec.LabelsOf(r)["namespace"]
	return r
}

// claims knows which release each file of a run belongs to: helmfile's names of
// folders do not tell releases of one name in two namespaces apart.
type claims map[string]spec.ReleaseID

// take refuses a file that another release has written in this run.
func (c claims) take(path string, id spec.ReleaseID) error {
	if other, taken := c[path]; taken && other != id {
		return fmt.Errorf("%s and %s would both be written to %s: tell them apart in the template of the path", other, id, path)
	}
	c[path] = id
	return nil
}
