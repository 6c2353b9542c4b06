package spec

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
)

// DefaultStateNamespace is where leases and records of runs are kept.
const DefaultStateNamespace = "flotilla-system"

// Owner is whom releases belong to: runs of one owner exclude each other. It
// holds no secret.
type Owner struct {
	// ID is the same for every checkout of a repository, on every machine. Empty:
	// nobody knows, as of a plan that an earlier version saved.
	ID string
	// Namespace is where leases and records of runs are kept, in every cluster.
	Namespace string
	// History is how many records of runs are kept in a cluster; zero: nothing says.
	History int
}

// Owner tells whom the releases belong to. Its ID is what the key owner of the
// top state file says, or else where that file is: the address of its git
// repository (that of the remote "origin", without scheme, user and port) and
// the path inside of it; without such a remote the path alone; outside of a
// repository the absolute path. To it come the environment and what --namespace
// says, since that makes other releases of the same files; --kube-context leads to
// another cluster, which has a lock, records and releases of its own. The keys of
// nested files say nothing. It reads the repository's configuration, and fails where
// the top files of a folder contradict each other.
func (s *Spec) Owner() (Owner, error) {
	var id, namespace, history sharedKey
	var errs []error
	for _, f := range s.Files {
		if f.Parent >= 0 {
			continue
		}
		errs = append(errs, id.take(f.Path, "owner", f.Owner), namespace.take(f.Path, "stateNamespace", f.StateNamespace))
		if f.HistoryLimit != nil {
			errs = append(errs, history.take(f.Path, "historyLimit", strconv.Itoa(*f.HistoryLimit)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Owner{}, err
	}
	keep, _ := strconv.Atoi(history.text) // empty: zero
	if history.text != "" && keep < 1 {
		return Owner{}, mistake(schema.Pos{File: history.file}, "historyLimit", fmt.Errorf("%d: expected at least 1 record of a run", keep))
	}
	if namespace.text == "" {
		namespace.text = DefaultStateNamespace
	}
	opts := LoadOptions{}
	if s.loaded != nil {
		opts = s.loaded.loader.opts
		if id.text == "" {
			id.text = placeOf(s.loaded.top, opts.Dir)
		}
	}
	parts := []string{id.text, "environment " + s.Environment}
	if opts.Namespace != "" {
		parts = append(parts, "namespace "+opts.Namespace)
	}
	return Owner{ID: strings.Join(parts, ", "), Namespace: namespace.text, History: keep}, nil
}

// sharedKey is what a key says that all top files share.
type sharedKey struct{ text, file string }

func (t *sharedKey) take(file, key, text string) error {
	switch {
	case text == "" || text == t.text:
		return nil
	case t.text != "":
		return mistake(schema.Pos{File: file}, key, fmt.Errorf("%q contradicts %q of %s: the files of one folder have one", text, t.text, t.file))
	}
	t.text, t.file = text, file
	return nil
}

// placeOf names the place of a state file or folder in a way that is the same
// wherever its repository is checked out.
func placeOf(top, dir string) string {
	switch {
	case source.IsRemote(top):
		return remotePlace(top)
	case top == "-":
		top = filepath.Join(dir, "-")
	}
	if real, err := filepath.EvalSymlinks(filepath.Dir(top)); err == nil {
		top = filepath.Join(real, filepath.Base(top))
	}
	root, config := repositoryOf(filepath.Dir(top))
	if root == "" {
		return filepath.ToSlash(top)
	}
	inside, err := filepath.Rel(root, top)
	if err != nil {
		return filepath.ToSlash(top)
	}
	return path.Join(remoteOf(config), filepath.ToSlash(inside))
}

// remotePlace is for a remote file what a checkout of its repository gives:
// address and path inside.
func remotePlace(top string) string {
	plain, _, _ := strings.Cut(top, "?")
	if _, after, ok := strings.Cut(plain, "::"); ok {
		plain = after
	}
	u, err := url.Parse(plain)
	if err != nil {
		return address(top)
	}
	root, file, ok := strings.Cut(u.Path, "@")
	if !ok {
		return address(top)
	}
	u.Path, u.RawPath = root, ""
	return path.Join(address(u.String()), file)
}

// repositoryOf finds the git repository that a folder is in: its work tree, and
// the folder that has its configuration. Empty: in none.
func repositoryOf(dir string) (root, config string) {
	for {
		at := filepath.Join(dir, ".git")
		if info, err := os.Stat(at); err == nil {
			if info.IsDir() {
				return dir, at
			}
			return dir, linked(at)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", ""
		}
		dir = up
	}
}

// linked follows the file that a worktree or submodule has in place of .git.
func linked(file string) string {
	to := firstLine(file, "gitdir:")
	if to == "" {
		return ""
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(file), to)
	}
	common := firstLine(filepath.Join(to, "commondir"), "")
	switch {
	case common == "":
		return to
	case filepath.IsAbs(common):
		return common
	default:
		return filepath.Join(to, common)
	}
}

func firstLine(file, prefix string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	rest, ok := strings.CutPrefix(line, prefix)
	if !ok {
		return ""
	}
	return strings.TrimSpace(rest)
}

// remoteOf gives the address of the remote "origin"; empty: there is none.
func remoteOf(config string) string {
	text, err := os.ReadFile(filepath.Join(config, "config"))
	if err != nil {
		return ""
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = line == `[remote "origin"]`
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		if inside && strings.TrimSpace(key) == "url" {
			return address(strings.TrimSpace(value))
		}
	}
	return ""
}

// address is a repository's URL without what differs between users: scheme,
// credentials, port, parameters, and the ending .git.
func address(text string) string {
	text, _, _ = strings.Cut(text, "?")
	if _, after, ok := strings.Cut(text, "::"); ok {
		text = after
	}
	host, at := "", ""
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		host, at = u.Hostname(), u.Path
	} else if before, after, ok := strings.Cut(text, ":"); ok && !strings.Contains(before, "/") {
		host, at = before[strings.LastIndex(before, "@")+1:], after // user@host:path, as ssh has it
	} else {
		at = text
	}
	return strings.TrimSuffix(path.Join(strings.ToLower(host), strings.Trim(at, "/")), ".git")
}
