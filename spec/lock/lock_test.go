package lock

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

func example() File {
	return File{}.With("prod", Environment{
		Charts: []Chart{
			{Chart: "stable/web", Repository: "https://charts.example.com", Requested: "~1.2", Version: "1.2.9", Digest: digest("a")},
			{Chart: "oci://r.example.com/db", Version: "2.0.0", Digest: digest("b")},
			{Chart: "stable/web", Repository: "https://charts.example.com", Requested: "~1.2", Version: "1.2.9", Digest: digest("a")},
		},
		Sources: []Source{{URL: "git::https://git.example.com/base.git?ref=main", Commit: strings.Repeat("c", 40), Digest: digest("d")}},
	})
}

func TestAFileSurvivesWritingAndReading(t *testing.T) {
	text, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(example(), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if len(got.Environments["prod"].Charts) != 2 {
		t.Errorf("two releases of one chart are there as %d charts", len(got.Environments["prod"].Charts))
	}
	again, err := got.Encode()
	if err != nil || string(again) != string(text) {
		t.Errorf("written again it is another file (%v):\n%s\n%s", err, text, again)
	}
}

func TestWithKeepsOtherEnvironments(t *testing.T) {
	before := example()
	got := before.With("dev", Environment{})
	if len(got.Environments) != 2 || len(before.Environments) != 1 {
		t.Errorf("there are %d environments, and %d in the file that it was made of", len(got.Environments), len(before.Environments))
	}
}

func TestWhatIsNoLockFileSaysWhy(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "", "it is empty"},
		{"another format", "version: 2\n", "version 2 of the format"},
		{"a key that nobody knows", "version: 1\nenvironment: {}\n", "line 2"},
		{"a digest that is none", "version: 1\nenvironments:\n  prod:\n    charts: [{chart: a/b, digest: sha256:12}]\n", `environment prod: the digest of a/b is "sha256:12"`},
		{"a source without a digest", "version: 1\nenvironments:\n  prod:\n    sources: [{url: x}]\n", "the digest of x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestChanges(t *testing.T) {
	before := example().Environments["prod"]
	now := Environment{
		Charts: []Chart{
			{Chart: "stable/web", Repository: "https://charts.example.com", Requested: "~1.2", Version: "1.2.10", Digest: digest("e")},
			{Chart: "stable/new", Digest: digest("f")},
		},
		Sources: []Source{{URL: "git::https://git.example.com/base.git?ref=main", Commit: strings.Repeat("0", 40), Digest: digest("1")}},
	}
	var got []string
	for _, c := range now.Changes(before) {
		got = append(got, c.String())
	}
	want := []string{
		"+ stable/new  sha256:ffffffffffff",
		"~ stable/web (~1.2)  1.2.9 sha256:aaaaaaaaaaaa -> 1.2.10 sha256:eeeeeeeeeeee",
		"- oci://r.example.com/db  2.0.0 sha256:bbbbbbbbbbbb",
		"~ git::https://git.example.com/base.git?ref=main  cccccccccc sha256:dddddddddddd -> 0000000000 sha256:111111111111",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if c := before.Changes(before); c != nil {
		t.Errorf("against itself it differs in %v", c)
	}
}
