package values

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrUnsupportedRef says that a reference names a back end that is not built
// in.
var ErrUnsupportedRef = errors.New("this kind of secret reference is not supported")

// Refs resolves references of the form ref+SCHEME://PATH[#/KEY] inside values,
// the form that helmfile knows from vals. Schemes: env (a variable), echo (the
// path itself), envsubst (variables inside the path) and file (a file's text,
// or one value of a YAML file). An embedded reference ends at "+".
type Refs struct {
	Dir        string // relative file paths start here
	LookupEnv  func(string) (string, bool)
	DecodeYAML func(text []byte) (any, error)
}

// Has says whether a text may hold a reference.
func Has(text string) bool { return strings.Contains(text, "ref+") }

// Resolve resolves every reference in maps, lists and strings. The error names
// the reference, never a value.
func (r Refs) Resolve(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return r.Text(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		var errs []error
		for _, k := range sortedKeys(v) {
			e, err := r.Resolve(v[k])
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", k, err))
			}
			out[k] = e
		}
		return out, errors.Join(errs...)
	case []any:
		out := make([]any, len(v))
		var errs []error
		for i, e := range v {
			x, err := r.Resolve(e)
			if err != nil {
				errs = append(errs, fmt.Errorf("[%d]: %w", i, err))
			}
			out[i] = x
		}
		return out, errors.Join(errs...)
	default:
		return v, nil
	}
}

// Text resolves the references inside one string.
func (r Refs) Text(s string) (string, error) {
	if !Has(s) {
		return s, nil
	}
	re := regexp.MustCompile(`(?:secret)?ref\+([^+:\s]*)://([^+\s]+)\+?`)
	var errs []error
	out := re.ReplaceAllStringFunc(s, func(ref string) string {
		m := re.FindStringSubmatch(ref)
		v, err := r.fetch(m[1], m[2])
		if err != nil {
			errs = append(errs, fmt.Errorf("resolving ref+%s://%s: %w", m[1], withoutQuery(m[2]), err))
		}
		return v
	})
	if len(errs) > 0 {
		return "", errors.Join(errs...)
	}
	return out, nil
}

func withoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}

func (r Refs) fetch(scheme, rest string) (string, error) {
	path, fragment, _ := strings.Cut(rest, "#")
	path = withoutQuery(path)
	switch scheme {
	case "env":
		v, ok := r.LookupEnv(path)
		if !ok {
			return "", fmt.Errorf("the environment variable %s is not set", path)
		}
		return v, nil
	case "envsubst":
		return os.Expand(path, func(name string) string {
			v, _ := r.LookupEnv(name)
			return v
		}), nil
	case "echo":
		return r.echo(path, fragment)
	case "file":
		return r.file(path, fragment)
	default:
		return "", fmt.Errorf("%w: scheme %q, known are echo, env, envsubst and file", ErrUnsupportedRef, scheme)
	}
}

// echo gives its path; with a fragment, what is left of the path behind it, as
// if the path were nested keys.
func (r Refs) echo(path, fragment string) (string, error) {
	keys := strings.Trim(fragment, "/")
	if keys == "" {
		return path, nil
	}
	rest, ok := strings.CutPrefix(path, keys+"/")
	if !ok {
		return "", fmt.Errorf("there is no key %q", keys)
	}
	return rest, nil
}

// maxRefFile bounds a file that a reference names.
const maxRefFile = 8 << 20

func (r Refs) file(path, fragment string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.Dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxRefFile {
		return "", fmt.Errorf("the file has more than %d bytes", maxRefFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	keys := strings.Trim(fragment, "/")
	if keys == "" {
		return string(text), nil
	}
	v, err := r.DecodeYAML(text)
	if err != nil {
		return "", err
	}
	for _, key := range strings.Split(keys, "/") {
		m, ok := v.(map[string]any)
		if !ok {
			return "", fmt.Errorf("there is no key %q", key)
		}
		if v, ok = m[key]; !ok {
			return "", fmt.Errorf("there is no key %q", key)
		}
	}
	switch v := v.(type) {
	case map[string]any, []any:
		return "", fmt.Errorf("the value of %q is no scalar", keys)
	default:
		return fmt.Sprint(v), nil
	}
}
