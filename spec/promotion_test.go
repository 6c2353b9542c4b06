package spec

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPromotionIsReadFromTheNearestFile(t *testing.T) {
	dir := write(t, map[string]string{
		"helmfile.yaml": "environments: {dev: {}, prod: {}}\npromotion:\n  order: [dev, prod]\n  soak: 2h\n  allow: [a.**]\nhelmfiles: [own.yaml, none.yaml]\n",
		"own.yaml":      "environments: {dev: {}, prod: {}}\npromotion: {soak: 3d, deny: [b]}\n---\nreleases: [{name: own, chart: x/y}]\n",
		"none.yaml":     "environments: {dev: {}, prod: {}}\n---\nreleases: [{name: none, chart: x/y}]\n",
	})
	s, err := Load(t.Context(), "", LoadOptions{Dir: dir, Environment: "dev"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Promotion{
		"own":  {Soak: 72 * time.Hour, Deny: []string{"b"}},
		"none": {Order: []string{"dev", "prod"}, Soak: 2 * time.Hour, Allow: []string{"a.**"}},
	}
	for _, r := range s.Releases {
		if d := cmp.Diff(want[r.ID.Name], s.PromotionOf(r.File), cmpopts.IgnoreFields(Promotion{}, "Pos")); d != "" {
			t.Errorf("%s (-want +got):\n%s", r.ID.Name, d)
		}
	}
	if got := s.PromotionOf(-1); got.Pos.File != "" {
		t.Errorf("of no file: %+v", got)
	}
}

func TestMistakesInPromotionAreToldTogether(t *testing.T) {
	dir := write(t, map[string]string{
		"helmfile.yaml": "environments: {dev: {}, prod: {}}\npromotion:\n  order: [dev, prdo, dev]\n  soak: soon\n  allow: ['']\n  deny: [' . ']\n---\nreleases: []\n",
	})
	_, err := Load(t.Context(), "", LoadOptions{Dir: dir, Environment: "dev"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`helmfile.yaml:3:16: promotion.order: there is no environment "prdo", did you mean "prod"?`,
		`helmfile.yaml:3:22: promotion.order: "dev" is listed twice`,
		`helmfile.yaml:4:9: promotion.soak: "soon" is no time such as 30m, 2h or 3d`,
		`helmfile.yaml:5:11: promotion.allow: is empty: expected a path of values such as replicas, or a pattern such as features.**`,
		`helmfile.yaml:6:10: promotion.deny: is empty`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
}

func TestOutlineOfFilesThatLoadForNoDefaultEnvironment(t *testing.T) {
	dir := write(t, map[string]string{
		"helmfile.yaml.gotmpl": "bases: [base.yaml]\npromotion: {order: [dev, prod]}\n---\nreleases: [{name: web, chart: x/y, version: {{ .Values.missing.version }}}]\n",
		"base.yaml":            "environments:\n  prod: {}\n  dev: {}\n",
	})
	got, err := OutlineOf(t.Context(), "", LoadOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Outline{Environments: []string{"dev", "prod"}, Order: []string{"dev", "prod"}}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	dir = write(t, map[string]string{
		"helmfile.yaml.gotmpl": "environments:\n  dev: {}\n  prod: {values: [{version: 1}]}\n---\npromotion: {order: [prod, dev]}\nreleases: [{name: web, chart: x/y, version: {{ .Values.version }}}]\n",
	})
	if got, err = OutlineOf(t.Context(), "", LoadOptions{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Outline{Environments: []string{"dev", "prod"}, Order: []string{"prod", "dev"}}, got); d != "" {
		t.Errorf("of a part that the values of an environment are needed for (-want +got):\n%s", d)
	}
	if _, err := OutlineOf(t.Context(), "none.yaml", LoadOptions{Dir: dir}); err == nil {
		t.Error("a file that is not there has an outline")
	}
}

func TestStateLayersTellWhereStateValuesStand(t *testing.T) {
	dir := write(t, map[string]string{
		"helmfile.yaml": "values: [all.yaml]\nenvironments:\n  prod:\n    values:\n    - prod.yaml\n    - b: 2\n    - made.yaml.gotmpl\n---\nreleases: []\n",
		"all.yaml":      "a: 0\n", "prod.yaml": "# prod\na: 1\n", "made.yaml.gotmpl": "c: {{ .Environment.Name }}\n",
	})
	s, err := Load(t.Context(), "", LoadOptions{Dir: dir, Environment: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	layers, err := s.StateLayersOf(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		file   string
		own    bool
		values map[string]any
	}
	var got []seen
	for _, l := range layers {
		name := ""
		if l.File != "" {
			name, _ = filepath.Rel(dir, l.File)
		}
		got = append(got, seen{name, l.Environment, l.Values})
	}
	want := []seen{
		{"all.yaml", false, map[string]any{"a": 0.0}}, {"prod.yaml", true, map[string]any{"a": 1.0}},
		{"", true, map[string]any{"b": 2.0}}, {"made.yaml.gotmpl", true, map[string]any{"c": "prod"}},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(seen{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if _, err := s.StateLayersOf(t.Context(), 7); err == nil {
		t.Error("a file that is not there has layers")
	}
}

func TestEditedFilesAreReadAsTheyWillBe(t *testing.T) {
	dir := write(t, map[string]string{
		"helmfile.yaml": "releases: [{name: web, chart: x/y, values: [web.yaml]}]\n", "web.yaml": "a: 1\n",
	})
	s, err := Load(t.Context(), "", LoadOptions{Dir: dir, Edited: map[string][]byte{filepath.Join(dir, "web.yaml"): []byte("a: 2\n")}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.ValuesOf(t.Context(), s.Releases[0])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]any{"a": 2.0}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
