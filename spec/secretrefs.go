package spec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/secret"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// failOnMissing is helmfile's variable that makes a key that is not there an
// error; otherwise it stands for null.
const failOnMissing = "HELMFILE_VALS_FAIL_ON_MISSING_KEY_IN_MAP"

// ClusterObject names a Secret or ConfigMap that a reference (ref+k8s) reads.
type ClusterObject struct {
	Context   string // empty: the current one
	Kind      string // Secret or ConfigMap
	Namespace string
	Name      string
}

// refs resolves references whose relative paths start from dir.
func (l *loader) refs(dir string) values.Refs {
	return values.Refs{Fetch: func(ctx context.Context, refs []string) []values.Fetched {
		return l.secrets.fetch(ctx, dir, refs)
	}}
}

// fetch gets a batch: each reference from this process or the cluster where
// that is enough, all others from the helper in one go.
func (s *secretStore) fetch(ctx context.Context, dir string, refs []string) []values.Fetched {
	out := make([]values.Fetched, len(refs))
	var remote []string
	var at []int
	for i, text := range refs {
		f, known := s.local(ctx, dir, values.ParseRef(text))
		if !known {
			remote, at = append(remote, text), append(at, i)
			continue
		}
		out[i] = f
	}
	for i, r := range s.remote(ctx, dir, remote) {
		out[at[i]] = values.Fetched{Value: r.value, Err: r.err}
	}
	for i, f := range out {
		if f.Err == nil && values.ParseRef(refs[i]).Scheme != "echo" { // echo is as public as the file
			s.met.add(f.Value)
		}
		if f.Err == nil && f.Value == nil {
			s.opts.Warn(fmt.Sprintf("ref+%s stands for null (with %s=true that is an error)", values.Name(refs[i]), failOnMissing))
		}
	}
	return out
}

// local reads what needs no helper.
func (s *secretStore) local(ctx context.Context, dir string, ref values.Ref) (f values.Fetched, known bool) {
	from := values.LocalRefs{Dir: dir, LookupEnv: s.opts.LookupEnv, DecodeYAML: decodeAny, Read: s.opts.ReadFiles.Add}
	v, known, err := from.Get(ref)
	if !known && ref.Scheme == "k8s" && s.opts.ClusterData != nil && ref.Query.Get("kubeConfigPath") == "" && !ref.Query.Has("inCluster") {
		known = true
		v, err = s.cluster(ctx, ref)
	}
	if !known && s.opts.NoExec && ref.RunsProgram() {
		return values.Fetched{Err: errors.New("no programs may be started")}, true
	}
	if !known || err != nil {
		return values.Fetched{Err: err}, known
	}
	v, found, err := values.Descend(v, ref.Fragment)
	if err == nil && !found && s.strict() {
		err = fmt.Errorf("no value found for key %s", ref.Fragment)
	}
	return values.Fetched{Value: v, Err: err}, true
}

func (s *secretStore) strict() bool {
	v, _ := s.opts.LookupEnv(failOnMissing)
	on, _ := strconv.ParseBool(v)
	return on
}

// cluster reads k8s://v1/KIND/NAMESPACE/NAME[/KEY]: one value, or all of them
// as JSON, or with a fragment as a map.
func (s *secretStore) cluster(ctx context.Context, ref values.Ref) (any, error) {
	parts := strings.Split(ref.Path, "/")
	if len(parts) != 4 && len(parts) != 5 || parts[0] != "v1" || ref.Fragment != "" && len(parts) != 4 {
		return nil, errors.New("expected k8s://v1/KIND/NAMESPACE/NAME/KEY, or #/KEY at the end")
	}
	context := ref.Query.Get("kubeContext")
	if context == "" {
		context, _ = s.opts.LookupEnv("VALS_KUBECONTEXT")
	}
	from := ClusterObject{Context: context, Kind: parts[1], Namespace: parts[2], Name: parts[3]}
	if from.Kind != "Secret" && from.Kind != "ConfigMap" {
		return nil, fmt.Errorf("the kind %s is unknown, expected Secret or ConfigMap", from.Kind)
	}
	key := strings.Join([]string{"k8s", from.Context, from.Kind, from.Namespace, from.Name}, "\x00")
	got := s.refs.get(ctx, []string{key}, func([]string) []result[any] {
		data, err := s.opts.ClusterData(ctx, from)
		object := make(map[string]any, len(data))
		for k, v := range data {
			object[k] = v
		}
		return []result[any]{{object, err}}
	})[0]
	if got.err != nil {
		return nil, got.err
	}
	object, _ := got.value.(map[string]any)
	if len(parts) == 5 {
		v, ok := object[parts[4]]
		if !ok {
			return nil, fmt.Errorf("there is no key %q in it", parts[4])
		}
		return v, nil
	}
	if ref.Fragment != "" {
		return object, nil
	}
	text, err := json.Marshal(object)
	return string(text), err
}

// remote asks the helper for what nobody asked for before. Relative paths mean
// another file in each folder, so a folder is part of what is asked.
func (s *secretStore) remote(ctx context.Context, dir string, refs []string) []result[any] {
	if len(refs) == 0 {
		return nil
	}
	keys := make([]string, len(refs))
	for i, ref := range refs {
		keys[i] = dir + "\x00" + ref
	}
	return s.refs.get(ctx, keys, func(keys []string) []result[any] {
		items := make([]secret.Item, len(keys))
		for i, key := range keys {
			_, items[i].Ref, _ = strings.Cut(key, "\x00")
		}
		out := make([]result[any], len(keys))
		answers, err := s.ask(ctx, dir, items)
		for i := range out {
			if err != nil {
				out[i].err = err
				if i > 0 && errors.Is(err, secret.ErrNoHelper) {
					out[i].err = errHelperToo
				}
				continue
			}
			out[i] = result[any]{answers[i].Value, answers[i].Err}
		}
		return out
	})
}

// errHelperToo is for those of a batch after the first, which tells how to get it.
var errHelperToo = errors.New("this needs flotilla-secrets, which is not there")

func (s *secretStore) ask(ctx context.Context, dir string, items []secret.Item) ([]secret.Answer, error) {
	if s.opts.Secrets == nil {
		return nil, secret.ErrNoHelper
	}
	return s.opts.Secrets.Ask(ctx, secret.Request{Dir: dir, NoExec: s.opts.NoExec, Items: items})
}

// refDir is the key of a context's value: the folder in which relative
// references of templates start, that of the state file.
type refDir struct{}

func withRefDir(ctx context.Context, dir string) context.Context {
	return context.WithValue(ctx, refDir{}, dir)
}

// templateSecret is fetchSecretValue and expandSecretRefs of templates.
func (l *loader) templateSecret(ctx context.Context, v any) (any, error) {
	dir, ok := ctx.Value(refDir{}).(string)
	if !ok {
		dir = l.opts.Dir
	}
	return l.refs(dir).Resolve(ctx, v)
}

// ResolveRefs resolves the secret references (ref+...) in strings, lists and
// maps, for templates that are rendered after loading. Relative paths start
// from dir. The error names references, never values.
func (s *Spec) ResolveRefs(ctx context.Context, dir string, v any) (any, error) {
	if s.loaded == nil {
		return nil, values.ErrUnsupportedRef
	}
	return s.loaded.loader.refs(dir).Resolve(ctx, v)
}

// Redactor knows the secrets that were met so far, in loading and by the
// methods that read values. It is shared by all copies of the Spec and grows.
func (s *Spec) Redactor() *Redactor {
	if s.loaded == nil {
		return &Redactor{}
	}
	return s.loaded.loader.secrets.met
}
