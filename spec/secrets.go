package spec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/flotilla-sh/flotilla/spec/hcl"
	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/secret"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// ErrSecrets says that a file under secrets: cannot be decrypted here.
var ErrSecrets = errors.New("it is not encrypted with sops, and there is no Helm plugin named secrets that could decrypt it")

// SecretHelper decrypts with SOPS and fetches references of vals; *secret.Helper
// is one.
type SecretHelper interface {
	Ask(ctx context.Context, r secret.Request) ([]secret.Answer, error)
}

var _ SecretHelper = (*secret.Helper)(nil)

// maxPlugins bounds the plugins that run at the same time.
const maxPlugins = 8

// secretStore is what one Load knows of secrets. Safe for concurrent use.
type secretStore struct {
	opts   LoadOptions
	met    *Redactor
	plugin func() *secret.Plugin
	slots  chan struct{}

	files memo[[]byte] // plain texts, by absolute path
	refs  memo[any]    // what the helper and the cluster gave
}

func newSecretStore(opts LoadOptions) *secretStore {
	return &secretStore{
		opts:   opts,
		met:    opts.Redactor,
		plugin: sync.OnceValue(func() *secret.Plugin { return secret.FindPlugin(opts.LookupEnv) }),
		slots:  make(chan struct{}, maxPlugins),
	}
}

// decrypt gives the plain text of a file, which is decrypted once a run. Whoever
// decrypts works in dir, the folder of the state file: there the relative paths
// of keys start, such as SOPS_AGE_KEY_FILE. A file that several state files name
// is decrypted in the folder of the first, as in helmfile.
func (s *secretStore) decrypt(ctx context.Context, dir, path string) ([]byte, error) {
	got := s.files.get(ctx, []string{path}, func([]string) []result[[]byte] {
		text, err := s.opts.read(path)
		if err == nil {
			text, err = s.plain(ctx, encrypted{dir, path, text})
		}
		return []result[[]byte]{{text, err}}
	})
	return got[0].value, got[0].err
}

// encrypted is a file that is to be decrypted in a folder.
type encrypted struct {
	dir, path string
	text      []byte
}

// plain decides who decrypts: the helper what SOPS encrypted, the plugin what
// is of another kind, and the plugin too where there is no helper.
func (s *secretStore) plain(ctx context.Context, e encrypted) ([]byte, error) {
	format, isSops := secret.Sops(e.path, e.text)
	var helperErr error
	if isSops {
		out, err := s.askText(ctx, e.dir, secret.Item{Data: e.text, Format: format})
		if !errors.Is(err, secret.ErrNoHelper) || s.opts.NoExec {
			return out, err
		}
		helperErr = err
	}
	plugin := s.plugin()
	switch {
	case plugin == nil && isSops:
		return nil, helperErr
	case plugin == nil:
		return nil, ErrSecrets
	case s.opts.NoExec:
		return nil, errors.New("it is not encrypted with sops, and the Helm plugin secrets may not be started: no programs may be")
	}
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	return plugin.Decrypt(ctx, e.dir, e.path)
}

func (s *secretStore) askText(ctx context.Context, dir string, item secret.Item) ([]byte, error) {
	answers, err := s.ask(ctx, dir, []secret.Item{item})
	if err != nil {
		return nil, err
	}
	return answers[0].Text, answers[0].Err
}

// decryptInline decrypts a map that stands in a state file. The plugin takes
// files only, so it gets one with what the state file shows anyway.
func (s *secretStore) decryptInline(ctx context.Context, dir string, text []byte) ([]byte, error) {
	got := s.files.get(ctx, []string{"\x00" + string(text)}, func([]string) []result[[]byte] {
		temp, err := os.MkdirTemp("", "flotilla-secrets-")
		if err != nil {
			return []result[[]byte]{{nil, err}}
		}
		defer os.RemoveAll(temp)
		path := filepath.Join(temp, "inline.yaml")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return []result[[]byte]{{nil, err}}
		}
		out, err := s.plain(ctx, encrypted{dir, path, text})
		return []result[[]byte]{{out, err}}
	})
	return got[0].value, got[0].err
}

