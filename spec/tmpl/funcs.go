package tmpl

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"text/template"

	"github.com/Masterminds/sprig/v3"

	"github.com/flotilla-sh/flotilla/spec/program"
)

// maxDepth is how deep include may nest, helmfile's number.
const maxDepth = 1000

// maxFile bounds what readFile and a started program may give.
const maxFile = 32 << 20

// ErrDisabled says that a function is switched off for this run.
var ErrDisabled = errors.New("this function is disabled")

// sprig gives the functions of sprig; its get moves to sprigGet, because
// helmfile has its own, and those that read the environment ask opts.
func (r *Renderer) sprig() template.FuncMap {
	funcs := sprig.TxtFuncMap()
	maps.Copy(funcs, Bounded())
	funcs["sprigGet"] = funcs["get"]
	if derive, ok := funcs["derivePassword"].(func(uint32, string, string, string, string) string); ok {
		funcs["derivePassword"] = r.remembering(derive)
	}
	getenv := func(name string) string {
		v, _ := r.opts.LookupEnv(name)
		return v
	}
	funcs["env"] = getenv
	funcs["expandenv"] = func(s string) string { return os.Expand(s, getenv) }
	return funcs
}

// derivation is what a derived password depends on.
type derivation struct {
	counter                    uint32
	kind, password, user, site string
}

// remembering gives derivePassword a memory for the life of the Renderer. It is
// slow on purpose (scrypt, 0.1 s and more), its result depends on nothing but
// its arguments, and every nested file that takes the same base asks again.
func (r *Renderer) remembering(derive func(uint32, string, string, string, string) string) any {
	return func(counter uint32, kind, password, user, site string) string {
		once, _ := r.derived.LoadOrStore(derivation{counter, kind, password, user, site}, sync.OnceValue(func() string {
			return derive(counter, kind, password, user, site)
		}))
		return once.(func() string)()
	}
}

// funcs gives the functions of helmfile, bound to one run.
func (r *run) funcs() template.FuncMap {
	return template.FuncMap{
		"requiredEnv":      r.requiredEnv,
		"required":         required,
		"exec":             r.exec,
		"envExec":          r.envExec,
		"isFile":           r.isFile,
		"isDir":            r.isDir,
		"readFile":         r.readFile,
		"readDir":          r.readDir,
		"readDirEntries":   r.readDirEntries,
		"toYaml":           r.toYaml,
		"fromYaml":         r.fromYaml,
		"setValueAtPath":   setValueAtPath,
		"get":              get,
		"getOrNil":         getOrNil,
		"tpl":              r.tpl,
		"include":          r.include,
		"fetchSecretValue": r.fetchSecretValue,
		"expandSecretRefs": r.expandSecretRefs,
		enterName:          r.enterTemplate,
		leaveName:          r.leaveTemplate,
	}
}

// insecure refuses what HELMFILE_DISABLE_INSECURE_* switches off.
func (r *run) insecure() error {
	for _, name := range []string{"HELMFILE_DISABLE_INSECURE_FEATURES", "HELMFILE_DISABLE_INSECURE_TEMPLATE_FUNCTIONS"} {
		if v, _ := r.opts.LookupEnv(name); v != "" {
			if on, _ := strconv.ParseBool(v); on {
				return fmt.Errorf("%w by %s", ErrDisabled, name)
			}
		}
	}
	return nil
}

func (r *run) requiredEnv(name string) (string, error) {
	if v, _ := r.opts.LookupEnv(name); v != "" {
		return v, nil
	}
	return "", fmt.Errorf("the environment variable %s is not set", name)
}

func required(message string, v any) (any, error) {
	if s, ok := v.(string); v == nil || ok && s == "" {
		return nil, errors.New(message)
	}
	return v, nil
}

func (r *run) exec(command string, args []any, input ...string) (string, error) {
	return r.envExec(nil, command, args, input...)
}

