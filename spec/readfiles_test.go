package spec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadFilesKnowsEveryFileOfALoad(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"helmfile.yaml.gotmpl": "bases: [base.yaml]\nenvironments: {default: {values: [env.yaml, more.yaml.gotmpl]}}\n---\nhelmfiles: [nested.yaml]\n" +
			"releases:\n- {name: web, chart: ./web, labels: {a: {{ readFile \"label.txt\" }}}, values: [web.yaml.gotmpl, missing.yaml], missingFileHandler: Info, strategicMergePatches: [patch.yaml]}\n",
		"base.yaml":        "helmDefaults: {wait: true}\n",
		"env.yaml":         "a: 1\n",
		"more.yaml.gotmpl": "b: 1\n",
		"_part.tpl":        "",
		"nested.yaml":      "releases: []\n",
		"label.txt":        "x",
		"ref.txt":          "x",
		"web.yaml.gotmpl":  "a: ref+file://ref.txt\n",
		"patch.yaml":       "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n",
		"unused.yaml":      "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var read ReadFiles
	s, err := Load(t.Context(), "", LoadOptions{Dir: dir, ReadFiles: &read})
	if err != nil {
		t.Fatal(err)
	}
	vals, err := s.ValuesOf(t.Context(), s.Releases[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PatchesOf(t.Context(), s.Releases[0], vals); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range read.All() {
		if !strings.HasPrefix(f.Digest, "sha256:") {
			t.Errorf("%s has the digest %q", f.Path, f.Digest)
		}
		got = append(got, filepath.Base(f.Path))
	}
	want := []string{"_part.tpl", "base.yaml", "env.yaml", "helmfile.yaml.gotmpl", "label.txt", "more.yaml.gotmpl", "nested.yaml", "patch.yaml", "ref.txt", "web.yaml.gotmpl"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("files that were read (-want +got):\n%s", d)
	}
}

func TestReadFilesTellsAFileThatChanged(t *testing.T) {
	var read ReadFiles
	read.Add("b", []byte("1"))
	read.Add("a", []byte("1"))
	read.Add("b", []byte("2"))
	read.Add("b", []byte("1"))
	var got []string
	for _, f := range read.All() {
		got = append(got, f.Path)
	}
	if d := cmp.Diff([]string{"a", "b", "b"}, got); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	var nobody *ReadFiles
	nobody.Add("a", nil) // must not panic
}
