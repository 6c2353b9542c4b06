package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/view"
	"github.com/flotilla-sh/flotilla/cmd/view/report"
	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/spec"
)

// reportFlags are flags of the commands that plan, change or compare.
type reportFlags struct {
	Report      []string `sep:"none" placeholder:"FORMAT=FILE" help:"Write what came out into a file, also when the command fails; may be repeated. Formats: json, junit, markdown, prometheus, sarif. FILE - is stdout, and everything else goes to stderr then."`
	ReportLimit int      `default:"60000" placeholder:"BYTES" help:"Size of a report in markdown; whole details are left out beyond it."`
}

// leastReport is the smallest limit that has room for more than the counts of
// what is left out.
const leastReport = 2000

// toStdout is the file that means the standard output.
const toStdout = "-"

// reportTarget is one report that was asked for.
type reportTarget struct {
	format report.Format
	file   string
}

// reports are those that a run is to write. Nil: none.
type reports struct {
	*report.Collector
	targets []reportTarget
	limit   int
	out     io.Writer // the process's own standard output
	now     func() time.Time
}

// reports are those of the command that runs; the others have none.
func (g *grammar) reports(env Env, given map[string]bool) (*reports, error) {
	r := &reports{out: env.Streams.Out, now: env.Now}
	var errs []error
	for _, flags := range g.reportFlags() {
		for _, typed := range flags.Report {
			target, err := parseReport(typed)
			errs = append(errs, err)
			if err == nil && slices.ContainsFunc(r.targets, func(t reportTarget) bool { return t.file == target.file }) {
				errs = append(errs, fmt.Errorf("--report %s: another report goes to %s already", typed, target.file))
			}
			r.targets, r.limit = append(r.targets, target), flags.ReportLimit
		}
	}
	switch {
	case len(r.targets) == 0:
		return nil, nil
	case r.limit < leastReport:
		errs = append(errs, fmt.Errorf("--report-limit %d: expected at least %d bytes", r.limit, leastReport))
	case given["show-secrets"]:
		errs = append(errs, errors.New("--show-secrets and --report exclude each other: reports are read by others"))
	}
	return r, errors.Join(errs...)
}

// reportFlags are those of all commands that have them.
func (g *grammar) reportFlags() []reportFlags {
	return []reportFlags{
		g.Apply.reportFlags, g.Sync.reportFlags, g.Diff.reportFlags, g.Plan.reportFlags, g.Destroy.reportFlags,
		g.Drift.reportFlags, g.Resume.reportFlags, g.Rollback.reportFlags,
	}
}

// parseReport reads FORMAT=FILE and makes sure that the file can be written, for
// at the end it is too late to say so.
func parseReport(typed string) (reportTarget, error) {
	name, file, ok := strings.Cut(typed, "=")
	if !ok || file == "" {
		return reportTarget{}, fmt.Errorf("--report %s: expected FORMAT=FILE, such as json=report.json", typed)
	}
	t := reportTarget{report.Format(name), file}
	if !slices.Contains(report.Formats(), t.format) {
		return t, fmt.Errorf("--report %s: unknown format %q: expected %s", typed, name, report.Names())
	}
	if err := t.probe(); err != nil {
		return t, fmt.Errorf("--report %s: %w", typed, err)
	}
	return t, nil
}

// stdout reports whether a report goes to the standard output.
func (r *reports) stdout() bool {
	return r != nil && slices.ContainsFunc(r.targets, func(t reportTarget) bool { return t.file == toStdout })
}

// streams leaves the standard output to a report that goes there.
func (r *reports) streams(s view.Streams) view.Streams {
	if r.stdout() {
		s.Out, s.Color, s.Columns = s.Err, s.ErrColor, nil
	}
	return s
}

// collect is a view that also keeps what reports tell.
func (r *reports) collect(v view.View, env Env, command string, g *Globals) view.View {
	if r == nil {
		return v
	}
	r.Collector = report.Collect(v)
	r.Tell(func(run *report.Run) {
		run.Command, run.Environment, run.Flotilla = strings.Fields(command)[0], g.Environment, env.Version.Flotilla
	})
	return r.Collector
}

