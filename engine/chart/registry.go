package chart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	helmregistry "helm.sh/helm/v4/pkg/registry"
	ocicontent "oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	ociregistry "oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

const (
	manifestLimit = 4 << 20
	tagLimit      = 100_000
)

// registryClient speaks to registries with one endpoint's credentials.
type registryClient = *auth.Client

// login gives the client of an endpoint; tokens are reused among its pulls.
func (s *Store) login(ctx context.Context, e endpoint) (registryClient, error) {
	return s.registries.do(ctx, e.unnamed(), func(ctx context.Context) (registryClient, error) {
		web, err := s.client(ctx, e.tls)
		if err != nil {
			return nil, err
		}
		client := &auth.Client{Client: web, Cache: auth.NewCache()}
		if e.username != "" || e.password != "" {
			host, _, _ := strings.Cut(e.url, "/")
			client.Credential = auth.StaticCredential(host, auth.Credential{Username: e.username, Password: e.password})
			return client, nil
		}
		file := e.registryConfig
		if file == "" {
			file = s.opts.RegistryConfig
		}
		store, err := credentials.NewStore(file, credentials.StoreOptions{DetectDefaultNativeStore: true})
		if err != nil {
			return nil, fmt.Errorf("reading the registry credentials in %s: %w", file, err)
		}
		var known credentials.Store = store
		if docker, err := credentials.NewStoreFromDocker(credentials.StoreOptions{DetectDefaultNativeStore: true}); err == nil {
			known = credentials.NewStoreWithFallbacks(store, docker)
		}
		client.Credential = credentials.Credential(known)
		return client, nil
	})
}

// repository addresses the repository of src in its registry.
func (s *Store) repository(ctx context.Context, src source) (*remote.Repository, error) {
	at, err := ociregistry.ParseReference(src.name)
	if err != nil || at.Reference != "" {
		return nil, failFor(ErrNotFound, err, "%s is not a reference of the form oci://host/path[:tag][@digest]", src)
	}
	client, err := s.login(ctx, src.repo)
	if err != nil {
		return nil, err
	}
	return &remote.Repository{Reference: at, Client: client, PlainHTTP: src.repo.plainHTTP, MaxMetadataBytes: manifestLimit}, nil
}

// pull gets a chart of an OCI registry.
func (s *Store) pull(ctx context.Context, src source) (content, error) {
	key := keyOf("oci", src.name, src.version, src.digest, wanted(src))
	known, err := s.disk.resolved(key)
	if err != nil {
		return content{}, err
	}
	if s.opts.Freshness != Fresh || src.digest != "" {
		c, err := s.pulled(src, known)
		if err != nil || c.files != nil {
			return c, err
		}
	}
	if s.opts.Freshness == Offline {
		return content{}, fail(ErrOffline, "chart %s is not in the chart cache, and the network may not be asked", src)
	}
	repo, err := s.repository(ctx, src)
	if err != nil {
		return content{}, err
	}
	found, err := s.manifest(ctx, repo, src)
	if err != nil {
		return content{}, err
	}
	now, err := s.layers(ctx, repo, src, found)
	if err != nil {
		return content{}, err
	}
	if err := s.disk.resolve(key, now.resolution); err != nil {
		return content{}, err
	}
	return now.unpack(src)
}

// layered is a pulled chart, still packed.
type layered struct {
	resolution
	data      []byte
	signature []byte // nil: none was published
}

func (l layered) unpack(src source) (content, error) {
	src.version = l.Version
	switch {
	case !src.verify:
	case l.signature == nil:
		return content{}, fail(ErrProvenance, "chart %s must be verified, and it was pushed without a provenance file", src)
	default:
		if err := verify(src, l.data, l.signature, l.File); err != nil {
			return content{}, err
		}
	}
	c, err := unpackContent(src, l.data)
	c.packed, c.file = l.data, path.Base(src.name)+"-"+l.Version+".tgz"
	return c, err
}

// pulled gives the zero value if the cache does not hold all of known.
func (s *Store) pulled(src source, known resolution) (content, error) {
	if known.Digest == "" {
		return content{}, nil
	}
	data, err := s.disk.download(known.Digest)
	if data == nil || err != nil {
		return content{}, err
	}
	l := layered{resolution: known, data: data}
	if src.verify && known.Provenance != "" {
		l.signature, err = s.disk.download(known.Provenance)
		if l.signature == nil || err != nil {
			return content{}, err
		}
	}
	return l.unpack(src)
}

