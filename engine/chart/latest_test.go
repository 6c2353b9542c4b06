package chart

import (
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/spec"
)

func TestLatest(t *testing.T) {
	registry := serve(t, newOCI())
	push(t, registry, "web", "1.0.0", "1.2.0", "2.0.0", "3.0.0-rc.1")
	published := newRepository().add(t, nil, "web", "3.0.0-rc.1", "2.0.0", "1.2.0", "1.0.0")
	repo := &spec.Repository{Name: "r", URL: serve(t, published).URL}
	folder := writeFolder(t, t.TempDir(), chartFiles("web", "0.1.0", nil))
	s := newTestStore(t, nil)
	from := map[string]spec.Chart{
		"repository": {Ref: "r/web", Repository: repo},
		"registry":   {Ref: "oci://" + host(registry) + "/charts/web", PlainHTTP: true},
	}
	tests := []struct {
		name         string
		asked, taken string // declared, and pinned by a lock file
		devel        bool
		want         Latest
		kind         error
	}{
		{name: "an exact version leaves no choice", asked: "1.0.0", taken: "1.0.0", want: Latest{"1.0.0", "1.0.0", "2.0.0"}},
		{name: "a range has its newest", asked: "^1", taken: "^1", want: Latest{"1.2.0", "1.2.0", "2.0.0"}},
		{name: "a pinned version stays behind its range", asked: "^1", taken: "1.0.0", want: Latest{"1.0.0", "1.2.0", "2.0.0"}},
		{name: "the newest is the newest", want: Latest{"2.0.0", "2.0.0", "2.0.0"}},
		{name: "pre-releases where they are welcome", devel: true, want: Latest{"3.0.0-rc.1", "3.0.0-rc.1", "3.0.0-rc.1"}},
		{name: "a pre-release that is asked for is the newest", asked: "3.0.0-rc.1", taken: "3.0.0-rc.1", want: Latest{"3.0.0-rc.1", "3.0.0-rc.1", "3.0.0-rc.1"}},
		{name: "a version that is gone", asked: "9.0.0", taken: "9.0.0", kind: ErrNotFound},
	}
	for where, ref := range from {
		for _, tt := range tests {
			t.Run(where+": "+tt.name, func(t *testing.T) {
				ref.Asked, ref.Version, ref.Devel = tt.asked, tt.taken, tt.devel
				got, err := s.Latest(t.Context(), ref)
				if tt.kind != nil {
					wantError(t, err, tt.kind, "9.0.0")
					return
				}
				if err != nil || got != tt.want {
					t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
				}
			})
		}
	}
	if got, err := s.Latest(t.Context(), spec.Chart{Ref: folder, Dir: folder}); err != nil || got != (Latest{}) {
		t.Errorf("a folder has versions to choose from: %+v, %v", got, err)
	}
}

func TestAChartIsHeldToItsPinnedDigest(t *testing.T) {
	published := newRepository().add(t, nil, "web", "1.0.0").add(t, nil, "db", "1.0.0")
	repo := &spec.Repository{Name: "r", URL: serve(t, published).URL}
	s := newTestStore(t, nil)
	ref := spec.Chart{Ref: "r/web", Version: "1.0.0", Repository: repo}
	web := get(t, s, ref)
	ref.Digest = web.Digest
	if again := get(t, s, ref); again.Digest != web.Digest {
		t.Errorf("got %s", again.Digest)
	}
	ref.Digest = "sha256:" + strings.Repeat("0", 64)
	c, err := s.Get(t.Context(), ref)
	wantError(t, err, ErrChecksum, "chart web 1.0.0 of ", web.Digest, ref.Digest, "flotilla lock")
	if c != nil {
		t.Error("the chart is handed out all the same")
	}

	db := get(t, s, spec.Chart{Ref: "r/db", Version: "1.0.0", Repository: repo})
	added := spec.Dependency{Chart: "r/db", Version: "1.0.0", Repository: repo, Digest: db.Digest}
	if _, err := s.Derive(t.Context(), web, ref, Derivation{Dependencies: []spec.Dependency{added}}); err != nil {
		t.Errorf("a chart that is added is refused though it is as pinned: %v", err)
	}
	added.Digest = web.Digest
	_, err = s.Derive(t.Context(), web, ref, Derivation{Dependencies: []spec.Dependency{added}})
	wantError(t, err, ErrChecksum, db.Digest)
}
