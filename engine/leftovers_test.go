package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster/clustertest"
)

func TestUninstallingOverAFailedUpgradeRemovesWhatOnlyTheDeployedRevisionHad(t *testing.T) {
	f, ctx := online(t), context.Background()
	names := "{{ range .Values.names }}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ . }}\n{{ end }}"
	kept := "{{ if .Values.kept }}apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kept\n  annotations: {helm.sh/resource-policy: keep}\n{{ end }}"
	r := f.release(writeChart(t, map[string]string{"templates/a.yaml": names, "templates/d.yaml": deployment, "templates/k.yaml": kept}), "broken")
	r.Options.Wait, r.Options.Timeout = true, 2*time.Second
	f.mustApply(r, map[string]any{"names": []any{"only-deployed", "all"}, "kept": true})
	for _, name := range []string{"only-second", "only-third"} {
		values := map[string]any{"names": []any{name, "all"}, "fail": clustertest.NeverReady}
		if _, err := f.apply(ctx, r, values); err == nil {
			t.Fatal("the upgrade did not fail")
		}
	}
	before := f.record(r, 3).Manifest
	have := f.read(r)
	left, err := f.Uninstall(ctx, r, have)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"only-deployed", "only-second", "only-third", "all"} {
		if f.configMap(name) != nil {
			t.Errorf("%s is still there", name)
		}
	}
	if f.configMap("kept") == nil {
		t.Error("what is to be kept is gone")
	}
	if after := f.record(r, 3).Manifest; after != before {
		t.Errorf("the record has changed:\n%s", after)
	}
	r.Options.Wait = false
	if _, err := f.Rollback(ctx, r, have.Deployed(), left); err != nil || f.configMap("only-deployed") == nil {
		t.Errorf("restoring: %v", err)
	}
}

func TestUpgradingOverAFailedUpgradeRemovesWhatOnlyThatBrought(t *testing.T) {
	f, ctx := online(t), context.Background()
	names := "{{ range .Values.names }}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ . }}\n{{ end }}"
	for title, deployed := range map[string]bool{"a revision is deployed": true, "none is": false} {
		t.Run(title, func(t *testing.T) {
			name := "forward-" + strings.Fields(title)[0]
			r := f.release(writeChart(t, map[string]string{"templates/a.yaml": names, "templates/d.yaml": deployment}), name)
			r.Options.Wait, r.Options.Timeout = true, 2*time.Second
			if deployed {
				f.mustApply(r, map[string]any{"names": []any{name + "-all", name + "-first"}})
			}
			for _, one := range []string{"-second", "-third", "-theirs"} {
				values := map[string]any{"names": []any{name + one, name + "-all"}, "fail": clustertest.NeverReady}
				if _, err := f.apply(ctx, r, values); err == nil {
					t.Fatal("the upgrade did not fail")
				}
			}
			if deployed { // else Helm deletes it as its own
				f.edit(name+"-theirs", `{"metadata":{"annotations":{"meta.helm.sh/release-name":"somebody"}}}`)
			}
			f.mustApply(r, map[string]any{"names": []any{name + "-all", name + "-third"}})
			for one, want := range map[string]bool{"-first": false, "-second": false, "-third": true, "-all": true, "-theirs": deployed} {
				if there := f.configMap(name+one) != nil; there != want {
					t.Errorf("%s is there: %v, want %v", one, there, want)
				}
			}
			if stored := f.record(r, f.read(r).Last().Number).Manifest; strings.Contains(stored, "second") {
				t.Errorf("the record has\n%s", stored)
			}
		})
	}
}

// Of an immutable ConfigMap the data cannot be put back, so that rollbacks fail
// before they delete anything, until it is gone.
func TestWhatARollbackThatFailedDidNotDeleteIsDeletedByWhatFollows(t *testing.T) {
	text := configMap + "  v: {{ .Values.v }}\nimmutable: {{ .Values.brings }}\n" +
		"{{ if .Values.brings }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: brought-{{ .Release.Name }}}\n{{ end }}"
	tests := []struct {
		name    string
		follows func(f *fleet, r spec.Release) error
		history string
	}{
		{"rollback", func(f *fleet, r spec.Release) error {
			return f.back(t.Context(), r, &state.Revision{Number: 1})
		}, "1=superseded 2=superseded 3=failed 4=failed 5=deployed"},
		{"upgrade", func(f *fleet, r spec.Release) error {
			_, err := f.apply(t.Context(), r, map[string]any{"v": "c", "brings": false})
			return err
		}, "1=superseded 2=superseded 3=failed 4=failed 5=deployed"},
		{"uninstall", func(f *fleet, r spec.Release) error { return f.gone(t.Context(), r) }, "1=superseded 2=superseded 3=failed 4=uninstalled"},
	}
	f := online(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := f.release(writeChart(t, map[string]string{"templates/a.yaml": text}), tt.name)
			f.mustApply(r, map[string]any{"v": "a", "brings": false})
			f.mustApply(r, map[string]any{"v": "b", "brings": true})
			for range 2 {
				if err := f.back(t.Context(), r, &state.Revision{Number: 1}); !errors.Is(err, ErrImmutable) {
					t.Fatalf("rolling back what is immutable: %v", err)
				}
			}
			f.wantHistory(r, "1=superseded 2=deployed 3=failed 4=failed")
			if f.configMap("brought-"+tt.name) == nil {
				t.Fatal("the rollback that failed has deleted something")
			}
			if err := f.client().CoreV1().ConfigMaps(f.namespace).Delete(t.Context(), tt.name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := tt.follows(f, r); err != nil {
				t.Fatal(err)
			}
			if f.configMap("brought-"+tt.name) != nil {
				t.Error("what the second revision brought is still there")
			}
			f.wantHistory(r, tt.history)
		})
	}
}

