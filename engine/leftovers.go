package engine

import (
	"fmt"
	"slices"
	"strings"

	rcommon "helm.sh/helm/v4/pkg/release/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/state"
)

// leftovers gives the documents of other revisions whose objects may still be
// there beside those of the base, which is the one that Helm goes by, each object
// once. Helm deletes what a revision no longer has only when the next one is
// deployed; so after a failed upgrade there are objects of the deployed revision,
// and of failed ones since. Helm uninstalls the newest alone, and upgrades from the
// deployed one alone, and would leave the others behind. Objects of a kind that the
// cluster no longer knows are gone with it, and would keep Helm from deleting
// anything.
func (o *operation) leftovers(history []*v1.Release, base *v1.Release) (string, error) {
	if len(history) == 0 || history[len(history)-1].Info.Status == rcommon.StatusDeployed {
		return "", nil
	}
	deployed := deployedOf(history)
	all := taker{namespace: o.release.ID.Namespace, scope: o.to.scope, seen: map[state.ObjectID]bool{}}
	if _, err := all.take(base.Manifest); err != nil {
		return "", err
	}
	var found strings.Builder
	for i := len(history) - 1; i >= max(deployed, 0); i-- {
		if history[i] == base {
			continue
		}
		if deployed < 0 && history[i].Info.Status != rcommon.StatusFailed {
			break
		}
		docs, err := all.take(history[i].Manifest)
		if err != nil {
			return "", err
		}
		for _, doc := range docs {
			found.WriteString("\n---\n" + doc)
		}
	}
	return found.String(), nil
}

// deployedOf is the index of the newest deployed revision, -1 if there is none.
func deployedOf(history []*v1.Release) int {
	for i, r := range slices.Backward(history) {
		if r.Info.Status == rcommon.StatusDeployed {
			return i
		}
	}
	return -1
}

// strays prepares an upgrade from what is not deployed: it gives the documents of
// what failed revisions have brought beside the one that Helm upgrades from, and
// has the upgrade delete of them what is there, is still the release's, and is not
// wanted.
func (o *operation) strays() (string, error) {
	history, err := o.records.all()
	if err != nil || len(history) == 0 {
		return "", err
	}
	base := history[len(history)-1]
	if at := deployedOf(history); at >= 0 {
		base = history[at]
	}
	text, err := o.leftovers(history, base)
	if err != nil || text == "" {
		return "", err
	}
	list, err := o.client.Client.Build(strings.NewReader(text), false)
	if err != nil {
		return "", err
	}
	for _, info := range list {
		switch err := info.Get(); {
		case apierrors.IsNotFound(err):
		case err != nil:
			return "", fmt.Errorf("looking for %s/%s, which a failed revision may have left: %w", info.Mapping.GroupVersionKind.Kind, info.Name, err)
		case ownerOf(info) == o.release.ID.Namespace+"/"+o.release.ID.Name:
			o.client.strays = append(o.client.strays, info)
		}
	}
	return text, nil
}

// taker goes through manifests, the newest first, whose word on an object
// counts: it may keep what an older one would not.
type taker struct {
	namespace string // of the release: where objects are that name none
	scope     func(apiVersion, kind string) (meta.RESTScopeName, error)
	seen      map[state.ObjectID]bool
}

// take gives the documents of a manifest whose objects were not seen, and marks
// all as seen. What cannot be read, or is of no kind that is known, is left out.
func (t taker) take(manifest string) ([]string, error) {
	var fresh []string
	split := releaseutil.SplitManifests(manifest)
	keys := make([]string, 0, len(split))
	for key := range split {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		var u unstructured.Unstructured
		if yaml.Unmarshal([]byte(split[key]), &u.Object) != nil || u.GetKind() == "" {
			continue
		}
		scope, err := t.scope(u.GetAPIVersion(), u.GetKind())
		if isNoMatch(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		id := state.ObjectID{Group: u.GroupVersionKind().Group, Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName()}
		switch {
		case scope != meta.RESTScopeNameNamespace:
			id.Namespace = ""
		case id.Namespace == "":
			id.Namespace = t.namespace
		}
		if !t.seen[id] {
			t.seen[id] = true
			fresh = append(fresh, split[key])
		}
	}
	return fresh, nil
}
