package values

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxRefFile bounds a file that a reference names.
const maxRefFile = 8 << 20

// Ref is a reference taken apart.
type Ref struct {
	Scheme   string // in lower case
	Path     string // host and path of the URI, decoded
	Query    url.Values
	Fragment string // keys to follow, separated by "/"; empty: the whole value
}

// ParseRef takes SCHEME://PATH[?QUERY][#/KEY/...] apart as vals does. What is
// no URI is cut by its marks alone.
func ParseRef(ref string) Ref {
	scheme, rest, _ := strings.Cut(ref, "://")
	rest, fragment, _ := strings.Cut(rest, "#")
	path, query, _ := strings.Cut(rest, "?")
	out := Ref{Scheme: strings.ToLower(scheme), Path: path, Fragment: strings.TrimPrefix(fragment, "/")}
	out.Query, _ = url.ParseQuery(query) // what is readable of it, as vals
	if u, err := url.Parse(ref); err == nil {
		out.Path = u.Host + u.Path
	}
	return out
}

// RunsProgram says whether a program is started to get the reference: the one
// that it names, or that of the keychain. Source: pkg/providers of vals.
func (r Ref) RunsProgram() bool { return r.Scheme == "exec" || r.Scheme == "keychain" }

// Descend follows the keys of a fragment through maps; the value of a key that
// is not there is nil.
func Descend(v any, fragment string) (value any, found bool, err error) {
	if fragment == "" {
		return v, true, nil
	}
	for _, key := range strings.Split(fragment, "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false, fmt.Errorf("there is no key %q: what is above it is no map", key)
		}
		if v, ok = m[key]; !ok {
			return nil, false, nil
		}
	}
	return v, true, nil
}

// LocalRefs reads the references that need nothing but this process: env (a
// variable, flotilla's own), echo (the path itself), envsubst (variables
// inside the path) and file (a file's text, or one value of a YAML file).
type LocalRefs struct {
	Dir        string // relative file paths start here
	LookupEnv  func(string) (string, bool)
	DecodeYAML func(text []byte) (any, error)
	Read       func(path string, content []byte) // is told of every file that was read; nil: nobody
}

// Get reads a reference before its fragment is followed; known is false for
// one of another kind.
func (l LocalRefs) Get(r Ref) (v any, known bool, err error) {
	switch r.Scheme {
	case "env":
		text, ok := l.LookupEnv(r.Path)
		if !ok {
			return nil, true, fmt.Errorf("the environment variable %s is not set", r.Path)
		}
		v, err = l.document(r, text)
	case "echo":
		v = echo(r)
	case "envsubst":
		// Defaults and the like (${NAME:-x}) are for the library of vals.
		if !regexp.MustCompile(`^([^$]|\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][A-Za-z0-9_]*\})*$`).MatchString(r.Path) {
			return nil, false, nil
		}
		text := os.Expand(strings.TrimSpace(strings.TrimSuffix(r.Path, "/")), func(name string) string {
			v, _ := l.LookupEnv(name)
			return v
		})
		v, err = l.document(r, text)
	case "file":
		v, err = l.file(r)
	default:
		return nil, false, nil
	}
	return v, true, err
}

// document is the text itself, or with a fragment the YAML in it.
func (l LocalRefs) document(r Ref, text string) (any, error) {
	if r.Fragment == "" {
		return text, nil
	}
	v, err := l.DecodeYAML([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("it stands for no YAML, so there are no keys in it") // the cause quotes the text
	}
	return v, nil
}

// echo gives its path; for a fragment, nested maps whose keys are the parts of
// the path and whose value is the last one.
func echo(r Ref) any {
	if r.Fragment == "" {
		return strings.TrimRight(r.Path, "/")
	}
	parts := strings.Split(r.Path, "/")
	var v any = parts[len(parts)-1]
	for i := len(parts) - 2; i >= 0; i-- {
		v = map[string]any{parts[i]: v}
	}
	return v
}

func (l LocalRefs) file(r Ref) (any, error) {
	path := strings.TrimSuffix(r.Path, "/")
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.Dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxRefFile {
		return nil, fmt.Errorf("the file has more than %d bytes", maxRefFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if l.Read != nil {
		l.Read(path, text)
	}
	switch encode := r.Query.Get("encode"); {
	case r.Fragment != "", encode == "", encode == "raw":
		return l.document(r, string(text))
	case encode == "base64":
		return base64.StdEncoding.EncodeToString(text), nil
	default:
		return nil, fmt.Errorf("encode=%s is unknown, expected raw or base64", encode)
	}
}
