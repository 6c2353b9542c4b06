package engine

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"

	"github.com/flotilla-sh/flotilla/state"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// newCRDs finds the custom resource definitions in the chart's crds/ folder that
// installing it will bring: those that are not there yet. What the user may not
// look at is left out: neither may they create it.
func (o *operation) newCRDs(want *state.Revision) ([]state.ObjectID, error) {
	if o.release.Options.SkipCRDs {
		return nil, nil
	}
	var missing []state.ObjectID
	for _, file := range want.CRDs {
		for _, id := range definitionsIn(file.Data) {
			_, err := o.to.Dynamic().Resource(definitions).Get(o.client.ctx, id.Name, metav1.GetOptions{})
			switch {
			case err == nil, apierrors.IsForbidden(err):
			case apierrors.IsNotFound(err):
				missing = append(missing, id)
			default:
				return nil, o.to.Explain(err, cluster.Access{Verb: "get", Resource: "customresourcedefinitions"})
			}
		}
	}
	return missing, nil
}

// definitionsIn names what a file of crds/ defines. Helm tells what cannot be
// read.
func definitionsIn(data []byte) []state.ObjectID {
	var ids []state.ObjectID
	for _, text := range releaseutil.SplitManifests(string(data)) {
		var u unstructured.Unstructured
		if yaml.Unmarshal([]byte(text), &u.Object) == nil && u.GetName() != "" {
			ids = append(ids, state.ObjectID{Group: u.GroupVersionKind().Group, Kind: u.GetKind(), Name: u.GetName()})
		}
	}
	return ids
}

// Definitions names what the crds/ folder of a wanted revision's chart defines.
func Definitions(want *state.Revision) []state.ObjectID {
	var ids []state.ObjectID
	for _, file := range want.CRDs {
		ids = append(ids, definitionsIn(file.Data)...)
	}
	return ids
}
