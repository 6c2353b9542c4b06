package chart

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"helm.sh/helm/v4/pkg/provenance"

	"github.com/flotilla-sh/flotilla/spec"
)

// signer makes a key, and the keyring that trusts it.
func signer(t *testing.T) (*provenance.Signatory, string) {
	t.Helper()
	entity, err := openpgp.NewEntity("Tester", "", "tester@example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	var ring bytes.Buffer
	if err := entity.Serialize(&ring); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pubring.gpg")
	if err := os.WriteFile(path, ring.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return &provenance.Signatory{Entity: entity}, path
}

func signed(t *testing.T, s *provenance.Signatory, data []byte, file string) []byte {
	t.Helper()
	text, err := s.ClearSign(data, file, []byte("name: web\n"))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}

func TestProvenance(t *testing.T) {
	key, ring := signer(t)
	_, strangers := signer(t)
	r := newRepository().add(t, nil, "web", "1.0.0", "1.1.0", "1.2.0")
	data := r.files["/web-1.0.0.tgz"]
	r.files["/web-1.0.0.tgz.prov"] = signed(t, key, data, "web-1.0.0.tgz")
	r.files["/web-1.1.0.tgz.prov"] = signed(t, key, data, "web-1.1.0.tgz")
	repo := &spec.Repository{Name: "r", URL: serve(t, r).URL}

	registry := serve(t, newOCI())
	image := packed(t, "web", chartFiles("web", "1.0.0", nil))
	pushSigned(t, registry, "web", "1.0.0", signed(t, key, image, "web-1.0.0.tgz"))
	pushSigned(t, registry, "web", "1.1.0", signed(t, key, image, "web-1.1.0.tgz"))
	push(t, registry, "web", "1.2.0")
	oci := &spec.Repository{Name: "o", URL: host(registry) + "/charts", OCI: true, PlainHTTP: true}

	base := writeFolder(t, t.TempDir(), files{"web-1.0.0.tgz": string(data), "web-1.0.0.tgz.prov": string(r.files["/web-1.0.0.tgz.prov"]), "bare.tgz": string(data)})
	writeFolder(t, filepath.Join(base, "folder"), chartFiles("web", "1.0.0", nil))
	tests := []struct {
		name    string
		ref     spec.Chart
		keyring string
		says    string
	}{
		{"a signed chart of a repository", spec.Chart{Ref: "r/web", Version: "1.0.0", Repository: repo}, ring, ""},
		{"a signature of other bytes", spec.Chart{Ref: "r/web", Version: "1.1.0", Repository: repo}, ring, "sha256 sum does not match"},
		{"no signature", spec.Chart{Ref: "r/web", Version: "1.2.0", Repository: repo}, ring, "provenance file could not be fetched"},
		{"a key that is not trusted", spec.Chart{Ref: "r/web", Version: "1.0.0", Repository: repo}, strangers, "does not pass verification"},
		{"a keyring that is missing", spec.Chart{Ref: "r/web", Version: "1.0.0", Repository: repo}, "none.gpg", "set keyring"},
		{"the default keyring is missing", spec.Chart{Ref: "r/web", Version: "1.0.0", Repository: repo}, "", "pubring.gpg"},
		{"a signed chart of a URL", spec.Chart{Ref: repo.URL + "/web-1.0.0.tgz"}, ring, ""},
		{"a signed chart of a registry", spec.Chart{Ref: "o/web", Version: "1.0.0", Repository: oci}, ring, ""},
		{"a signature of other bytes in a registry", spec.Chart{Ref: "o/web", Version: "1.1.0", Repository: oci}, ring, "sha256 sum does not match"},
		{"no signature in a registry", spec.Chart{Ref: "o/web", Version: "1.2.0", Repository: oci}, ring, "pushed without a provenance file"},
		{"a signed archive", spec.Chart{Ref: "./web-1.0.0.tgz", Dir: base}, ring, ""},
		{"an archive without signature", spec.Chart{Ref: "./bare.tgz", Dir: base}, ring, "provenance file cannot be read"},
		{"a folder", spec.Chart{Ref: "./folder", Dir: base}, ring, "only packaged charts can be verified"},
	}
	cache := t.TempDir()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, round := range []string{"downloaded", "cached"} {
				s := newTestStore(t, func(o *Options) { o.CacheDir = cache })
				if _, err := s.Get(t.Context(), withoutVerify(tt.ref)); err != nil {
					t.Fatal(err)
				}
				ref := tt.ref
				ref.Verify, ref.Keyring = true, tt.keyring
				_, err := s.Get(t.Context(), ref)
				if tt.says == "" && err != nil {
					t.Errorf("%s: %v", round, err)
				}
				if tt.says != "" {
					wantError(t, err, ErrProvenance, tt.says)
				}
			}
		})
	}
}

func withoutVerify(ref spec.Chart) spec.Chart {
	ref.Verify = false
	return ref
}

func TestARepositoryMayAskForVerification(t *testing.T) {
	key, ring := signer(t)
	r := newRepository().add(t, nil, "web", "1.0.0", "1.1.0")
	r.files["/web-1.0.0.tgz.prov"] = signed(t, key, r.files["/web-1.0.0.tgz"], "web-1.0.0.tgz")
	repo := &spec.Repository{Name: "r", URL: serve(t, r).URL, Verify: true, Keyring: filepath.Base(ring)}
	ref := spec.Chart{Ref: "r/web", Version: "1.0.0", Repository: repo, Dir: filepath.Dir(ring)}
	get(t, newTestStore(t, nil), ref)
	ref.Version = "1.1.0"
	_, err := newTestStore(t, nil).Get(t.Context(), ref)
	wantError(t, err, ErrProvenance, "must be verified")
}
