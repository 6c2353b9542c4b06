package spec

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const lockedRepos = "repositories: [{name: r, url: http://r.example/}, {name: o, url: reg.example/x, oci: true}]\n"

func TestLockGivesVersions(t *testing.T) {
	tests := []struct {
		name, file, lockName, lock string
		want                       string
		wantErr                    string
	}{
		{name: "no lock", file: "releases: [{name: a, chart: r/c, version: ^1}]", lockName: "other.lock", lock: "", want: "^1"},
		{name: "the default name", file: "releases: [{name: a, chart: r/c, version: ^1}]", lockName: "helmfile.lock", lock: "dependencies: [{name: c, repository: http://r.example/, version: 1.2.3}]", want: "1.2.3"},
		{name: "a name of its own", file: "lockFilePath: my-lock\nreleases: [{name: a, chart: r/c}]", lockName: "my-lock", lock: "dependencies: [{name: c, version: 1.2.3}]", want: "1.2.3"},
		{name: "the first that the range allows", file: "releases: [{name: a, chart: r/c, version: ~2.0.0}]", lockName: "helmfile.lock", lock: "dependencies: [{name: c, version: 1.2.3}, {name: c, version: 2.0.9}]", want: "2.0.9"},
		{name: "an OCI chart goes by its base name", file: "releases: [{name: a, chart: o/path/c}]", lockName: "helmfile.lock", lock: "dependencies: [{name: c, repository: 'oci://reg.example/x/path', version: 3.0.0}]", want: "3.0.0"},
		{name: "an old lock has the path of an OCI chart", file: "releases: [{name: a, chart: o/path/c}]", lockName: "helmfile.lock", lock: "dependencies: [{name: path/c, version: 3.0.0}]", want: "3.0.0"},
		{name: "devel takes a pre-release where no version is asked for", file: "releases: [{name: a, chart: r/c, devel: true}]", lockName: "helmfile.lock", lock: "dependencies: [{name: c, version: 2.0.0-rc.1}]", want: "2.0.0-rc.1"},
		{name: "a chart of no declared repository is not locked", file: "releases: [{name: a, chart: ./c, version: '1'}]", lockName: "helmfile.lock", lock: "dependencies: []", want: "1"},
		{name: "a lock without the chart", file: "releases: [{name: a, chart: r/c}]", lockName: "helmfile.lock", lock: "dependencies: []", wantErr: "helmfile.yaml:2:12: releases.a.version: DIR/helmfile.lock has no version of c that \"*\" allows: bring it up to date with flotilla deps"},
		{name: "a lock that the range has left behind", file: "releases: [{name: a, chart: r/c, version: ^2}]", lockName: "helmfile.lock", lock: "dependencies: [{name: c, version: 1.0.0}]", wantErr: `no version of c that "^2" allows`},
		{name: "a file that is no lock", file: "releases: [{name: a, chart: r/c}]", lockName: "helmfile.lock", lock: "dependencies: no", wantErr: "this is no lock file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{"helmfile.yaml": lockedRepos + tt.file, tt.lockName: tt.lock})
			s, err := Load(t.Context(), "", LoadOptions{Dir: dir})
			var all []Release
			if err == nil {
				all, err = s.Select(Selector{}, NeedsSkip)
			}
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), dir, "DIR"), tt.wantErr) {
					t.Fatalf("got %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if all[0].Chart.Version != tt.want {
				t.Errorf("got version %q, want %q", all[0].Chart.Version, tt.want)
			}
		})
	}
}

