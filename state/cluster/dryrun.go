package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/flotilla-sh/flotilla/state"
)

// manager is the field manager of Helm, so that a dry run sees the conflicts
// that an apply would.
const manager = "helm"

// DryRun asks the API server of a context what it would make of each object.
// Nothing is written: every request is a dry run, for which the server asks for
// the rights of the write itself. Answers are in the order of proposals. What a
// server has against an object is an answer, no error.
//
// A server-side apply is asked for as such, with strict validation. What Helm
// applies from the client is asked for with the patch that Helm would make.
func (c *Clusters) DryRun(ctx context.Context, context string, proposals []state.Proposal) ([]state.Answer, error) {
	cluster, err := c.Get(context)
	if err != nil {
		return nil, err
	}
	answers := make([]state.Answer, len(proposals))
	err = parallel(len(proposals), maxReaders, func(i int) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		if answers[i], err = cluster.ask(ctx, proposals[i]); err != nil {
			return fmt.Errorf("asking the server about %s: %w", proposals[i].ObjectID, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

func (c *Cluster) ask(ctx context.Context, p state.Proposal) (state.Answer, error) {
	kind := schema.GroupVersionKind{Group: p.Group, Version: p.Version, Kind: p.Kind}
	mapping, err := c.mapper.RESTMappingWithContext(ctx, kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		return state.Answer{Unserved: true}, nil
	}
	if err != nil {
		return state.Answer{}, c.Explain(err, Access{Verb: "get", Resource: "/apis"})
	}
	var at dynamic.ResourceInterface = c.dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		at = c.dynamic.Resource(mapping.Resource).Namespace(p.Namespace)
	}
	made, err := propose(ctx, at, p)
	if err != nil {
		return c.objections(err, p)
	}
	return state.Answer{Object: made.Object}, nil
}

// propose makes the one request that Helm would make, as a dry run.
func propose(ctx context.Context, at dynamic.ResourceInterface, p state.Proposal) (*unstructured.Unstructured, error) {
	dry := []string{metav1.DryRunAll}
	strict := metav1.FieldValidationStrict
	object := &unstructured.Unstructured{Object: p.Object}
	switch {
	case p.Method == state.ApplyServerSide:
		body, err := json.Marshal(p.Object)
		if err != nil {
			return nil, err
		}
		return at.Patch(ctx, p.Name, types.ApplyPatchType, body,
			metav1.PatchOptions{DryRun: dry, FieldManager: manager, FieldValidation: strict, Force: &p.Force})
	case p.Live == nil:
		return at.Create(ctx, object, metav1.CreateOptions{DryRun: dry, FieldManager: manager, FieldValidation: strict})
	case p.Method == state.ApplyReplace:
		whole := object.DeepCopy()
		whole.SetResourceVersion((&unstructured.Unstructured{Object: p.Live}).GetResourceVersion())
		return at.Update(ctx, whole, metav1.UpdateOptions{DryRun: dry, FieldManager: manager, FieldValidation: strict})
	case p.Method == state.ApplyClientSide:
		patch, kind, err := clientSide(p)
		if err != nil {
			return nil, err
		}
		return at.Patch(ctx, p.Name, kind, patch, metav1.PatchOptions{DryRun: dry, FieldManager: manager})
	default:
		return nil, fmt.Errorf("no way to apply is named %q", p.Method)
	}
}

// clientSide makes the patch that Helm's client makes (pkg/kube, createPatch): a
// three-way strategic one for the kinds of Kubernetes; for others a merge patch
// from what is stored to what is wanted, without a look at what is live.
func clientSide(p state.Proposal) ([]byte, types.PatchType, error) {
	stored := p.Stored
	if stored == nil {
		stored = p.Live // an object that is adopted
	}
	var texts [3][]byte
	for i, o := range []map[string]any{stored, p.Object, p.Live} {
		var err error
		if texts[i], err = json.Marshal(o); err != nil {
			return nil, "", err
		}
	}
	kind, err := scheme.Scheme.New(schema.GroupVersionKind{Group: p.Group, Version: p.Version, Kind: p.Kind})
	if err != nil {
		patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(texts[0], texts[1], texts[0])
		return patch, types.MergePatchType, err
	}
	shape, err := strategicpatch.NewPatchMetaFromStruct(kind)
	if err != nil {
		return nil, "", err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(texts[0], texts[1], texts[2], shape, true)
	return patch, types.StrategicMergePatchType, err
}

// objections makes an answer of what a server says against an object. Where it
// says nothing, because it cannot be reached or does not know the user, the
// error stays one.
func (c *Cluster) objections(err error, p state.Proposal) (state.Answer, error) {
	var answered apierrors.APIStatus
	if !errors.As(err, &answered) || apierrors.IsUnauthorized(err) || busy(err) {
		return state.Answer{}, c.Explain(err, Access{Verb: "patch", Namespace: p.Namespace})
	}
	status := answered.Status()
	switch {
	case apierrors.IsNotFound(err) && status.Details != nil && status.Details.Kind == "namespaces":
		return state.Answer{NoNamespace: true}, nil
	case apierrors.IsNotFound(err) && status.Details != nil && status.Details.Name == "":
		return state.Answer{Unserved: true}, nil
	}
	var a state.Answer
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			fault := state.Fault{Field: cause.Field, Message: cause.Message}
			if fault.Field != "" && !strings.HasPrefix(fault.Field, ".") {
				fault.Field = "." + fault.Field
			}
			switch {
			case cause.Type == metav1.CauseTypeFieldManagerConflict:
				a.Conflicts = append(a.Conflicts, fault)
			case apierrors.IsInvalid(err):
				a.Invalid = append(a.Invalid, fault)
			}
		}
	}
	switch {
	case len(a.Conflicts)+len(a.Invalid) > 0:
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), status.Code == http.StatusUnsupportedMediaType:
		a.Invalid = append(a.Invalid, state.Fault{Message: status.Message})
	default:
		a.Refused = status.Message
	}
	return a, nil
}

// busy says that a server had no time for an answer.
func busy(err error) bool {
	return apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err)
}
