package kustomize

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/yaml"
)

// Keys of a kustomization whose entries become something else when it is read.
// kustomize tells no upper case from lower case; here only one spelling counts,
// and the others are refused.
var (
	chartKeys    = []string{"helmCharts", "helmChartInflationGenerator"}
	resourceKeys = []string{"resources", "bases", "components"}
	configKeys   = []string{"generators", "transformers", "validators"}
	headKeys     = []string{"apiVersion", "kind", "metadata"}
)

// kustomization reads a file of that kind with its remote resources fetched.
func (f *folder) kustomization(path string, data []byte) ([]byte, error) {
	var k map[string]any
	if err := yaml.Unmarshal(data, &k); err != nil || k == nil {
		return data, nil // kustomize says what is wrong
	}
	dir, changed := filepath.Dir(path), false
	if err := f.keys(dir, k); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	each := func(keys []string, look func(dir, entry string) (string, error)) error {
		for _, key := range keys {
			list, _ := k[key].([]any)
			for i, e := range list {
				entry, ok := e.(string)
				if !ok {
					continue // kustomize says what is wrong
				}
				local, err := look(dir, entry)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", path, key, err)
				}
				changed = changed || local != entry
				list[i] = local
			}
		}
		return nil
	}
	if k["helmCharts"] != nil {
		if err := f.charts(dir, k); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		changed = true
	}
	ofResource := f.local
	if slices.Contains(f.configs, dir) {
		ofResource = f.config
	}
	if err := errors.Join(each(resourceKeys, ofResource), each(configKeys, f.config)); err != nil {
		return nil, err
	}
	f.handDown(dir, k)
	if err := f.paths(dir, k, ""); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !changed {
		return data, nil
	}
	return yaml.Marshal(k)
}

// keys refuses keys of a kustomization. One that makes generators or
// transformers may only list files: what is patched together cannot be looked at
// before kustomize works with it.
func (f *folder) keys(dir string, k map[string]any) error {
	plain := slices.Contains(f.configs, dir)
	for key, value := range k {
		for _, known := range slices.Concat(chartKeys, resourceKeys, configKeys) {
			if key != known && strings.EqualFold(key, known) {
				return fmt.Errorf("%s: %w: write %s", key, ErrRefused, known)
			}
		}
		if value != nil && slices.Contains(chartKeys, key) && (f.inflate == nil || key != "helmCharts") {
			return fmt.Errorf("%s: %w: make the chart a release of its own, or add it with dependencies: of this one", key, ErrRefused)
		}
		if plain && key != "resources" && !slices.Contains(headKeys, key) {
			return fmt.Errorf("%s: %w: a folder of generators, transformers or validators may have resources only", key, ErrRefused)
		}
	}
	return nil
}

// config looks at an entry of generators, transformers or validators: the text
// of some, or a file or folder of them, which is noted and looked at when it is
// read.
func (f *folder) config(dir, entry string) (string, error) {
	if isInline(entry) {
		return entry, f.texts(dir, []byte(entry))
	}
	path := entry
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if isDoubtful(entry) {
		if _, err := os.Lstat(path); err != nil {
			return "", fmt.Errorf("%s: remote files: %w", redact(entry), ErrRefused)
		}
		if !filepath.IsAbs(entry) {
			entry = "./" + entry
		}
	}
	f.configs = append(f.configs, filepath.Clean(path))
	if real, err := filepath.EvalSymlinks(path); err == nil {
		f.configs = append(f.configs, real)
	}
	return entry, nil
}

// isInline tells a text from the name of a file. kustomize takes what it cannot
// read as a text for a name or a URL, so what begins like a URL is no text.
func isInline(entry string) bool {
	text := strings.TrimSpace(entry)
	if strings.HasPrefix(text, "{") {
		return true
	}
	words := strings.Fields(text)
	return strings.Contains(text, "\n") && !isDoubtful(strings.TrimSuffix(words[0], ":"))
}

// isDoubtful reports what kustomize may take for a URL.
func isDoubtful(entry string) bool {
	return strings.ContainsAny(entry, ":@") || strings.Contains(strings.ToLower(entry), "github.com")
}

// texts looks at the paths in configurations of plugins. They are read with
// the parser of kustomize, and refused where that cannot read them.
func (f *folder) texts(dir string, text []byte) error {
	nodes, err := kio.FromBytes(text)
	if err != nil {
		return fmt.Errorf("parsing a configuration: %w", err)
	}
	for i, n := range nodes {
		doc, err := n.Map()
		if err != nil { // it would quote all of the document
			return fmt.Errorf("document %d of a configuration: %w: it is no map with each key once", i+1, ErrRefused)
		}
		if err := f.paths(dir, doc, ""); err != nil {
			return err
		}
	}
	return nil
}

// pathKeys are the keys of kustomizations and of plugin configurations whose
// texts kustomize opens as files, in any case of letters.
var pathKeys = []string{
	"path", "paths", "files", "file", "envs", "env", "crds", "configurations",
	"patchesStrategicMerge", "targetFilePath", "generators", "transformers", "validators",
}

// paths looks at every path in a tree: none may be a URL, and in what was
// fetched none may lead out of it.
func (f *folder) paths(dir string, tree any, key string) error {
	switch v := tree.(type) {
	case map[string]any:
		for k, e := range v {
			if err := f.paths(dir, e, k); err != nil {
				return err
			}
		}
	case map[any]any:
		for k, e := range v {
			if err := f.paths(dir, e, fmt.Sprint(k)); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			if err := f.paths(dir, e, key); err != nil {
				return err
			}
		}
	case string:
		isPath := slices.ContainsFunc(pathKeys, func(known string) bool { return strings.EqualFold(known, key) })
		if !isPath || strings.ContainsRune(v, '\n') {
			return nil
		}
		if strings.EqualFold(key, "files") {
			if _, file, named := strings.Cut(v, "="); named {
				v = file
			}
		}
		if isURL(v) {
			return fmt.Errorf("%s: %s: remote files: %w", key, redact(v), ErrRefused)
		}
		return f.inside(dir, v)
	}
	return nil
}

// refuseRemote looks for URLs among the paths of a transformer.
func refuseRemote(text []byte) error { return new(folder).texts("/", text) }
