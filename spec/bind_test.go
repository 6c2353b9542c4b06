package spec

import "testing"

func TestBindGivesTheContextOfTheEnvironment(t *testing.T) {
	s := mustLoad(t, map[string]string{
		"helmfile.yaml": `
environments:
  prod: {kubeContext: prod-ctx}
---
helmfiles: [other.yaml]
releases:
- {name: a, namespace: n, chart: c}
- {name: b, namespace: n, chart: c, kubeContext: own, needs: [/n/elsewhere]}
- {name: c, namespace: n, chart: c, needs: [a]}
`,
		"other.yaml": `
environments:
  prod: {kubeContext: other-ctx}
---
releases:
- {name: elsewhere, namespace: n, chart: c}
`}, LoadOptions{Environment: "prod"})
	bound, err := s.Bind(func(name string) (string, string, error) {
		if name == "" {
			name = "current"
		}
		return name, "default", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(bound.Releases), "other-ctx/n/elsewhere prod-ctx/n/a own/n/b prod-ctx/n/c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := bound.CheckNeeds(); err != nil {
		t.Errorf("needs of the bound state: %v", err)
	}
	if got := bound.Releases[3].Needs[0].ID.Context; got != "prod-ctx" {
		t.Errorf("the need of c is in %q", got)
	}
}
