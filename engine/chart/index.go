package chart

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/repo/v1"
)

// fromIndex gets a chart of a chart repository.
func (s *Store) fromIndex(ctx context.Context, src source) (content, error) {
	if src.digest != "" {
		known, err := s.disk.download(src.digest)
		if err != nil {
			return content{}, err
		}
		if known != nil && !src.verify {
			return unpackContent(src, known)
		}
	}
	all, err := s.index(ctx, src.repo)
	if err != nil {
		return content{}, err
	}
	found, err := all.find(src)
	if err != nil {
		return content{}, err
	}
	src.version = found.Version
	at, err := repo.ResolveReferenceURL(src.repo.url, found.URLs[0])
	if err != nil {
		return content{}, fail(ErrUnreachable, "%s: the URL of chart %s %s in its index cannot be read", src.repo, src.name, found.Version)
	}
	digest := sha256Of(found.Digest)
	if src.digest != "" && digest != "" && src.digest != digest {
		return content{}, fail(ErrChecksum, "chart %s has checksum %s in the index, but %s is asked for", src, digest, src.digest)
	}
	if digest == "" {
		digest = src.digest
	}
	return s.archive(ctx, src, download{repo: src.repo, url: at, digest: digest, limit: archiveLimit})
}

// sha256Of normalises an index's digest, which comes with and without its
// algorithm. Helm reads no other algorithm.
func sha256Of(digest string) string {
	digest = strings.ToLower(strings.TrimPrefix(digest, "sha256:"))
	if !validName(digest) {
		return ""
	}
	return "sha256:" + digest
}

// find chooses the version that src asks for.
func (x index) find(src source) (indexed, error) {
	decode, ok := x[src.name]
	if !ok {
		return indexed{}, x.missing(src)
	}
	entries, err := decode()
	if err != nil {
		return indexed{}, failFor(ErrUnreachable, err, "%s is not a chart repository: chart %q of its index.yaml cannot be read", src.repo, src.name)
	}
	versions := make([]string, len(entries))
	for i, e := range entries {
		versions[i] = e.Version
	}
	version, found, err := pick(versions, wanted(src))
	if err != nil {
		return indexed{}, failFor(ErrNotFound, err, "chart %s", src)
	}
	if !found {
		return indexed{}, noVersion(src, versions)
	}
	return entries[slices.Index(versions, version)], nil
}

// wanted is the version to pick, by the rules of helm install.
func wanted(src source) string {
	if src.version == "" && src.devel {
		return anyVersion
	}
	return src.version
}

func (x index) missing(src source) error {
	if names := similar(slices.Collect(maps.Keys(x)), src.name); len(names) > 0 {
		return fail(ErrNotFound, "%s has no chart %q: did you mean %s?", src.repo, src.name, strings.Join(names, ", "))
	}
	return fail(ErrNotFound, "%s has no chart %q: it has %d others", src.repo, src.name, len(x))
}

// noVersion says what there is instead.
func noVersion(src source, versions []string) error {
	where := src
	where.version = ""
	switch {
	case len(versions) == 0:
		return fail(ErrNotFound, "chart %s has no version", where)
	case src.version == "" && onlyPreReleases(versions):
		return fail(ErrNotFound, "chart %s has pre-releases only: name a version or set devel: true; available: %s", where, strings.Join(nearest(versions, ""), ", "))
	default:
		return fail(ErrNotFound, "chart %s has no version %q; available: %s", where, src.version, strings.Join(nearest(versions, src.version), ", "))
	}
}

// index gets the index of a repository, once per Store.
func (s *Store) index(ctx context.Context, e endpoint) (index, error) {
	return s.indexes.do(ctx, e.unnamed(), func(ctx context.Context) (index, error) {
		key := keyOf("index", e.url, e.username)
		copied, err := s.cachedIndex(key)
		if err != nil {
			return nil, err
		}
		if s.opts.Freshness == Offline && copied.body == nil {
			return nil, fail(ErrOffline, "the index of %s is not in the chart cache, and the network may not be asked", e)
		}
		if s.opts.Freshness != Fresh && copied.body != nil {
			return parseIndex(e, copied.body)
		}
		return s.downloadIndex(ctx, e, key, copied)
	})
}

// copiedIndex is an index in the cache with what asks whether it still holds.
type copiedIndex struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	Digest   string `json:"digest"`
	body     []byte
}

// cachedIndex reads a file of one line of JSON and the index; what is damaged
// counts as absent.
func (s *Store) cachedIndex(key string) (copiedIndex, error) {
	data, err := s.disk.read(indexFiles, key)
	if err != nil || data == nil {
		return copiedIndex{}, err
	}
	var c copiedIndex
	head, body, _ := bytes.Cut(data, []byte("\n"))
	if json.Unmarshal(head, &c) != nil || digestBytes(body) != c.Digest {
		s.disk.remove(indexFiles, key)
		return copiedIndex{}, nil
	}
	c.body = body
	return c, nil
}

func (s *Store) downloadIndex(ctx context.Context, e endpoint, key string, copied copiedIndex) (index, error) {
	at, err := repo.ResolveReferenceURL(e.url, "index.yaml")
	if err != nil {
		return nil, fail(ErrUnreachable, "%s: its URL cannot be read", e)
	}
	headers := map[string]string{}
	if copied.ETag != "" {
		headers["If-None-Match"] = copied.ETag
	} else if copied.Modified != "" {
		headers["If-Modified-Since"] = copied.Modified
	}
	got, err := s.get(ctx, e, request{url: at, limit: indexLimit, headers: headers})
	if errors.Is(err, ErrNotFound) {
		return nil, failFor(ErrUnreachable, err, "%s is not a chart repository", e)
	}
	if err != nil {
		return nil, err
	}
	if got.status == http.StatusNotModified && copied.body != nil {
		return parseIndex(e, copied.body)
	}
	parsed, err := parseIndex(e, got.body)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(copiedIndex{ETag: got.headers.Get("ETag"), Modified: got.headers.Get("Last-Modified"), Digest: digestBytes(got.body)})
	if err != nil {
		return nil, err
	}
	return parsed, s.disk.write(indexFiles, key, slices.Concat(head, []byte("\n"), got.body))
}