// envExec starts a program in the template's folder and gives its output. The
// error holds what it printed on stderr, never the environment it was given.
func (r *run) envExec(env map[string]any, command string, args []any, input ...string) (string, error) {
	if err := r.insecure(); err != nil {
		return "", err
	}
	if r.opts.NoExec {
		return "", fmt.Errorf("%w: no programs may be started", ErrDisabled)
	}
	words := make([]string, len(args))
	for i, a := range args {
		s, ok := a.(string)
		if !ok {
			return "", fmt.Errorf("argument %d of %s is a %T, expected a string", i+1, command, a)
		}
		words[i] = s
	}
	cmd := exec.CommandContext(r.ctx, command, words...)
	cmd.Dir = r.dir
	if len(env) > 0 {
		cmd.Env = os.Environ()
		for k, v := range env {
			s, ok := v.(string)
			if !ok {
				return "", fmt.Errorf("environment variable %s is a %T, expected a string", k, v)
			}
			cmd.Env = append(cmd.Env, k+"="+s)
		}
		sort.Strings(cmd.Env[len(os.Environ()):])
	}
	if len(input) > 0 {
		cmd.Stdin = strings.NewReader(input[0])
	}
	var out, stderr limited
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := program.Run(r.ctx, cmd, program.Grace); err != nil {
		return "", fmt.Errorf("running %s: %w: %s", command, err, strings.TrimSpace(stderr.String()))
	}
	return out.String(), nil
}

// limited is a buffer that refuses to grow without bound.
type limited struct{ strings.Builder }

// Write fails once the limit is passed, which ends the program that writes.
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxFile {
		return 0, ErrTooLarge
	}
	return l.Builder.Write(p)
}

func (r *run) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.dir, name)
}

func (r *run) isFile(name string) (bool, error) {
	info, err := r.stat(name)
	return info != nil && !info.IsDir(), err
}

func (r *run) isDir(name string) (bool, error) {
	info, err := r.stat(name)
	return info != nil && info.IsDir(), err
}

// stat gives nil for what is not there.
func (r *run) stat(name string) (fs.FileInfo, error) {
	info, err := os.Stat(r.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

func (r *run) readFile(name string) (string, error) {
	if err := r.insecure(); err != nil {
		return "", err
	}
	path := r.path(name)
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxFile {
		return "", fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	text, err := os.ReadFile(path)
	if err == nil {
		r.opts.Read(path, text)
	}
	return string(text), err
}

// readDir lists the files of a folder, without folders, as paths that start
// with the given name.
func (r *run) readDir(name string) ([]string, error) {
	entries, err := r.readDirEntries(name)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() {
			files = append(files, filepath.Join(name, e.Name()))
		}
	}
	return files, nil
}

func (r *run) readDirEntries(name string) ([]fs.DirEntry, error) {
	if err := r.insecure(); err != nil {
		return nil, err
	}
	return os.ReadDir(r.path(name))
}

func (r *run) toYaml(v any) (string, error) { return r.opts.EncodeYAML(v) }

func (r *run) fromYaml(text string) (any, error) { return r.opts.DecodeYAML(text) }

// tpl renders a text with the partials and functions of the running template.
func (r *run) tpl(text string, data any) (string, error) {
	if err := r.enter("tpl"); err != nil {
		return "", err
	}
	defer r.leave("tpl")
	t, err := r.tmpl.Clone()
	if err != nil {
		return "", err
	}
	t, err = t.New("tpl").Parse(text)
	if err != nil {
		return "", err
	}
	guard(t, t.Name())
	var out limited
	if err := t.Execute(&out, data); err != nil {
		return "", err
	}
	return out.String(), nil
}

// include executes a named template.
func (r *run) include(name string, data any) (string, error) {
	if err := r.enter(name); err != nil {
		return "", err
	}
	defer r.leave(name)
	var out limited
	if err := r.tmpl.ExecuteTemplate(&out, name, data); err != nil {
		return "", err
	}
	return out.String(), nil
}

func (r *run) enter(name string) error {
	if r.depth[name] >= maxDepth {
		return &recursion{name}
	}
	r.depth[name]++
	return r.ctx.Err()
}

// recursion is told alone: the library repeats every call that led there.
type recursion struct{ name string }

// Error names the template that calls itself.
func (e *recursion) Error() string {
	return fmt.Sprintf("%s includes itself more than %d times", e.name, maxDepth)
}

func (r *run) leave(name string) { r.depth[name]-- }

// fetchSecretValue resolves the references in one text.
func (r *run) fetchSecretValue(ref string) (string, error) {
	v, err := r.secret(ref)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("the reference stands for a %T, fetchSecretValue gives strings: use expandSecretRefs", v)
	}
	return s, nil
}

// expandSecretRefs resolves the references in a map; values take the types of
// what they stand for.
func (r *run) expandSecretRefs(in map[string]any) (map[string]any, error) {
	v, err := r.secret(in)
	if err != nil {
		return nil, err
	}
	m, _ := v.(map[string]any)
	return m, nil
}

func (r *run) secret(v any) (any, error) {
	if r.opts.Secret == nil {
		return nil, errors.New("secret references are not supported here")
	}
	return r.opts.Secret(r.ctx, v)
}
