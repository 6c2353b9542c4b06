package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"helm.sh/helm/v4/pkg/chart/common"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state/cluster"
)

// ErrOffline is given where an operation needs a cluster and the Engine has no
// access to any.
var ErrOffline = errors.New("no cluster: the engine works offline")

// target is a cluster with what rendering needs to know of it, asked for once.
type target struct {
	*cluster.Cluster

	mu           sync.Mutex
	capabilities *common.Capabilities
}

func (e *Engine) target(id spec.ReleaseID) (*target, error) {
	if e.opts.Clusters == nil {
		return nil, ErrOffline
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.clusters[id.Context]; t != nil {
		return t, nil
	}
	c, err := e.opts.Clusters(id.Context)
	if err != nil {
		return nil, err
	}
	t := &target{Cluster: c}
	e.clusters[id.Context] = t
	return t, nil
}

// caps gives the cluster's capabilities as templates see them. Helm asks for
// them at every operation; here the cluster is asked once, and again after
// custom resource definitions were installed.
func (t *target) caps(ctx context.Context) (*common.Capabilities, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.capabilities == nil {
		version, err := t.ServerVersion(ctx)
		if err != nil {
			return nil, err
		}
		apis, err := t.APIVersions(ctx)
		if err != nil {
			return nil, err
		}
		if len(apis) == 0 {
			apis = common.DefaultVersionSet
		}
		t.capabilities = &common.Capabilities{
			KubeVersion: common.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
			APIVersions: apis,
			HelmVersion: common.DefaultCapabilities.HelmVersion,
		}
	}
	return t.capabilities.Copy(), nil
}

// forget makes the next operation see kinds that came or went.
func (t *target) forget() {
	t.mu.Lock()
	t.capabilities = nil
	t.mu.Unlock()
	t.Invalidate()
}

// clientFor finds the client of a kind that a template looks up.
func (t *target) clientFor(apiVersion, kind string) (client dynamic.NamespaceableResourceInterface, namespaced bool, err error) {
	gvk := schema.FromAPIVersionAndKind(apiVersion, kind)
	mapper, err := t.Getter("").ToRESTMapper()
	if err != nil {
		return nil, false, err
	}
	mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, false, fmt.Errorf("looking up %s: %w", gvk, err)
	}
	return t.Dynamic().Resource(mapping.Resource), mapping.Scope.Name() == "namespace", nil
}

// scope says whether objects of a kind are in a namespace. The error tells of a
// kind that is not served by isNoMatch: discovery was read anew for it.
func (t *target) scope(apiVersion, kind string) (meta.RESTScopeName, error) {
	gvk := schema.FromAPIVersionAndKind(apiVersion, kind)
	for again := true; ; again = false {
		mapper, err := t.Getter("").ToRESTMapper()
		if err != nil {
			return "", err
		}
		mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err == nil {
			return mapping.Scope.Name(), nil
		}
		if !again || !isNoMatch(err) {
			return "", err
		}
		t.forget()
	}
}
