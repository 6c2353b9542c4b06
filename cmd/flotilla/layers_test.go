package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/flotilla-sh/flotilla"

// below is the table of layers: what each package may import of ours. Arrows
// point down only; a package that is missing here fails the test.
var below = map[string][]string{
	"spec/schema":  {},
	"spec/tmpl":    {"spec/program"},
	"spec/values":  {},
	"spec/source":  {"spec/program"},
	"spec/secret":  {"spec/program"},
	"spec/hcl":     {"spec/schema"},
	"spec/origin":  {"spec/schema", "spec/values"},
	"spec/program": {},
	"spec/lock":    {},
	"spec":         {"spec/hcl", "spec/lock", "spec/origin", "spec/schema", "spec/tmpl", "spec/values", "spec/source", "spec/secret"},

	"spec/promote":      {"spec", "spec/lock", "spec/origin", "spec/promote/edit", "spec/schema", "spec/source", "spec/values"},
	"spec/promote/edit": {"spec/origin", "spec/schema"},

	"state":                     {"spec"},
	"state/openapi":             {},
	"state/cluster":             {"spec", "state"},
	"state/cluster/clustertest": {},
	"state/lease":               {"spec", "state/cluster"},
	"state/journal":             {"spec", "state", "state/cluster"},

	"hooks":        {"spec", "spec/program", "state"},
	"hooks/verify": {"spec", "hooks"},

	"engine/chart":     {"spec", "spec/source"},
	"engine/kustomize": {"spec"},
	"engine":           {"spec", "spec/origin", "spec/program", "spec/source", "spec/tmpl", "state", "state/cluster", "hooks", "engine/chart", "engine/kustomize"},

	"plan/check": {"spec", "state", "state/openapi", "plan/diff"},
	"plan/diff":  {"spec", "state", "state/openapi"},
	"plan/live":  {"state", "state/openapi", "spec", "plan/diff"},
	"plan":       {"spec", "spec/origin", "state", "state/openapi", "hooks", "plan/diff", "plan/live"},
	"plan/file":  {"plan"},
	"plan/drift": {"state", "spec", "plan/diff", "plan/live"},
	"executor":   {"spec", "state", "plan", "hooks"},

	"cmd/view":           {"spec", "spec/origin", "state", "plan", "plan/diff", "plan/drift", "plan/live", "executor", "hooks"},
	"cmd/view/report":    {"spec", "state", "plan", "plan/diff", "plan/drift", "plan/live", "executor", "cmd/view"},
	"cmd/view/viewtest":  {},
	"cmd/cli":            {"*"},
	"cmd/flotilla/early": {},
	"cmd/bench":          {"state/cluster", "cmd/bench/traffic"},
	"cmd/bench/floor":    {},
	"cmd/bench/traffic":  {},
	"cmd/stress":         {}, // tests only
	"cmd/flotilla":       {"cmd/cli", "cmd/flotilla/early"},
}

// rooms says which packages may import which third-party code; the longest
// prefix that fits decides. What is not here has no room: a new dependency
// gets its line together with the reason in docs/adr.
var rooms = map[string][]string{
	"helm.sh/helm/v4": {"engine", "engine/chart", "cmd/bench", "cmd/bench/floor"},

	"github.com/hashicorp/go-getter/v2": {"spec/source"},
	"github.com/hashicorp/hcl/v2":       {"spec/hcl"},
	"github.com/hashicorp/go-cty-funcs": {"spec/hcl"},
	"github.com/zclconf/go-cty":         {"spec/hcl"},
	"github.com/zclconf/go-cty-yaml":    {"spec/hcl"},

	"k8s.io/apimachinery":                  {"state", "state/openapi", "state/cluster", "state/cluster/clustertest", "state/lease", "state/journal", "hooks", "engine", "engine/chart", "plan", "plan/check", "plan/diff", "plan/live", "cmd/bench", "cmd/bench/floor"},
	"k8s.io/api":                           {"state/cluster", "state/cluster/clustertest", "state/lease", "state/journal", "engine", "cmd/bench", "cmd/bench/floor"},
	"k8s.io/apiextensions-apiserver":       {"engine"},
	"k8s.io/client-go":                     {"state/openapi", "state/cluster", "state/cluster/clustertest", "state/lease", "state/journal", "engine", "cmd/bench/floor"},
	"k8s.io/kube-openapi":                  {"state/openapi"},
	"sigs.k8s.io/structured-merge-diff/v6": {"state/openapi", "plan/live"},
	"k8s.io/cli-runtime":                   {"engine"},
	"github.com/fluxcd/cli-utils":          {"engine"},
	"github.com/Masterminds/semver":        {"spec", "engine", "engine/chart"},
	"oras.land/oras-go/v2":                 {"engine/chart"},
	"sigs.k8s.io/kustomize/kyaml":          {"engine", "engine/kustomize"},
	"sigs.k8s.io/kustomize/api":            {"engine", "engine/kustomize"},
	"github.com/opencontainers":            {"engine/chart"},
	"github.com/Masterminds/sprig":         {"spec/tmpl"},
	"dario.cat/mergo":                      {"spec", "spec/values"},
	"gopkg.in/yaml.v3":                     {"engine/kustomize", "spec", "spec/lock", "spec/origin", "spec/promote/edit", "spec/schema", "spec/tmpl", "spec/values"},
	"sigs.k8s.io/yaml":                     {"spec", "spec/program", "spec/schema", "spec/secret", "spec/tmpl", "spec/values", "hooks", "engine", "engine/chart", "engine/kustomize", "plan", "plan/diff", "cmd/cli", "cmd/view"},
	"github.com/sergi/go-diff":             {"plan/diff"},
	"github.com/google/cel-go":             {"plan/policy"},
	"k8s.io/klog":                          {"cmd/flotilla"},
	"github.com/go-logr/logr":              {"cmd/flotilla"},
	"filippo.io/age":                       {"plan/file"},
	"github.com/alecthomas/kong":           {"cmd/cli"},
	"golang.org/x/sync/errgroup":           {"state/cluster", "engine", "executor", "cmd/cli"},
	"golang.org/x/sync/singleflight":       {"spec/source", "engine/chart"},
	"golang.org/x/text/width":              {"cmd/view"},
	"golang.org/x/term":                    {"cmd/view"},
	"go.uber.org/goleak":                   {"state/cluster/clustertest"},
}