func TestLockOnlyMattersForWhatIsSelected(t *testing.T) {
	dir := write(t, map[string]string{
		"helmfile.yaml": lockedRepos + "releases: [{name: a, chart: r/c}, {name: b, chart: r/gone}]",
		"helmfile.lock": "dependencies: [{name: c, version: 1.0.0}]",
	})
	s, err := Load(t.Context(), "", LoadOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	sel, err := ParseSelector([]string{"name=a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Select(sel, NeedsSkip); err != nil {
		t.Error(err)
	}
	if _, err := s.Select(Selector{}, NeedsSkip); err == nil {
		t.Error("a release that the lock does not know is selected without an error")
	}
}

func TestLockFilesAreWrittenAsHelmfileReadsThem(t *testing.T) {
	dir := write(t, map[string]string{"helmfile.yaml": lockedRepos + "releases: [{name: b, chart: r/c, version: ^1}, {name: a, chart: o/path/d}, {name: l, chart: ./l}]"})
	s, err := Load(t.Context(), "", LoadOptions{Dir: dir, IgnoreLock: true})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	resolved := []Resolved{{s.Releases[0], "1.2.3"}, {s.Releases[1], "4.5.6"}, {s.Releases[2], "0.1.0"}}
	files, err := s.LockFiles(resolved, "1.0.0", now)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	want := `version: 1.0.0
dependencies:
    - name: c
      repository: http://r.example/
      version: 1.2.3
    - name: d
      repository: oci://reg.example/x/path
      version: 4.5.6
digest: sha256:DIGEST
generated: 2026-01-02T03:04:05Z
`
	got := string(files[0].Text)
	at := strings.Index(got, "sha256:") + len("sha256:")
	got = got[:at] + "DIGEST" + got[at+64:]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := writeFile(files[0]); err != nil {
		t.Fatal(err)
	}
	again, err := s.LockFiles(resolved, "1.0.0", now.Add(time.Hour))
	if err != nil || len(again) != 0 {
		t.Errorf("the same lock is written anew: %v, %v", again, err)
	}
	part, err := s.LockFiles([]Resolved{{s.Releases[0], "1.9.0"}}, "1.0.0", now)
	if err != nil || len(part) != 1 || !strings.Contains(string(part[0].Text), "version: 1.9.0") || !strings.Contains(string(part[0].Text), "version: 4.5.6") {
		t.Errorf("a lock of a selection forgets the others: %v, %s", err, part)
	}
	locked, err := Load(t.Context(), "", LoadOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got := locked.Releases[1].Chart.Version; got != "4.5.6" {
		t.Errorf("read back version %q, want 4.5.6", got)
	}
}

func writeFile(f LockFile) error { return os.WriteFile(f.Path, f.Text, 0o600) }

func TestKeysWithoutEffectAreNamedOnce(t *testing.T) {
	var warned []string
	mustLoad(t, map[string]string{"helmfile.yaml": "helmBinary: h\nhelmDefaults: {recreatePods: true}\nreleases: [{name: a, chart: c, waitRetries: 3}, {name: b, chart: c, waitRetries: 3}]"},
		LoadOptions{Warn: func(text string) { warned = append(warned, text) }})
	if len(warned) != 1 {
		t.Fatalf("got warnings %q, want one", warned)
	}
	for _, key := range []string{"helmBinary (", "helmDefaults.recreatePods (", "releases.waitRetries ("} {
		if strings.Count(warned[0], key) != 1 {
			t.Errorf("%q does not name %s once", warned[0], key)
		}
	}
}

func TestAMissingGitRefMayCountAsAMissingFile(t *testing.T) {
	repo := filepath.Join(t.TempDir(), "repo")
	for _, args := range [][]string{{"init", "-q", "-b", "main", repo}, {"-C", repo, "-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-q", "--allow-empty", "-m", "x"}} {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	url := "git::file://" + repo + "@v.yaml?ref=gone"
	for _, tt := range []struct {
		name, config, wantErr string
	}{
		{"by default it is an error whatever the handler", "missingFileHandler: Warn\n", "no such ref"},
		{"with ignoreMissingGitBranch the handler decides", "missingFileHandler: Warn\nmissingFileHandlerConfig: {ignoreMissingGitBranch: true}\n", ""},
		{"and may still refuse", "missingFileHandlerConfig: {ignoreMissingGitBranch: true}\n", "is not there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := mustLoad(t, map[string]string{"helmfile.yaml": tt.config + "releases: [{name: a, chart: c, values: ['" + url + "']}]"}, LoadOptions{CacheDir: t.TempDir()})
			_, err := s.ValuesOf(t.Context(), s.Releases[0])
			if tt.wantErr == "" && err != nil || tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)) {
				t.Errorf("got %v, want %q", err, tt.wantErr)
			}
		})
	}
}
