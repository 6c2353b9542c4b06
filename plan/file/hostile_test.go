package file_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/flotilla-sh/flotilla/plan/file"
)

// sealed gives a body the two lines that make it a file whose digest is right:
// who does harm can take a digest, too.
func sealed(body []byte) []byte {
	first := fmt.Sprintf("flotilla plan %d\n", file.Version)
	sum := sha256.Sum256([]byte(first + string(body)))
	return fmt.Appendf(nil, "%ssha256:%x\n%s", first, sum, body)
}

func zipped(t testing.TB, text io.Reader) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func entries(t testing.TB, pairs ...any) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(pairs); i += 2 {
		data := pairs[i+1].([]byte)
		if err := w.WriteHeader(&tar.Header{Name: pairs[i].(string), Mode: 0o600, Size: int64(len(data)), Format: tar.FormatPAX}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bomb unpacks to 600 MiB: archives of gzip may follow each other.
func bomb(t testing.TB) []byte {
	t.Helper()
	return bytes.Repeat(zipped(t, strings.NewReader(strings.Repeat(" ", 1<<20))), 600)
}

const emptyPlan = `{"Mode":"apply"}`

func TestUnpackRefusesHostileFilesInBoundedMemory(t *testing.T) {
	if _, _, err := file.Unpack(sealed(entries(t, "plan.json.gz", zipped(t, strings.NewReader(emptyPlan))))); err != nil {
		t.Fatalf("an empty plan: %v", err)
	}
	good := func() []byte { return zipped(t, strings.NewReader(emptyPlan)) }
	tests := []struct {
		name string
		body func() []byte
		want string
	}{
		{"no archive", func() []byte { return []byte("hello") }, "it is damaged"},
		{"an archive without a plan", func() []byte { return entries(t) }, "it is damaged"},
		{"a plan that unpacks to far more", func() []byte {
			return entries(t, "plan.json.gz", bomb(t))
		}, "it holds more than 512 MiB"},
		{"a chart that unpacks to far more", func() []byte {
			return entries(t, "plan.json.gz", good(), "charts/sha256:1", bomb(t))
		}, "it holds more than 512 MiB"},
		{"a chart that nothing needs", func() []byte { return entries(t, "plan.json.gz", good(), "charts/sha256:1", []byte("x")) }, "it has 1 charts, and needs 0"},
		{"an entry twice", func() []byte { return entries(t, "plan.json.gz", good(), "plan.json.gz", good()) }, `the entry "plan.json.gz" is none that is saved`},
		{"an entry that says it is larger than the file", sparse, "is none that is saved"},
		{"a plan of very many steps", func() []byte {
			return entries(t, "plan.json.gz", zipped(t, strings.NewReader(`{"Steps":[`+strings.Repeat("{},", 1<<20)+`{}]}`)))
		}, "one of its lists has more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := sealed(tt.body())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := file.Unpack(data)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, file.ErrDamaged) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			// Growing to its bound a buffer is copied several times.
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 4<<10 {
				t.Errorf("it took %d MiB", used)
			}
		})
	}
}

// sparse is an archive whose only entry has a hole of 8 GiB.
func sparse() []byte {
	var out bytes.Buffer
	block := make([]byte, 512)
	copy(block, "plan.json.gz")
	copy(block[100:], "0000600\x00")
	copy(block[124:], "00000000000\x00")                   // bytes that follow
	copy(block[156:], "S")                                 // GNU sparse
	copy(block[257:], "ustar  \x00")                       // GNU
	copy(block[386:], "00000000000\x00"+"00000000000\x00") // one hole, without data
	copy(block[483:], "77777777777\x00")                   // real size
	copy(block[148:], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	out.Write(block)
	out.Write(make([]byte, 1024))
	return out.Bytes()
}

func TestReadLooksBeforeItReads(t *testing.T) {
	dir := t.TempDir()
	plan := filepath.Join(dir, "plan")
	if err := os.WriteFile(plan, packed(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := file.Read(plan); err != nil || !bytes.Equal(data, packed(t)) {
		t.Errorf("a plan is not read as it is: %v", err)
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, packed(t), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{"/dev/zero": file.ErrNoPlan, empty: file.ErrNoPlan, filepath.Join(dir, "none"): os.ErrNotExist} {
		if _, err := file.Read(path); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", path, err, want)
		}
	}
	if err := os.Truncate(large, file.MaxSize+1); err != nil { // a hole, which takes no disk
		t.Fatal(err)
	}
	if _, err := file.Read(large); !errors.Is(err, file.ErrNoPlan) || !strings.Contains(err.Error(), "more than 1024 MiB") {
		t.Errorf("a huge file: error %v", err)
	}
}

// FuzzUnpack looks for bodies that end the program, or are taken and do not
// survive being saved. The digest is always right.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte("x"))
	f.Add(sparse())
	f.Add(entries(f, "plan.json.gz", zipped(f, strings.NewReader(emptyPlan))))
	f.Add(entries(f, "plan.json.gz", zipped(f, strings.NewReader(emptyPlan)), "charts/d", []byte("x")))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, charts, err := file.Unpack(sealed(body))
		if err != nil {
			if !errors.Is(err, file.ErrDamaged) {
				t.Fatalf("error %v is not ErrDamaged", err)
			}
			return
		}
		if _, err := file.Pack(s, charts); err != nil {
			t.Fatalf("what was taken cannot be saved: %v", err)
		}
	})
}
