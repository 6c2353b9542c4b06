package chart

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/flotilla-sh/flotilla/spec"
)

func TestAPackedChartOfVeryManyFiles(t *testing.T) {
	many := chartFiles("app", "1.0.0", nil)
	for i := range maxEntries {
		many[fmt.Sprintf("files/%d", i)] = ""
	}
	bomb := packed(t, "app", many)
	nested := packed(t, "app", chartFiles("app", "1.0.0", files{"charts/app-1.0.0.tgz": string(bomb)}))
	for name, data := range map[string][]byte{"plain.tgz": bomb, "nested.tgz": nested} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := newTestStore(t, nil).Get(context.Background(), spec.Chart{Ref: "./" + name, Dir: dir})
			wantError(t, err, ErrInvalid, "more than 20000 files")
		})
	}
}
