package cli

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/spec"
)

var update = flag.Bool("update", false, "write the tables of docs/helmfile.md anew")

const migration = "../../docs/helmfile.md"

// TestMigrationTablesAreThoseOfTheCode holds the tables of docs/helmfile.md
// against the schema and the grammar, so that none of them goes stale:
// go test ./cmd/cli -run Migration -update writes them.
func TestMigrationTablesAreThoseOfTheCode(t *testing.T) {
	text, err := os.ReadFile(migration)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	want := got
	for name, table := range map[string]string{"keys": keyTable(), "commands": commandTable(t)} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
		before, rest, ok := strings.Cut(want, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no place for the table of %s", migration, name)
		}
		want = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(migration, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("go test ./cmd/cli -run Migration -update writes what is missing (-want +got)\n%s", diff)
	}
}

// argsStatus is that of flags of Helm given as text.
const argsStatus = "flags that are known here; what differs on purpose is told above"

func keyTable() string {
	var b strings.Builder
	b.WriteString("| key | status |\n|---|---|\n")
	for _, key := range spec.Keys() {
		status := "as in helmfile"
		switch {
		case key.Own:
			status = "flotilla's own"
		case strings.HasSuffix(key.Path, "Args") && key.Path != "releases.postRendererArgs" && key.Path != "helmDefaults.postRendererArgs" || key.Path == "helmDefaults.args":
			status = argsStatus
		case key.Idle != "":
			status = "read, named in a warning, no effect: " + key.Idle
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", key.Path, status)
	}
	return b.String()
}

// absentCommands are the commands of helmfile that are left out on purpose.
func absentCommands() map[string]string {
	return map[string]string{"doctor": "asks a language model about a diff; nothing is sent to third parties here"}
}

// commandTable has a row for every command and flag of helmfile and of
// flotilla. A flag of helmfile that the grammar does not know fails the test.
func commandTable(t *testing.T) string {
	text, err := os.ReadFile("testdata/helmfile.txt")
	if err != nil {
		t.Fatal(err)
	}
	root := model(t)
	theirs := map[string][]string{}
	var b strings.Builder
	b.WriteString("| command | flag | status |\n|---|---|---|\n")
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		theirs[words[0]] = words[1:]
		row(t, &b, root, words[0], words[1:])
	}
	for _, n := range append([]*kong.Node{root}, leaves(root)...) {
		name := pathOf(n)
		if _, shared := theirs[name]; !shared {
			fmt.Fprintf(&b, "| %s | | flotilla's own: %s |\n", name, n.Help)
			continue
		}
		for _, f := range n.Flags {
			if !f.Hidden && f.Name != "help" && !slices.ContainsFunc(theirs[name], func(s string) bool { return strings.HasSuffix(s, "--"+f.Name) }) {
				fmt.Fprintf(&b, "| %s | `--%s` | flotilla's own: %s |\n", name, f.Name, f.Help)
			}
		}
	}
	return b.String()
}

func row(t *testing.T, b *strings.Builder, root *kong.Node, command string, flags []string) {
	t.Helper()
	if reason, ok := absentCommands()[command]; ok {
		fmt.Fprintf(b, "| %s | | absent: %s |\n", command, reason)
		return
	}
	node := root
	if command != "*" {
		for part := range strings.SplitSeq(command, "/") {
			if node = childOf(node, part); node == nil {
				t.Fatalf("helmfile's command %s is not in the grammar", command)
			}
		}
		if len(flags) == 0 {
			fmt.Fprintf(b, "| %s | | as in helmfile |\n", command)
		}
	}
	for _, spelling := range flags {
		fmt.Fprintf(b, "| %s | `%s` | %s |\n", command, spelling, status(t, node, command, spelling))
	}
}

// status says what a flag of helmfile does here.
func status(t *testing.T, node *kong.Node, command, spelling string) string {
	t.Helper()
	short, name, _ := strings.Cut(spelling, "--")
	if name == "version" {
		return "as in helmfile"
	}
	flags := append(slices.Clone(node.Flags), rootOf(node).Flags...)
	at := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == name })
	if at < 0 {
		t.Errorf("helmfile's flag --%s of %s is not in the grammar", name, command)
		return "absent"
	}
	f := flags[at]
	if letter := strings.Trim(short, "-,"); letter != "" && string(f.Short) != letter {
		t.Errorf("helmfile's flag --%s of %s has the letter %s, here it has %q", name, command, letter, f.Short)
	}
	for _, idle := range idleFlags() {
		if idle.name == name {
			return "taken, named in a warning, no effect: " + idle.reason
		}
	}
	if slices.Contains([]string{"args", "diff-args", "sync-args", "template-args"}, name) {
		return argsStatus
	}
	if f.Hidden {
		return "taken; what it asks for is always so"
	}
	return "as in helmfile"
}

func model(t *testing.T) *kong.Node {
	t.Helper()
	var g grammar
	parser, err := newParser(&g, Env{
		Streams: view.Streams{Out: io.Discard, Err: io.Discard}, Lookup: func(string) (string, bool) { return "", false }, Now: time.Now,
	}, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Node
}

func rootOf(n *kong.Node) *kong.Node {
	for n.Parent != nil {
		n = n.Parent
	}
	return n
}

func leaves(n *kong.Node) []*kong.Node {
	var out []*kong.Node
	for _, c := range n.Children {
		if len(c.Children) == 0 {
			out = append(out, c)
		}
		out = append(out, leaves(c)...)
	}
	return out
}

func pathOf(n *kong.Node) string {
	if n.Parent == nil {
		return "*"
	}
	if n.Parent.Parent == nil {
		return n.Name
	}
	return pathOf(n.Parent) + "/" + n.Name
}