func TestUninstallingOverAFailedUpgradeWhenAKindIsGone(t *testing.T) {
	f, ctx := online(t), context.Background()
	group := strings.ReplaceAll(f.namespace, "-", "") + ".example.com"
	crd := "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: boats." + group + "}\n" +
		"spec:\n  group: " + group + "\n  scope: Namespaced\n  names: {kind: Boat, plural: boats}\n" +
		"  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n"
	boat := "{{ if .Values.boat }}apiVersion: " + group + "/v1\nkind: Boat\nmetadata: {name: b}\n{{ end }}"
	owner := f.release(writeChart(t, map[string]string{"templates/crd.yaml": crd}), "owner")
	f.mustApply(owner, nil)
	r := f.release(writeChart(t, map[string]string{"templates/b.yaml": boat, "templates/d.yaml": deployment, "templates/a.yaml": configMap + "  a: b\n"}), "sailor")
	r.Options.Wait, r.Options.Timeout = true, 2*time.Second
	f.mustApply(r, map[string]any{"boat": true})
	if _, err := f.apply(ctx, r, map[string]any{"fail": clustertest.NeverReady}); err == nil {
		t.Fatal("the upgrade did not fail")
	}
	owner.Options.DeleteWait, owner.Options.DeleteTimeout = true, 20*time.Second
	if err := f.gone(ctx, owner); err != nil {
		t.Fatal(err)
	}
	to, err := f.target(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	to.forget() // as in another run
	if err := f.gone(ctx, r); err != nil || f.configMap("sailor") != nil {
		t.Errorf("uninstalling: %v", err)
	}
}

// The older document is without the namespace that the newer one names.
func TestUninstallingKeepsWhatTheNewestRevisionKeeps(t *testing.T) {
	f, ctx := online(t), context.Background()
	kept := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kept\n" +
		"{{ if .Values.fail }}  namespace: {{ .Release.Namespace }}\n  annotations: {helm.sh/resource-policy: keep}\n{{ end }}"
	r := f.release(writeChart(t, map[string]string{"templates/k.yaml": kept, "templates/d.yaml": deployment}), "keeper")
	r.Options.Wait, r.Options.Timeout = true, 2*time.Second
	f.mustApply(r, nil)
	if _, err := f.apply(ctx, r, map[string]any{"fail": clustertest.NeverReady}); err == nil {
		t.Fatal("the upgrade did not fail")
	}
	if err := f.gone(ctx, r); err != nil {
		t.Fatal(err)
	}
	if f.configMap("kept") == nil {
		t.Error("what is to be kept is gone")
	}
}

func TestErrorsShowNoValueOfASecret(t *testing.T) {
	f, ctx := online(t), context.Background()
	for name, secret := range map[string]string{
		"number": "stringData: {password: 4711}",
		"text":   "data: {password: hunter-2-is-no-base64}",
		"field":  "immutable: {password: hunter2}",
		"binary": "type: kubernetes.io/tls\nstringData: {tls.key: hunter2}",
	} {
		t.Run(name, func(t *testing.T) {
			r := f.release(writeChart(t, map[string]string{"templates/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s-" + name + "}\n" + secret + "\n"}), "s-"+name)
			_, err := f.apply(ctx, r, nil)
			if err == nil {
				t.Fatal("the server takes it")
			}
			said := err.Error()
			if last := f.read(r).Last(); last != nil {
				said += "\n" + last.Description
			}
			if strings.Contains(said, "hunter") || strings.Contains(said, "4711") {
				t.Errorf("error and description are\n%s", said)
			}
		})
	}
}