// manifest finds the manifest that src asks for, and the version that its tag
// says.
func (s *Store) manifest(ctx context.Context, repo *remote.Repository, src source) (found manifest, err error) {
	if src.digest != "" {
		if err := s.checkTag(ctx, repo, src); err != nil {
			return manifest{}, err
		}
		return fetchManifest(ctx, repo, src, src.digest)
	}
	if _, err := semver.NewVersion(src.version); err == nil {
		found, err := fetchManifest(ctx, repo, src, tagOf(src.version))
		if !errors.Is(err, ErrNotFound) {
			return found, err
		}
	} else if _, err := semver.NewConstraint(wanted(src)); wanted(src) != "" && err != nil {
		return fetchManifest(ctx, repo, src, src.version) // a tag that is no version
	}
	tags, err := s.tagsOf(ctx, repo, src)
	if err != nil {
		return manifest{}, err
	}
	version, ok, err := pick(tags, wanted(src))
	if err != nil {
		return manifest{}, err
	}
	if !ok {
		return manifest{}, noVersion(src, tags)
	}
	src.version = version
	return fetchManifest(ctx, repo, src, tagOf(version))
}

// tagOf writes a version as a tag: tags have no plus sign, Helm's convention is
// an underscore.
func tagOf(version string) string { return strings.ReplaceAll(version, "+", "_") }

// checkTag refuses a tag that means another digest than the one asked for. A
// digest needs no tag, so a tag that is gone is fine.
func (s *Store) checkTag(ctx context.Context, repo *remote.Repository, src source) error {
	if _, err := semver.NewVersion(src.version); err != nil {
		return nil
	}
	desc, err := repo.Resolve(ctx, tagOf(src.version))
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return nil
	case err != nil:
		return refusedByRegistry(ctx, src, err)
	case desc.Digest.String() != src.digest:
		return fail(ErrChecksum, "chart oci://%s: tag %s is %s, but %s is asked for", src.name, tagOf(src.version), desc.Digest, src.digest)
	}
	return nil
}

// tagsOf lists the tags of a repository that are versions, newest first.
func (s *Store) tagsOf(ctx context.Context, repo *remote.Repository, src source) ([]string, error) {
	where := source{kind: fromRegistry, name: src.name, repo: src.repo.unnamed()}
	return s.tags.do(ctx, where, func(ctx context.Context) ([]string, error) {
		var versions []string
		err := repo.Tags(ctx, "", func(tags []string) error {
			for _, t := range tags {
				if v, err := semver.StrictNewVersion(strings.ReplaceAll(t, "_", "+")); err == nil {
					versions = append(versions, v.String())
				}
			}
			if len(versions) > tagLimit {
				return fail(ErrUnreachable, "chart %s has more than %d tags", where, tagLimit)
			}
			return nil
		})
		if errors.Is(err, errdef.ErrNotFound) {
			return nil, fail(ErrNotFound, "there is no chart %s: the registry does not know this repository", where)
		}
		if err != nil {
			return nil, refusedByRegistry(ctx, src, err)
		}
		slices.SortFunc(versions, newestFirst)
		return versions, nil
	})
}

// manifest is an OCI manifest that was found to be of a chart.
type manifest struct {
	ocispec.Manifest
	version string
}

// fetchManifest gets a manifest by tag or digest. An index, as pushed by tools
// that keep charts and images under one tag, is searched for the chart.
func fetchManifest(ctx context.Context, repo *remote.Repository, src source, reference string) (manifest, error) {
	desc, body, err := repo.FetchReference(ctx, reference)
	if errors.Is(err, errdef.ErrNotFound) {
		return manifest{}, fail(ErrNotFound, "there is no chart %s: the registry has no %s there", src, reference)
	}
	if err != nil {
		return manifest{}, refusedByRegistry(ctx, src, err)
	}
	defer body.Close()
	data, err := readDescribed(body, desc, manifestLimit, src)
	if err != nil {
		return manifest{}, err
	}
	if desc.MediaType == ocispec.MediaTypeImageIndex {
		return chartOf(ctx, repo, src, data)
	}
	found := manifest{version: src.version}
	if err := json.Unmarshal(data, &found.Manifest); err != nil {
		return manifest{}, failFor(ErrInvalid, err, "reading the manifest of chart %s", src)
	}
	if found.Config.MediaType != helmregistry.ConfigMediaType {
		return manifest{}, fail(ErrInvalid, "%s is not a chart: its configuration is of media type %q, not %s", src, found.Config.MediaType, helmregistry.ConfigMediaType)
	}
	return found, nil
}