// learn takes what a decrypted text says for secrets. err says that v could
// not be read from it: then it is what stands behind the keys of its lines.
func (s *secretStore) learn(text []byte, v any, err error) {
	if err == nil {
		s.met.add(v)
		return
	}
	for line := range strings.Lines(string(text)) {
		_, value, found := strings.Cut(line, ":")
		if !found {
			_, value, _ = strings.Cut(line, "=")
		}
		s.met.add(strings.Trim(strings.TrimSpace(value), `"'`))
	}
}

// environmentSecrets decrypts the files of environments.NAME.secrets, all at
// the same time, and merges them in listed order; those in HCL go with the
// values that are. As in helmfile, a .gotmpl here is no template.
func (l *loader) environmentSecrets(ctx context.Context, f *stateFile, st *schema.State, env schema.Environment) (map[string]any, []hcl.File, error) {
	paths, err := l.secretFiles(ctx, f, st, env)
	errs := []error{err}
	texts := make([]result[[]byte], len(paths))
	var running sync.WaitGroup
	for i, p := range paths {
		running.Go(func() { texts[i].value, texts[i].err = l.secrets.decrypt(ctx, f.dir, p.Value) })
	}
	running.Wait()
	out := map[string]any{}
	var files []hcl.File
	for i, p := range paths {
		text := texts[i].value
		if err := texts[i].err; err != nil {
			errs = append(errs, mistake(p.Pos, "secrets", fmt.Errorf("decrypting %s: %w", p.Value, err)))
			continue
		}
		if strings.HasSuffix(p.Value, ".hcl") {
			files = append(files, hcl.File{Name: p.Value, Text: text})
			l.secrets.learnHCL(files[len(files)-1])
			continue
		}
		m, err := schema.Map(text, schema.InFile(p.Value))
		l.secrets.learn(text, m, err)
		if err != nil {
			errs = append(errs, asErrors(err, p.Pos, "secrets"))
			continue
		}
		out = values.Override(out, m)
	}
	return out, files, errors.Join(errs...)
}

// learnHCL takes everything that is written out in a decrypted file for secret.
// What is made of it is known only when all files are evaluated together.
func (s *secretStore) learnHCL(f hcl.File) {
	_, literals, err := hcl.Contents(f)
	if err != nil {
		s.learn(f.Text, nil, err)
		return
	}
	for _, text := range literals {
		s.met.add(text)
	}
}

// learnEvaluated takes the values that decrypted files define for secret.
func (s *secretStore) learnEvaluated(files []hcl.File, all map[string]any) {
	for _, f := range files {
		names, _, err := hcl.Contents(f)
		if err != nil {
			continue // then there are no values, either
		}
		for _, name := range names {
			s.met.add(all[name])
		}
	}
}

// secretFiles lists the files of an environment's secrets: paths, globs and
// URLs. One that is not there follows the handler.
func (l *loader) secretFiles(ctx context.Context, f *stateFile, st *schema.State, env schema.Environment) ([]schema.Text, error) {
	missing := env.MissingFile
	if missing == nil {
		missing = st.MissingFile
	}
	handler, err := values.ParseHandler(missing)
	if err != nil {
		return nil, err
	}
	var out []schema.Text
	var errs []error
	for _, s := range env.Secrets {
		files, err := l.find(ctx, f.dir, s.Value)
		err = forgive(err, missingConfig(env.MissingConfig, st))
		if err == nil && len(files) == 0 {
			err = l.lacks(handler, s.Pos, "secrets", s.Value)
		}
		errs = append(errs, asErrors(err, s.Pos, "secrets"))
		for _, file := range files {
			out = append(out, schema.Text{Pos: s.Pos, Value: file})
		}
	}
	return out, errors.Join(errs...)
}
