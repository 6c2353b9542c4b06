package engine

import (
	"slices"
	"strings"

	rcommon "helm.sh/helm/v4/pkg/release/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/flotilla-sh/flotilla/state"
)

// leftovers gives the documents of older revisions whose objects may still be
// there beside those of the newest one, each object once. Helm deletes what a
// revision no longer has only when the next one is deployed; so after a failed
// upgrade there are objects of the deployed revision, and of failed ones since,
// that the newest manifest does not name. Uninstalling that alone, as Helm does,
// would leave them behind.
func leftovers(history []*v1.Release) string {
	if len(history) == 0 || history[len(history)-1].Info.Status == rcommon.StatusDeployed {
		return ""
	}
	last, older := history[len(history)-1], history[:len(history)-1]
	deployed := len(older) - 1
	for deployed >= 0 && older[deployed].Info.Status != rcommon.StatusDeployed {
		deployed--
	}
	seen := map[state.ObjectID]bool{}
	take(last.Manifest, seen)
	var found strings.Builder
	for i := len(older) - 1; i >= max(deployed, 0); i-- {
		if deployed < 0 && older[i].Info.Status != rcommon.StatusFailed {
			break
		}
		for _, doc := range take(older[i].Manifest, seen) {
			found.WriteString("\n---\n" + doc)
		}
	}
	return found.String()
}

// take gives the documents of a manifest whose objects were not seen, and marks
// all as seen. What cannot be read is left out.
func take(manifest string, seen map[state.ObjectID]bool) []string {
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
		id := state.ObjectID{Group: u.GroupVersionKind().Group, Kind: u.GetKind(), Namespace: u.GetNamespace(), Name: u.GetName()}
		if !seen[id] {
			seen[id] = true
			fresh = append(fresh, split[key])
		}
	}
	return fresh
}
