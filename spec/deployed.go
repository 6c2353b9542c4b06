package spec

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// LearnDeployed tells the Redactor which of the values that a release was
// deployed with are secret, for commands that look at what is deployed and
// resolve nothing: no reference, no encrypted file, no template. A value is
// secret where a layer that is read as it is has a reference in its place; where
// none has anything there, and there is a layer that cannot be read so, for the
// value may be of that one; and where it is called, or looks, as secrets do.
// What was changed since in the files may make it take a value for a secret, or
// one for none, that only its place tells.
func (s *Spec) LearnDeployed(r Release, deployed map[string]any) {
	if s.loaded == nil || len(deployed) == 0 {
		return
	}
	d := deployedValues{met: s.loaded.loader.secrets.met}
	for _, v := range r.Values {
		d.add(v)
	}
	for _, set := range r.Set {
		d.set(set)
	}
	d.walk(nil, deployed)
}

// deployedValues sorts the leaves of values.
type deployedValues struct {
	met    *Redactor
	layers []map[string]any
	secret []origin.Path // that references are set at
	opaque bool          // a layer cannot be read and may have any value
}

func (d *deployedValues) add(v ValuesSource) {
	switch {
	case v.Inline != nil:
		d.layers = append(d.layers, v.Inline)
	case source.IsRemote(v.Path):
		d.opaque = true
	default:
		d.file(v)
	}
}

// file takes what a file says without rendering it. The keys of a file that SOPS
// encrypted are to be read, and all of its values are secret.
func (d *deployedValues) file(v ValuesSource) {
	text, err := boundedFile(v.Path)
	if err != nil {
		d.opaque = true
		return
	}
	if filepath.Ext(v.Path) == ".gotmpl" {
		d.opaque = d.opaque || values.Has(string(text)) || strings.Contains(string(text), "Secret")
		return
	}
	decoded, err := decodeAny(text)
	layer, isMap := decoded.(map[string]any)
	switch _, sops := layer["sops"]; {
	case err != nil, !isMap && len(strings.TrimSpace(string(text))) > 0, v.Secret && !sops:
		d.opaque = true
	case v.Secret:
		d.layers = append(d.layers, asReferences(layer).(map[string]any))
	case isMap:
		d.layers = append(d.layers, layer)
	}
}

// asReferences gives values in which every leaf is a reference.
func asReferences(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, e := range v {
			out[key] = asReferences(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = asReferences(e)
		}
		return out
	default:
		return "ref+secret"
	}
}

func (d *deployedValues) set(set SetValue) {
	if !values.Has(set.Value) {
		return
	}
	path, err := origin.ParsePath(set.Name)
	if err != nil || len(path) == 0 {
		d.opaque = true
		return
	}
	d.secret = append(d.secret, path)
}

func (d *deployedValues) walk(at origin.Path, v any) {
	switch v := v.(type) {
	case map[string]any:
		if SecretElement(v) {
			d.met.add(v["value"])
		}
		for key, e := range v {
			d.walk(at.With(origin.Key(key)), e)
		}
	case []any:
		for i, e := range v {
			d.walk(at.With(origin.Index(i)), e)
		}
	default:
		if d.isSecret(at, v) {
			d.met.add(v)
		}
	}
}

func (d *deployedValues) isSecret(at origin.Path, v any) bool {
	for _, path := range d.secret {
		if at.HasPrefix(path) {
			return true
		}
	}
	text, isText := v.(string)
	switch {
	case !isText: // numbers and booleans are too short to be told from others
	case SecretNamed(at.String()), SecretText(text):
		return true
	}
	stated := false
	for _, layer := range d.layers {
		for n := len(at); n > 0; n-- { // a reference may stand for a whole map
			declared, found := origin.Lookup(layer, at[:n])
			if !found {
				continue
			}
			if reference, is := declared.(string); is && values.Has(reference) {
				return true
			}
			stated = stated || n == len(at)
			break
		}
	}
	return !stated && d.opaque && isText
}

// boundedFile reads a file that is not larger than a state file may be.
func boundedFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, schema.MaxBytes))
}
