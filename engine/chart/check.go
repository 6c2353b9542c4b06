package chart

import (
	"context"
	"fmt"
	"strings"

	"oras.land/oras-go/v2/registry/remote"

	"github.com/flotilla-sh/flotilla/spec"
)

// Check asks whether a declared repository can be read with its credentials: a
// chart repository for its index, of which it counts the charts, a registry
// for its API, where there is nothing to count. Errors are those of Get.
func (s *Store) Check(ctx context.Context, r spec.Repository) (charts int, err error) {
	e, err := endpointOf(r)
	if err != nil {
		return 0, err
	}
	if !r.OCI && !strings.HasPrefix(r.URL, "oci://") {
		all, err := s.index(ctx, e)
		return len(all), err
	}
	e.plainHTTP = e.plainHTTP || s.opts.PlainHTTP
	client, err := s.login(ctx, e)
	if err != nil {
		return 0, err
	}
	host, _, _ := strings.Cut(e.url, "/")
	registry, err := remote.NewRegistry(host)
	if err != nil {
		return 0, fail(ErrUnreachable, "%s: %q is no registry host", e, host)
	}
	registry.Client, registry.PlainHTTP = client, e.plainHTTP
	if err := registry.Ping(ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", e, refusedByRegistry(ctx, source{kind: fromRegistry, name: e.url, repo: e}, err))
	}
	return 0, nil
}
