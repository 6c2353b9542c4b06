package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// The sets of releases. Plain and five have the chart that helm create makes,
// with its three objects, or five: an Ingress and a ConfigMap more. Mixed has
// that chart with four others like it as subcharts, four objects each.
const (
	setPlain = "plain"
	setFive  = "five"
	setMixed = "mixed"
)

// set is a number of releases and the files that declare them.
type set struct {
	kind string
	size int
	dir  string // with charts/ and the state files of all tools
}

func (s set) String() string { return fmt.Sprintf("%s-%d", s.kind, s.size) }

func (s set) charts() string { return filepath.Join(s.dir, "charts") }

// objects is how many a release has, hooks aside.
func (s set) objects() (int, error) {
	switch s.kind {
	case setPlain:
		return 3, nil
	case setFive:
		return 5, nil
	case setMixed:
		return 20, nil
	default:
		return 0, fmt.Errorf("the set %q is not known, use %s or %s", s.kind, setPlain, setMixed)
	}
}

// newSet makes the charts. Nothing runs: the Deployments have no replicas, so
// that no tool pays for what the controllers of the cluster do.
func newSet(dir, kind string, size int) (set, error) {
	s := set{kind: kind, size: size, dir: filepath.Join(dir, fmt.Sprintf("%s-%d", kind, size))}
	if _, err := s.objects(); err != nil {
		return s, err
	}
	if err := os.MkdirAll(s.charts(), 0o755); err != nil {
		return s, err
	}
	made, err := chartutil.Create("app", s.charts())
	if err != nil {
		return s, err
	}
	switch kind {
	case setFive:
		config := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include \"app.fullname\" . }}\n" +
			"  labels:\n    {{- include \"app.labels\" . | nindent 4 }}\ndata:\n  mark: {{ .Values.podAnnotations.mark | quote }}\n"
		return s, os.WriteFile(filepath.Join(made, "templates", "config.yaml"), []byte(config), 0o644)
	case setMixed:
		for _, name := range subcharts() {
			if _, err := chartutil.Create(name, filepath.Join(made, "charts")); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

func subcharts() []string { return []string{"api", "cache", "web", "worker"} }

// write puts the state files for one namespace in place; mark goes into the
// values of the first release.
func (s set) write(namespace, mark string) error {
	var helmfile, helmwave bytes.Buffer
	helmfile.WriteString("releases:\n")
	fmt.Fprintf(&helmwave, "project: bench\nversion: 0.44.0\nreleases:\n")
	for i := range s.size {
		name, note := fmt.Sprintf("r%04d", i), "0"
		if i == 0 {
			note = mark
		}
		values := s.values(name, note)
		fmt.Fprintf(&helmfile, "- name: %s\n  namespace: %s\n  chart: ./charts/app\n  values:\n  - %s\n", name, namespace, values)
		path := filepath.Join("values", name+".yaml")
		fmt.Fprintf(&helmwave, "- name: %s\n  namespace: %s\n  chart:\n    name: ./charts/app\n  values:\n  - %s\n", name, namespace, path)
		if err := s.put(path, []byte(values)); err != nil {
			return err
		}
	}
	if err := s.put("helmwave.yml", helmwave.Bytes()); err != nil {
		return err
	}
	return s.put("helmfile.yaml", helmfile.Bytes())
}

// values are written as JSON, which is YAML on one line.
func (s set) values(name, mark string) string {
	one := fmt.Sprintf(`"replicaCount": 0, "podAnnotations": {"release": %q, "mark": %q}`, name, mark)
	ingress := `, "ingress": {"enabled": true}`
	switch s.kind {
	case setFive:
		one += ingress
	case setMixed:
		all := one + ingress
		for _, sub := range subcharts() {
			all += fmt.Sprintf(`, %q: {%s%s}`, sub, one, ingress)
		}
		one = all
	}
	return "{" + one + "}"
}

func (s set) put(path string, data []byte) error {
	path = filepath.Join(s.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
