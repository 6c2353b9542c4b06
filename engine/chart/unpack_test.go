package chart

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

func TestWriteTo(t *testing.T) {
	head := &archive.BufferedFile{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: app\nversion: 1.0.0\n")}
	tests := []struct {
		name  string
		chart func(*Chart)
		files []*archive.BufferedFile
		want  map[string]string
		is    error
	}{
		{
			name:  "a chart becomes a folder of its name, with folders in it",
			files: []*archive.BufferedFile{head, {Name: "templates/sub/x.yaml", Data: []byte("x")}},
			want:  map[string]string{"app/Chart.yaml": string(head.Data), "app/templates/sub/x.yaml": "x"},
		},
		{
			name:  "a path that leads out of the chart writes nothing there",
			files: []*archive.BufferedFile{head, {Name: "../evil", Data: []byte("x")}},
			is:    ErrInvalid,
		},
		{
			name:  "a name that leads out of the folder is refused",
			files: []*archive.BufferedFile{head},
			chart: func(c *Chart) { c.Name = "../app" },
			is:    ErrInvalid,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "out", "deep")
			c := &Chart{Name: "app", files: tt.files}
			if tt.chart != nil {
				tt.chart(c)
			}
			at, err := c.WriteTo(dir)
			if !errors.Is(err, tt.is) || (err != nil) != (tt.is != nil) {
				t.Fatalf("got error %v, want %v", err, tt.is)
			}
			if _, err := os.Stat(filepath.Join(dir, "evil")); !errors.Is(err, fs.ErrNotExist) {
				t.Error("a file was written outside of the chart's folder")
			}
			if tt.is != nil {
				return
			}
			if at != filepath.Join(dir, "app") {
				t.Errorf("got folder %s", at)
			}
			if diff := cmp.Diff(tt.want, filesBelow(t, dir)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if _, err := c.WriteTo(dir); !errors.Is(err, ErrOccupied) {
				t.Errorf("unpacking again: got %v, want ErrOccupied", err)
			}
		})
	}
}

func filesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
