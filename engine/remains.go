package engine

import (
	"bytes"
	"errors"
	"fmt"

	"helm.sh/helm/v4/pkg/kube"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/resource"
)

// errRemains: an uninstall that Helm calls done has left something.
var errRemains = errors.New("it is still there")

// remains holds what Helm calls uninstalled against the truth: Helm deletes no
// object that it cannot look at, and goes on when it cannot write the record,
// and tells neither but to its log. What belongs to another release by now is
// rightly left, which the user is told.
func (o *operation) remains(manifest string) error {
	var errs []error
	list, err := o.client.Client.Build(bytes.NewBufferString(manifest), false)
	if err != nil && !isNoMatch(err) { // kinds that are gone took their objects along
		errs = append(errs, err)
	}
	for _, info := range list.Difference(o.client.asked).Difference(o.client.kept) {
		if keeps(info) {
			continue
		}
		if err := o.remaining(info); err != nil {
			errs = append(errs, fmt.Errorf("%s/%s was not deleted: %w", info.Mapping.GroupVersionKind.Kind, info.Name, err))
		}
	}
	last, err := o.records.last()
	switch {
	case err != nil:
		errs = append(errs, err)
	case last != nil && last.Info.Status != rcommon.StatusUninstalled:
		errs = append(errs, fmt.Errorf("writing its record: it still says %s: %w", last.Info.Status, o.records.refused))
	case last != nil && len(errs) > 0:
		errs = append(errs, o.records.fail(last, fmt.Sprintf("Uninstall failed: %v", errors.Join(errs...))))
	}
	return errors.Join(errs...)
}

func (o *operation) remaining(info *resource.Info) error {
	err := info.Get()
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if owner := ownerOf(info); owner != "" && owner != o.release.ID.Namespace+"/"+o.release.ID.Name {
		if o.client.note != nil {
			o.client.note(fmt.Sprintf("%s/%s was left: it belongs to release %s", info.Mapping.GroupVersionKind.Kind, info.Name, owner))
		}
		return nil
	}
	return errRemains
}

// ownerOf is the release that an object says it is of, "" if it says none.
func ownerOf(info *resource.Info) string {
	all := annotationsOf(info)
	if all[nameAnnotation] == "" {
		return ""
	}
	return all[namespaceAnnotation] + "/" + all[nameAnnotation]
}

func keeps(info *resource.Info) bool {
	return annotationsOf(info)[kube.ResourcePolicyAnno] == kube.KeepPolicy
}

func annotationsOf(info *resource.Info) map[string]string {
	object, err := meta.Accessor(info.Object)
	if err != nil {
		return nil
	}
	return object.GetAnnotations()
}

// manifestOf is what Helm deletes of a release.
func (o *operation) manifestOf(history []*v1.Release) string {
	if len(history) == 0 {
		return ""
	}
	return history[len(history)-1].Manifest + o.records.extra
}