// TestLayers holds the imports of all packages (tests aside, which may look
// sideways) against the table above.
func TestLayers(t *testing.T) {
	imports := listImports(t)
	if len(imports) < 2 {
		t.Fatalf("go list knows %d packages: the test looks in the wrong place", len(imports))
	}
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		for _, line := range layerFaults(pkg, imports[pkg]) {
			t.Error(line)
		}
	}
}

// TestLayerFaults plants one import for each rule and wants it found.
func TestLayerFaults(t *testing.T) {
	tests := []struct {
		name    string
		pkg     string
		imports []string
		want    string
	}{
		{"an arrow that points up", "spec", []string{module + "/plan"}, "spec must not import plan"},
		{"plan reaching for the cluster", "plan", []string{module + "/state/cluster"}, "plan must not import state/cluster"},
		{"Helm above the engine", "executor", []string{"helm.sh/helm/v4/pkg/action"}, "executor must not import helm.sh/helm/v4/pkg/action"},
		{"a dependency without a room", "engine", []string{"example.com/new/thing"}, "engine imports example.com/new/thing, which has no room"},
		{"a package without a layer", "util", nil, "util is not in the table of layers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(layerFaults(tt.pkg, tt.imports), "\n")
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want it to begin with %q", got, tt.want)
			}
		})
	}
}

// TestClientsAreBuiltInOneRoom finds every call that makes a Kubernetes client
// or discovery from a REST config: what a cluster costs is paid once, so only
// state/cluster may. Passing clients on is free, hence no matter of imports.
func TestClientsAreBuiltInOneRoom(t *testing.T) {
	root := filepath.Join("..", "..")
	fset := token.NewFileSet()
	built := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path == filepath.Join(root, "cmd", "devcluster") || path == filepath.Join(root, "cmd", "bench", "floor") {
				return filepath.SkipDir // programs that share nothing with flotilla
			}
			return skipFolder(root, path, entry.Name())
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.SelectorExpr)
			if !ok || !strings.HasPrefix(call.Sel.Name, "New") || !strings.Contains(call.Sel.Name, "ForConfig") {
				return true
			}
			built++
			if strings.HasPrefix(path, filepath.Join(root, "state", "cluster")+string(filepath.Separator)) {
				return true
			}
			t.Errorf("%s: %s builds a client; only state/cluster may", fset.Position(call.Pos()), call.Sel.Name)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if built == 0 {
		t.Error("found no call that builds a client, not even in state/cluster: the test looks in the wrong place")
	}
}

// listImports gives each package of the module, named from its root, with what
// its files other than tests import, the standard library left out.
func listImports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing packages: %v\n%s", err, stderr.String())
	}
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		packages[short(fields[0])] = slices.DeleteFunc(fields[1:], standard)
	}
	return packages
}

func layerFaults(pkg string, imports []string) []string {
	allowed, known := below[pkg]
	if !known {
		return []string{pkg + " is not in the table of layers (cmd/flotilla/layers_test.go): give it a layer"}
	}
	var faults []string
	for _, path := range imports {
		if own(path) {
			if !slices.Contains(allowed, short(path)) && !slices.Contains(allowed, "*") {
				faults = append(faults, fmt.Sprintf("%s must not import %s; it may import %q", pkg, short(path), allowed))
			}
			continue
		}
		inside, known := room(path)
		switch {
		case !known:
			faults = append(faults, fmt.Sprintf("%s imports %s, which has no room in the table (cmd/flotilla/layers_test.go)", pkg, path))
		case !slices.Contains(inside, pkg):
			faults = append(faults, fmt.Sprintf("%s must not import %s; only %q may", pkg, path, inside))
		}
	}
	return faults
}

func room(path string) (packages []string, known bool) {
	longest := ""
	for prefix := range rooms {
		if (path == prefix || strings.HasPrefix(path, prefix+"/")) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	return rooms[longest], longest != ""
}

func own(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

func short(path string) string { return strings.TrimPrefix(path, module+"/") }

// standard reports whether the path is of the standard library: those have no
// dot in their first element.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
