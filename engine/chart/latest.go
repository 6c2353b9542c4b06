package chart

import (
	"cmp"
	"context"

	"github.com/flotilla-sh/flotilla/spec"
)

// Latest is what there is of a chart in its repository or registry. The zero
// value: it comes from where there are no versions, such as a folder or a URL.
type Latest struct {
	Used    string // what a run would take now
	Allowed string // the newest that the state file allows, lock files aside
	Newest  string // the newest of all; pre-releases count where the chart has devel
}

// Latest asks the repository or registry of a chart which versions it has. Errors
// are of the kinds of this package.
func (s *Store) Latest(ctx context.Context, ref spec.Chart) (Latest, error) {
	src, err := s.locate(ref)
	if err != nil {
		return Latest{}, err
	}
	versions, err := s.versions(ctx, src)
	if err != nil || len(versions) == 0 {
		return Latest{}, err
	}
	asked, _ := splitDigest(cmp.Or(ref.Asked, src.version))
	var out Latest
	for _, one := range []struct {
		into *string
		want string
	}{{&out.Used, src.version}, {&out.Allowed, asked}, {&out.Newest, ""}} {
		want := src
		want.version = one.want
		found, ok, err := pick(versions, wanted(want))
		if err != nil {
			return Latest{}, failFor(ErrNotFound, err, "chart %s", src)
		}
		if ok {
			*one.into = found
		}
	}
	if out.Used == "" {
		return Latest{}, noVersion(src, versions)
	}
	if out.Newest == "" || newestFirst(out.Allowed, out.Newest) < 0 {
		out.Newest = out.Allowed // a pre-release that is asked for
	}
	return out, nil
}

// versions lists the versions of a chart, newest first.
func (s *Store) versions(ctx context.Context, src source) ([]string, error) {
	switch src.kind {
	case fromRepository:
		all, err := s.index(ctx, src.repo)
		if err != nil {
			return nil, err
		}
		decode, ok := all[src.name]
		if !ok {
			return nil, all.missing(src)
		}
		entries, err := decode()
		if err != nil {
			return nil, failFor(ErrUnreachable, err, "%s is not a chart repository: chart %q of its index.yaml cannot be read", src.repo, src.name)
		}
		versions := make([]string, len(entries))
		for i, e := range entries {
			versions[i] = e.Version
		}
		return versions, nil
	case fromRegistry:
		repo, err := s.repository(ctx, src)
		if err != nil {
			return nil, err
		}
		return s.tagsOf(ctx, repo, src)
	case fromDisk, fromURL, fromGetter:
		return nil, nil
	default:
		return nil, nil
	}
}
