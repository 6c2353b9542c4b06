package engine

import (
	"slices"
	"strings"

	rcommon "helm.sh/helm/v4/pkg/release/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/state"
)

// leftovers gives the documents of older revisions whose objects may still be
// there beside those of the newest one, each object once. Helm deletes what a
// revision no longer has only when the next one is deployed; so after a failed
// upgrade there are objects of the deployed revision, and of failed ones since,
// that the newest manifest does not name. Uninstalling that alone, as Helm does,
// would leave them behind. Objects of a kind that the cluster no longer knows
// are gone with it, and would keep Helm from deleting anything.
func (o *operation) leftovers(history []*v1.Release) (string, error) {
	if len(history) == 0 || history[len(history)-1].Info.Status == rcommon.StatusDeployed {
		return "", nil
	}
	last, older := history[len(history)-1], history[:len(history)-1]
	deployed := len(older) - 1
	for deployed >= 0 && older[deployed].Info.Status != rcommon.StatusDeployed {
		deployed--
	}
	all := taker{namespace: o.release.ID.Namespace, scope: o.to.scope, seen: map[state.ObjectID]bool{}}
	if _, err := all.take(last.Manifest); err != nil {
		return "", err
	}
	var found strings.Builder
	for i := len(older) - 1; i >= max(deployed, 0); i-- {
		if deployed < 0 && older[i].Info.Status != rcommon.StatusFailed {
			break
		}
		docs, err := all.take(older[i].Manifest)
		if err != nil {
			return "", err
		}
		for _, doc := range docs {
			found.WriteString("\n---\n" + doc)
		}
	}
	return found.String(), nil
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
