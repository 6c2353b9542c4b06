package file_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/file"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

const digest = "sha256:c0ffee"

// saved is a plan that installs one release, with the charts that it needs.
func saved(t *testing.T, created time.Time) (*plan.Saved, map[string][]byte) {
	t.Helper()
	id := spec.ReleaseID{Context: "c", Namespace: "n", Name: "web"}
	p, err := plan.Build(plan.Input{
		Releases: []spec.Release{{ID: id, Installed: true}},
		Want: map[spec.ReleaseID]*state.Revision{id: {
			Chart: state.Chart{Name: "web", Digest: digest}, Values: map[string]any{"password": "swordfish", "n": int64(1)},
			Stream: []byte("---\n# Source: web/cm.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Save(plan.Origin{Flotilla: "v1", Created: created})
	if err != nil {
		t.Fatal(err)
	}
	return s, map[string][]byte{digest: []byte("an archive")}
}

func packed(t *testing.T) []byte {
	t.Helper()
	s, charts := saved(t, time.Unix(1, 0))
	data, err := file.Pack(s, charts)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestUnpackIsTheInverseOfPack(t *testing.T) {
	want, wantCharts := saved(t, time.Unix(1, 0))
	data := packed(t)
	got, charts, err := file.Unpack(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
	if d := cmp.Diff(wantCharts, charts); d != "" {
		t.Errorf("charts (-want +got):\n%s", d)
	}
	if again := packed(t); !bytes.Equal(data, again) {
		t.Error("equal plans give other bytes")
	}
}

func TestEqualPlansDifferOnlyInWhenTheyWereMade(t *testing.T) {
	a, _, err := file.Unpack(packed(t))
	if err != nil {
		t.Fatal(err)
	}
	s, charts := saved(t, time.Unix(2, 0))
	later, err := file.Pack(s, charts)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := file.Unpack(later)
	if err != nil {
		t.Fatal(err)
	}
	if a.Created.Equal(b.Created) {
		t.Error("the time is not in the file")
	}
	b.Created = a.Created
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("more than the time differs:\n%s", d)
	}
}

func TestPackNeedsEveryChart(t *testing.T) {
	s, _ := saved(t, time.Unix(1, 0))
	if _, err := file.Pack(s, nil); err == nil || !strings.Contains(err.Error(), digest) {
		t.Errorf("error %v, want one with the digest", err)
	}
}

func TestUnpackRefusesWhatWasNotSaved(t *testing.T) {
	data := packed(t)
	tests := []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, file.ErrNoPlan},
		{"a state file", []byte("releases:\n- name: web\n"), file.ErrNoPlan},
		{"a later version", bytes.Replace(data, []byte("plan 3"), []byte("plan 4"), 1), file.ErrVersion},
		{"only its first line", data[:len("flotilla plan 2\n")], file.ErrDamaged},
		{"something at its end", append(slices.Clone(data), 0), file.ErrDamaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := file.Unpack(tt.data); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func TestUnpackRefusesEveryOtherByteAndEveryCut(t *testing.T) {
	data := packed(t)
	for i := range data {
		edited := slices.Clone(data)
		edited[i] ^= 1
		if _, _, err := file.Unpack(edited); err == nil {
			t.Fatalf("a file with another byte at %d is taken", i)
		}
		if _, _, err := file.Unpack(data[:i]); err == nil {
			t.Fatalf("a file that ends at %d is taken", i)
		}
	}
}

func TestEncryption(t *testing.T) {
	mine, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	data := packed(t)
	shut, err := file.Encrypt(data, []string{other.Recipient().String(), mine.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(shut, []byte("flotilla")) {
		t.Error("an encrypted file shows what it is")
	}
	stranger, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("# created: today\n%s\n", mine)
	open := func(data []byte, identities ...string) error {
		got, err := file.Decrypt(data, identities)
		if err == nil && !bytes.Equal(got, packed(t)) {
			t.Error("what is decrypted is not what was encrypted")
		}
		return err
	}
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"an identity that fits", open(shut, text), nil},
		{"the second of two", open(shut, stranger.String(), text), nil},
		{"a file that is not encrypted", open(data), nil},
		{"no identity", open(shut), file.ErrEncrypted},
		{"an identity of somebody else", open(shut, stranger.String()), file.ErrEncrypted},
		{"half of the file", open(shut[:len(shut)-20], text), file.ErrDamaged},
		{"a file of something else", open(shut, "not a key"), file.ErrKey},
	}
	for _, tt := range tests {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: error %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	if _, err := file.Encrypt(data, []string{"age1nonsense"}); !errors.Is(err, file.ErrKey) {
		t.Errorf("a recipient that is none: error %v", err)
	}
	if err := open(shut, "AGE-SECRET-KEY-1WRONG"); err == nil || strings.Contains(err.Error(), "WRONG") {
		t.Errorf("error %v: it must not quote an identity", err)
	}
}
