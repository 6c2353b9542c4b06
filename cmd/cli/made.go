package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/schema"
)

// ofTheRun are the flags that say how a run goes and what it shows. All others
// say what is wanted, which a saved plan has decided.
func ofTheRun() []string {
	return []string{
		"output", "context", "skip-diff-on-install", "suppress", "suppress-secrets", "suppress-diff", "show-secrets",
		"side-by-side", "fold-labels", "identity", "report", "report-limit",
		"concurrency", "concurrency-per-cluster", "concurrency-per-namespace", "run-timeout", "grace", "retries",
		"rollback", "keep-going", "skip-gates", "detailed-exitcode", "out", "encrypt-to", "replan", "lock", "lock-timeout", "journal",
		"kubeconfig", "no-exec", "cache-dir", "interactive", "color", "no-color", "log-level", "quiet", "debug",
	}
}

// made tells how this plan was asked for, to ask for it once more.
func (s *session) made(f *fleet) (plan.Made, error) {
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return plan.Made{}, fmt.Errorf("finding the working folder: %w", err)
	}
	m := plan.Made{Dir: dir}
	if len(f.spec.Files) > 0 {
		m.File = f.spec.Files[len(f.spec.Files)-1].Path // what it nests comes before it
	}
	for _, flag := range flagsOf(s.parser.Model.Node, "plan") {
		if values := valuesOf(flag); values != nil && !flag.Hidden && !slices.Contains(ofTheRun(), flag.Name) {
			m.Flags = append(m.Flags, plan.Flag{Name: flag.Name, Values: values})
		}
	}
	slices.SortFunc(m.Flags, func(a, b plan.Flag) int { return strings.Compare(a.Name, b.Name) })
	return m, nil
}

// flagsOf gives the flags that a command takes.
func flagsOf(root *kong.Node, command string) []*kong.Flag {
	flags := slices.Clone(root.Flags)
	if node := childOf(root, command); node != nil {
		flags = append(flags, node.Flags...)
	}
	return flags
}

// valuesOf writes what a flag was set to, by whatever it was set; nil: it is at
// its default.
func valuesOf(flag *kong.Flag) []string {
	target := flag.Target
	if target.Kind() == reflect.Slice {
		var all []string
		for i := range target.Len() {
			all = append(all, target.Index(i).String())
		}
		return all
	}
	var text, otherwise string
	switch {
	case target.Kind() == reflect.String:
		text = target.String()
	case target.Kind() == reflect.Bool:
		text, otherwise = strconv.FormatBool(target.Bool()), "false"
	case target.CanInt():
		text, otherwise = strconv.FormatInt(target.Int(), 10), "0"
	}
	if flag.HasDefault {
		otherwise = flag.Default
	}
	if text == otherwise {
		return nil
	}
	return []string{text}
}

// again gives the session and command of the plan that was made that way, with
// this run's own ways of running. -f of this run names other state files.
func (s *session) again(made plan.Made) (*session, *planCmd, error) {
	var g grammar
	env := s.env
	env.Lookup = func(string) (string, bool) { return "", false } // what variables said is among the flags
	parser, err := newParser(&g, env, func(int) {})
	if err != nil {
		return nil, nil, fmt.Errorf("building the command line: %w", err)
	}
	args := []string{"plan"}
	given := map[string]bool{}
	for _, flag := range made.Flags {
		given[flag.Name] = true
		for _, value := range flag.Values {
			args = append(args, "--"+flag.Name+"="+value)
		}
	}
	if _, err := parser.Parse(args); err != nil {
		return nil, nil, errors.New("planning anew: this version of flotilla does not know all flags that the plan was made with; plan anew") // err may quote a value
	}
	own := s.globals
	g.Kubeconfig, g.NoExec, g.CacheDir, g.Interactive = own.Kubeconfig, own.NoExec, own.CacheDir, own.Interactive
	g.Color, g.NoColor, g.LogLevel, g.Quiet, g.Debug = own.Color, own.NoColor, own.LogLevel, own.Quiet, own.Debug
	next := *s
	next.globals, next.parser, next.command, next.given = &g.Globals, parser, "plan", given
	next.dir, next.reads = made.Dir, &spec.ReadFiles{}
	return &next, &g.Plan, next.starting(own.File, s.given["file"], made)
}

