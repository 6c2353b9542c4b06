//go:build unix

package cli

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/flotilla-sh/flotilla/cmd/view/report"
)

func TestAReportTakesItsPlaceAsAWhole(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.json"), filepath.Join(dir, "link.json")
	for _, err := range []error{os.WriteFile(real, []byte("before"), 0o600), os.Symlink("real.json", link)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := (reportTarget{report.FormatJSON, link}).replace([]byte("after")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is no link any more: %v %v", info, err)
	}
	if text, err := os.ReadFile(real); err != nil || string(text) != "after" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v: others are to read it", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("something is left behind: %v", entries)
	}
}

// TestAReportGoesIntoAPipe also stands for /dev/stdout, which must not be put
// another file in the place of.
func TestAReportGoesIntoAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	type read struct {
		text []byte
		err  error
	}
	got := make(chan read, 1)
	go func() {
		f, err := os.Open(pipe)
		if err != nil {
			got <- read{nil, err}
			return
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		got <- read{text, err}
	}()
	if err := (reportTarget{report.FormatJSON, pipe}).replace([]byte("report")); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.err != nil || string(r.text) != "report" {
		t.Errorf("%q, %v", r.text, r.err)
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("the pipe is none any more: %v, %v", info, err)
	}
}