// loaded takes whose releases these are, and where they are declared.
func (r *reports) loaded(s *spec.Spec) {
	if r == nil || s == nil {
		return
	}
	owner, err := s.Owner()
	if err != nil {
		owner = spec.Owner{} // whoever needs it says why there is none
	}
	r.Tell(func(run *report.Run) {
		run.Owner = owner.ID
		if len(s.Files) > 0 {
			run.StateFile = s.Files[len(s.Files)-1].Path // what it nests comes before it
		}
	})
}

// bound takes the place of every release, by its full name.
func (r *reports) bound(f *fleet) {
	if r == nil || f == nil {
		return
	}
	declared := make(map[spec.ReleaseID]spec.Pos, len(f.spec.Releases))
	for _, one := range f.spec.Releases {
		declared[one.ID] = one.Pos
	}
	r.Tell(func(run *report.Run) { run.Declared = declared })
}

// saved takes the same of a saved plan.
func (r *reports) saved(s *plan.Saved) {
	if r == nil {
		return
	}
	r.Tell(func(run *report.Run) {
		run.Owner, run.Environment, run.StateFile = s.Owner.ID, "", s.Made.File
		if s.Made.Dir == "" {
			return // of a version that did not say
		}
		run.Environment = "default"
		for _, flag := range s.Made.Flags {
			if flag.Name == "environment" && len(flag.Values) > 0 {
				run.Environment = flag.Values[0]
			}
		}
	})
}

// planned takes a plan that no view is told of, because it is shown in words.
func (r *reports) planned(p *plan.Plan, opts view.PlanOptions) {
	if r == nil {
		return
	}
	r.Tell(func(run *report.Run) { run.Plan, run.Show = p, opts })
}

// write writes all reports of a command that ends with that exit code, and gives
// the exit code: one that is not written is a failure.
func (r *reports) write(v view.View, code int) int {
	if r == nil {
		return code
	}
	run := r.Run()
	run.ExitCode, run.Ended = code, r.now()
	var errs []error
	for _, t := range r.targets {
		if err := r.writeTo(t, run); err != nil {
			errs = append(errs, fmt.Errorf("writing the report %s=%s: %w", t.format, t.file, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		v.Error(err)
		if code == exitDone || code == exitChanges {
			return exitFailed
		}
	}
	return code
}

func (r *reports) writeTo(t reportTarget, run report.Run) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	opts := report.Options{Limit: r.limit, Dir: dir, Root: repositoryRoot(dir)}
	if err := report.Write(&b, t.format, run, opts); err != nil {
		return err
	}
	if t.file == toStdout {
		_, err := r.out.Write(b.Bytes())
		return err
	}
	return t.replace(b.Bytes())
}

// repositoryRoot is the work tree that a folder is in; the folder itself where it
// is in none.
func repositoryRoot(dir string) string {
	for at := dir; ; {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		up := filepath.Dir(at)
		if up == at {
			return dir
		}
		at = up
	}
}

// probe makes sure that the file can be written.
func (t reportTarget) probe() error {
	if t.file == toStdout {
		return nil
	}
	path, special, err := t.resolve()
	if err != nil || special {
		return err
	}
	made, err := beside(path)
	if err != nil {
		return err
	}
	return errors.Join(made.Close(), os.Remove(made.Name()))
}

// replace puts a file in its place, as a whole or not at all. A device or pipe
// is written to.
func (t reportTarget) replace(data []byte) error {
	path, special, err := t.resolve()
	if err != nil {
		return err
	}
	if special {
		return os.WriteFile(path, data, 0o644)
	}
	made, err := beside(path)
	if err != nil {
		return err
	}
	_, err = made.Write(data)
	if err = errors.Join(err, made.Close()); err == nil {
		err = os.Rename(made.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(made.Name()))
	}
	return nil
}

// resolve follows links, and tells what is no regular file.
func (t reportTarget) resolve() (path string, special bool, err error) {
	info, err := os.Stat(t.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t.file, false, nil
	case err != nil:
		return "", false, err
	case info.IsDir():
		return "", false, errors.New("it is a folder")
	case !info.Mode().IsRegular():
		return t.file, true, nil
	}
	path, err = filepath.EvalSymlinks(t.file)
	return path, false, err
}

// beside makes a file next to another one, for whoever the umask lets read it.
func beside(path string) (*os.File, error) {
	const tries = 100
	for n := 0; ; n++ {
		name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d-%d", filepath.Base(path), os.Getpid(), n))
		made, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if !errors.Is(err, fs.ErrExist) || n == tries {
			return made, err
		}
	}
}