// chartOf finds the first chart in an image index.
func chartOf(ctx context.Context, repo *remote.Repository, src source, data []byte) (manifest, error) {
	const searched = 32
	var list ocispec.Index
	if err := json.Unmarshal(data, &list); err != nil {
		return manifest{}, failFor(ErrInvalid, err, "reading the image index of chart %s", src)
	}
	for _, m := range list.Manifests[:min(searched, len(list.Manifests))] {
		if m.MediaType != ocispec.MediaTypeImageManifest {
			continue
		}
		found, err := fetchManifest(ctx, repo, src, m.Digest.String())
		if err == nil || !errors.Is(err, ErrInvalid) {
			return found, err
		}
	}
	return manifest{}, fail(ErrInvalid, "%s is an image index without a chart", src)
}

// layers downloads what of a chart the cache lacks.
func (s *Store) layers(ctx context.Context, repo *remote.Repository, src source, m manifest) (layered, error) {
	out := layered{resolution: resolution{Version: m.version, File: archiveName(src, m)}}
	for _, layer := range m.Layers {
		switch layer.MediaType {
		case helmregistry.ChartLayerMediaType, helmregistry.LegacyChartLayerMediaType:
			data, err := s.layer(ctx, repo, src, layer)
			if err != nil {
				return layered{}, err
			}
			out.data, out.Digest = data, layer.Digest.String()
		case helmregistry.ProvLayerMediaType:
			if !src.verify {
				continue
			}
			data, err := s.layer(ctx, repo, src, layer)
			if err != nil {
				return layered{}, err
			}
			out.signature, out.Provenance = data, layer.Digest.String()
		}
	}
	if out.data == nil {
		return layered{}, fail(ErrInvalid, "%s is not a chart: its manifest has no layer of media type %s", src, helmregistry.ChartLayerMediaType)
	}
	return out, nil
}

// archiveName is the name that helm package gave the archive, which its
// provenance file is about.
func archiveName(src source, m manifest) string {
	name, version := m.Annotations[ocispec.AnnotationTitle], m.Annotations[ocispec.AnnotationVersion]
	if name == "" {
		name = path.Base(src.name)
	}
	if version == "" {
		version = m.version
	}
	return name + "-" + version + ".tgz"
}

func (s *Store) layer(ctx context.Context, repo *remote.Repository, src source, desc ocispec.Descriptor) ([]byte, error) {
	known := download{repo: src.repo.unnamed(), url: "oci://" + src.name, digest: desc.Digest.String(), limit: archiveLimit}
	return s.blobs.do(ctx, known, func(ctx context.Context) ([]byte, error) {
		if desc.Size > known.limit {
			return nil, fail(ErrInvalid, "%s is larger than %d bytes", src, known.limit)
		}
		data, err := s.disk.download(known.digest)
		if data != nil || err != nil {
			return data, err
		}
		body, err := repo.Blobs().Fetch(ctx, desc)
		if err != nil {
			return nil, refusedByRegistry(ctx, src, err)
		}
		defer body.Close()
		if data, err = readDescribed(body, desc, known.limit, src); err != nil {
			return nil, err
		}
		return data, s.disk.write(downloads, known.digest, data)
	})
}

// readDescribed reads what a descriptor promises, neither more nor other bytes.
func readDescribed(body io.Reader, desc ocispec.Descriptor, limit int64, src source) ([]byte, error) {
	if desc.Size > limit {
		return nil, fail(ErrInvalid, "%s is larger than %d bytes", src, limit)
	}
	data, err := ocicontent.ReadAll(body, desc)
	if errors.Is(err, ocicontent.ErrMismatchedDigest) || errors.Is(err, ocicontent.ErrTrailingData) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, failFor(ErrChecksum, err, "%s: the registry sent other bytes than those of %s", src, desc.Digest)
	}
	if err != nil {
		return nil, failFor(ErrUnreachable, err, "downloading %s", src)
	}
	return data, nil
}

// refusedByRegistry tells apart what a registry may answer.
func refusedByRegistry(ctx context.Context, src source, err error) error {
	var answer *errcode.ErrorResponse
	switch {
	case stopped(ctx, err):
		return inner(err)
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return denied(src.repo, "that credentials are needed for "+src.String())
	case errors.As(err, &answer):
		e := src.repo
		if answer.StatusCode == 401 || answer.StatusCode == 403 || answer.StatusCode == 404 {
			return refused(e, answer.StatusCode, src.String())
		}
		return failFor(ErrUnreachable, answer.Errors, "%s answers %d for %s", e, answer.StatusCode, src)
	default:
		return failFor(ErrUnreachable, redacted{inner(err)}, "%s cannot be reached for %s", src.repo, src)
	}
}