// starting finds out where the state files are: where they were, or what this
// run names.
func (s *session) starting(file string, given bool, made plan.Made) error {
	if given {
		s.globals.File, s.dir = file, ""
		return nil
	}
	if made.File == "-" {
		return fmt.Errorf("%w: the plan was made of a state file from standard input: name the file with -f", errUsage)
	}
	if _, err := os.Stat(made.File); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the plan was made of %s, which is not here: name the state file with -f", errUsage, made.File)
	}
	return nil
}

// reread reads the files of a saved plan that nothing has read this time, such
// as values of releases that did not move: they may not be what they were.
func (s *session) reread(saved *plan.Saved) {
	if s.dir == "" {
		return // these are other folders
	}
	seen := map[string]bool{}
	for _, one := range s.reads.All() {
		seen[one.Path] = true
	}
	for _, one := range saved.Files {
		info, err := os.Stat(one.Path)
		if seen[one.Path] || err != nil || !info.Mode().IsRegular() || info.Size() > schema.MaxBytes {
			continue
		}
		if content, err := os.ReadFile(one.Path); err == nil {
			s.reads.Add(one.Path, content)
		}
	}
}

// sourceFiles names the local files of a plan.
func (s *session) sourceFiles(f *fleet) ([]plan.SourceFile, error) {
	for _, r := range f.releases {
		for _, set := range r.Set {
			if set.Kind != spec.SetFile {
				continue
			}
			content, err := os.ReadFile(set.Value) // Helm reads these
			if err != nil {
				return nil, err
			}
			s.reads.Add(set.Value, content)
		}
	}
	cache := s.cacheDir("sources") + string(filepath.Separator)
	var files []plan.SourceFile
	for _, one := range s.reads.All() {
		if !strings.HasPrefix(one.Path, cache) {
			files = append(files, plan.SourceFile{Path: one.Path, Digest: one.Digest})
		}
	}
	return files, nil
}

// origin is what a saved plan tells of the run that made it.
func (c *planCmd) origin(ctx context.Context, t *tools, f *fleet, p planned) (plan.Origin, error) {
	s := t.session
	from := plan.Origin{
		Flotilla: s.env.Version.Flotilla, Created: s.env.Now(),
		Policy: plan.SavedPolicy{ForcePending: c.ForcePending, NoHooks: p.noHooks, Against: c.Against},
	}
	var err error
	if from.Owner, err = f.spec.Owner(); err != nil {
		return from, err
	}
	if from.Made, err = s.made(f); err != nil {
		return from, err
	}
	if from.Files, err = s.sourceFiles(f); err != nil {
		return from, err
	}
	if from.Hooks, err = s.lifecycleOf(f.spec, "apply").freeze(ctx, p.Plan); err != nil {
		return from, err
	}
	if from.Clusters, err = t.clusters.Identify(ctx, writing(p.Plan)); err != nil {
		return from, interrupted(ctx, err)
	}
	from.Secrets = s.secrets.met.Known() // those of hooks, too
	return from, nil
}

// writing are the releases that a plan writes to.
func writing(p *plan.Plan) []spec.ReleaseID {
	var ids []spec.ReleaseID
	for _, s := range p.Steps {
		if s.Action.Writes() {
			ids = append(ids, s.Release.ID)
		}
	}
	return ids
}

// sameClusters refuses a plan whose contexts lead to other clusters here. For
// that nothing in them has to have moved.
func (s *session) sameClusters(ctx context.Context, saved *plan.Saved) error {
	now, err := s.clusters().Identify(ctx, saved.Touched())
	if err != nil {
		return interrupted(ctx, err)
	}
	if err := saved.Elsewhere(now); err != nil {
		return errors.Join(errors.New("the plan was made for another cluster: nothing was written; plan anew"), err)
	}
	return nil
}
