package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/tmpl"
	"github.com/flotilla-sh/flotilla/spec/values"
)

// converter makes the releases of one file.
type converter struct {
	loader       *loader
	file         *stateFile
	index        int // of the file in the Spec
	data         releaseData
	texts        *tmpl.Session
	repositories []*Repository

	raw      []*schema.Release
	releases []Release
	declared []ReleaseID // before --namespace and --kube-context
	errs     []error
}

func (c *converter) join() error {
	c.checkRepositories()
	return errors.Join(c.errs...)
}

func (c *converter) fail(pos schema.Pos, field string, err error) {
	if err != nil {
		c.errs = append(c.errs, asErrors(err, pos, field))
	}
}

// add makes one release: inheritance, defaults, templates, overrides.
func (c *converter) add(in *schema.Release) {
	st := &c.file.state
	own := *in
	own.Inherit = withDefaultInherit(in.Inherit, st.DefaultInherit, in.Pos)
	r, err := inherit(&own, st.Templates, nil)
	if err != nil {
		c.fail(in.Pos, "releases."+in.Name, err)
		return
	}
	if r.KubeContext == "" {
		r.KubeContext = st.HelmDefaults.KubeContext
	}
	labels := make(map[string]string, len(r.Labels)+len(st.CommonLabels))
	maps.Copy(labels, r.Labels)
	maps.Copy(labels, st.CommonLabels)
	r.Labels = labels
	if len(r.APIVersions) == 0 {
		r.APIVersions = st.APIVersions
	}
	if r.KubeVersion == "" {
		r.KubeVersion = st.KubeVersion
	}
	rendered, err := renderRelease(c.texts, c.file.path, &r, c.data)
	if err != nil {
		c.fail(in.Pos, "releases."+in.Name, err)
		return
	}
	c.declared = append(c.declared, ReleaseID{rendered.KubeContext, rendered.Namespace, rendered.Name})
	if st.KubeContext != "" {
		rendered.KubeContext = st.KubeContext
	}
	if st.Namespace != "" {
		rendered.Namespace = st.Namespace
	}
	c.raw = append(c.raw, rendered)
	c.releases = append(c.releases, c.release(rendered))
}

// release makes the exported form of a finished release.
func (c *converter) release(r *schema.Release) Release {
	field := "releases." + r.Name
	if r.Chart == "" {
		r.Chart = r.Directory
	}
	if r.Chart == "" {
		c.fail(r.Pos, field+".chart", errors.New("is empty: every release needs a chart"))
	}
	if r.Name == "" {
		c.fail(r.Pos, "releases", errors.New("a release without a name"))
	}
	on, err := enabled(r.Condition, c.data.Values)
	c.fail(r.Pos, field+".condition", err)
	options, err := options(r, c.file.state.HelmDefaults, c.loader.opts.Helm)
	c.fail(r.Pos, field, err)
	if len(r.PostRendererArgs) == 0 && len(c.loader.opts.Helm.PostRendererArgs) == 0 {
		options.PostRendererArgs, err = c.defaultArgs(r)
		c.fail(r.Pos, field, err)
	}
	set, err := c.set(r, func(text string) (string, error) { return text, nil }) // SetOf resolves references
	c.fail(r.Pos, field, err)
	if _, err := values.ParseHandler(r.MissingFile); err != nil {
		c.fail(r.Pos, field, err)
	}
	for _, h := range r.Hooks {
		c.fail(h.Pos, field+".hooks", checkHook(h))
	}
	return Release{
		ID:  ReleaseID{Context: r.KubeContext, Namespace: r.Namespace, Name: r.Name},
		Pos: posOf(r.Pos), File: c.index,
		Chart: c.chart(r), Labels: r.Labels,
		Installed: r.Installed == nil || *r.Installed, Enabled: on,
		AtomicGroup: r.AtomicGroup,
		Values:      c.values(r), Set: set, Options: options, Hooks: hooks(r.Hooks),
		Verify:    c.gates(r),
		Customize: c.customization(r), UnitTests: r.UnitTests,
	}
}

func (c *converter) chart(r *schema.Release) Chart {
	d := &c.file.state.HelmDefaults
	ref := r.Chart
	if c.file.state.Chart != "" {
		ref = c.file.state.Chart
	}
	c.checkGetter(r, ref)
	out := Chart{
		Ref: ref, Declared: r.Chart, Version: r.Version, Dir: c.file.dir,
		Repository: c.repositoryOf(ref),
		Devel:      orDefault(r.Devel, d.Devel),
		Verify:     orDefault(provenance(r), d.Verify),
		Keyring:    orText(r.Keyring, d.Keyring),
		PlainHTTP:  r.PlainHTTP || d.PlainHTTP, InsecureSkipTLSVerify: r.InsecureSkipTLSVerify || d.InsecureSkipTLSVerify,
		SkipDeps: orDefault(r.SkipDeps, d.SkipDeps),
	}
	return out
}

// repositoryOf finds the declared repository that a chart reference names.
func (c *converter) repositoryOf(ref string) *Repository {
	name, _, ok := strings.Cut(ref, "/")
	if !ok || strings.Contains(ref, "://") {
		return nil
	}
	for _, r := range c.repositories {
		if r.Name == name {
			copied := *r
			return &copied
		}
	}
	return nil
}

// values lists the file layers, lowest first; those of the command line last.
func (c *converter) values(r *schema.Release) []ValuesSource {
	prefixed := func(list []schema.Entry) []schema.Entry {
		out := slices.Clone(list)
		for i, e := range out {
			if path, ok := e.Value.(string); ok {
				out[i].Value = r.ValuesPathPrefix + path
			}
		}
		return out
	}
	out := c.entries(prefixed(r.Values), "values")
	for _, s := range c.entries(prefixed(r.Secrets), "secrets") {
		s.Secret = true
		out = append(out, s)
	}
	for _, v := range c.loader.opts.ReleaseValues {
		out = append(out, ValuesSource{Path: c.path(v), Pos: Pos{File: "--values"}})
	}
	return out
}

// path makes a path absolute; URLs and secret references stay.
func (c *converter) path(p string) string {
	if filepath.IsAbs(p) || source.IsRemote(p) || values.Has(p) {
		return p
	}
	return filepath.Join(c.file.dir, p)
}

// set lists what goes on top of the file layers, in helmfile's order.
// Each value goes through resolve.
func (c *converter) set(r *schema.Release, resolve func(string) (string, error)) ([]SetValue, error) {
	var out []SetValue
	var errs []error
	add := func(kind SetKind, list []schema.SetValue) {
		for _, s := range list {
			v, err := c.setValue(kind, s, resolve)
			if err != nil {
				errs = append(errs, mistake(s.Pos, string(kind)+"."+s.Name, err))
			} else if v != nil {
				out = append(out, *v)
			}
		}
	}
	add(SetTyped, r.Set)
	add(SetString, r.SetString)
	for _, s := range r.Env {
		v, ok := c.loader.opts.LookupEnv(s.Value)
		if !ok {
			errs = append(errs, mistake(s.Pos, "env."+s.Name, fmt.Errorf("the environment variable %s is not set", s.Value)))
			continue
		}
		out = append(out, SetValue{Kind: SetTyped, Name: escapeSet(s.Name), Value: escapeSet(v), Pos: posOf(s.Pos)})
	}
	for _, s := range c.loader.opts.ReleaseSet {
		out = append(out, SetValue{Kind: SetRaw, Value: s, Pos: Pos{File: "--set"}})
	}
	return out, errors.Join(errs...)
}

// setValue makes one entry; nil for one without a value, which helmfile drops.
func (c *converter) setValue(kind SetKind, s schema.SetValue, resolve func(string) (string, error)) (*SetValue, error) {
	out := &SetValue{Kind: kind, Name: escapeSet(s.Name), Pos: posOf(s.Pos)}
	switch {
	case s.Value != "":
		v, err := resolve(s.Value)
		if err != nil {
			return nil, err
		}
		out.Value = escapeSet(v)
		return out, nil
	case s.File != "" && kind == SetTyped:
		out.Kind, out.Value = SetFile, c.path(s.File)
		return out, nil
	case len(s.Values) > 0:
		items := make([]string, len(s.Values))
		for i, v := range s.Values {
			text, err := setItem(v)
			if err == nil {
				text, err = resolve(text)
			}
			if err != nil {
				return nil, err
			}
			items[i] = escapeSet(text)
		}
		out.Value = "{" + strings.Join(items, ",") + "}"
		return out, nil
	default:
		return nil, nil
	}
}

func setItem(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// escapeSet keeps Helm from reading braces and commas of a value as syntax.
func escapeSet(s string) string {
	return strings.NewReplacer("{", `\{`, "}", `\}`, ",", `\,`).Replace(s)
}

// repository makes the exported form of a repository. User and password come
// from NAME_USERNAME and NAME_PASSWORD where the file has none.
func (l *loader) repository(f *stateFile, r schema.Repository) Repository {
	prefix := strings.ToUpper(strings.ReplaceAll(r.Name, "-", "_"))
	fromEnv := func(own, name string) string {
		if own != "" {
			return own
		}
		v, _ := l.opts.LookupEnv(prefix + name)
		return v
	}
	abs := func(p string) string {
		if p == "" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(f.dir, p)
	}
	return Repository{
		Name: r.Name, URL: strings.TrimPrefix(r.URL, "oci://"), OCI: r.OCI || strings.HasPrefix(r.URL, "oci://"),
		Username: fromEnv(r.Username, "_USERNAME"), Password: fromEnv(r.Password, "_PASSWORD"),
		PassCredentials: r.PassCredentials, CAFile: abs(r.CAFile), CertFile: abs(r.CertFile), KeyFile: abs(r.KeyFile),
		SkipTLSVerify: r.SkipTLSVerify, PlainHTTP: r.PlainHTTP, RegistryConfig: abs(r.RegistryConfig),
		Verify: r.Verify, Keyring: abs(r.Keyring), Pos: posOf(r.Pos),
	}
}
