package cli

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

// helmText is what --args and its like say, and which lists of helmDefaults the
// command heeds. What the command line says stands in place of the file's
// list, save for args, of which both hold. Source: pkg/app GetArgs and
// pkg/state append*Flags of helmfile.
type helmText struct {
	args, diff, sync, template string
	heeds                      []helmList
	acts                       bool // the command works on the cluster; one that heeds listSync does, too
}

// helmList names a list of Helm's flags in helmDefaults, beside args.
type helmList string

const (
	listDiff     helmList = "diffArgs"
	listShow     helmList = "diffArgs, as far as they say what is shown"
	listSync     helmList = "syncArgs"
	listTemplate helmList = "templateArgs"

	// Of templateArgs helmfile installs nothing, but its diff shows them. Here
	// what is shown is what is installed, and what has no effect is named.
	listRender helmList = "templateArgs, as far as they say what is shown"
)

// helmCall is what flags of Helm ask for.
type helmCall struct {
	changes []func(*spec.Release)
	shows   []func(*planLook)
	lines   []string // regular expressions of differing lines not to show

	server      bool // ask the cluster, though the command would not
	debug       bool
	includeCRDs bool
	skipTests   bool
	noHooks     bool
	strict      bool // lint: warnings are errors
	showOnly    []string
	kubeconfig  string // absolute; empty: not said
	context     string // empty: not said

	simulate string // a flag that asks Helm to change nothing; empty: there is none

	unknown []string
}

// errSimulate says that a simulation was asked of a command that has none.
// helmfile hands the flag on, so that Helm simulates and helmfile tells that it
// is done.
var errSimulate = errors.New("this command changes the cluster and does not simulate: flotilla diff shows what it would do")

// parse reads the flags that hold for the releases of a file.
func (h helmText) parse(file spec.File) (helmCall, error) {
	p := &argsParser{dir: file.Dir, known: knownFlags(), every: true}
	err := p.all(h.args, file.HelmArgs.Args)
	p.every = false
	for _, list := range h.heeds {
		if err != nil {
			break
		}
		switch list {
		case listDiff:
			err = p.either(h.diff, file.HelmArgs.DiffArgs)
		case listShow:
			err = p.showsOf(h.diff, file.HelmArgs.DiffArgs)
		case listSync:
			err = p.either(h.sync, file.HelmArgs.SyncArgs)
		case listTemplate:
			err = p.either(h.template, file.HelmArgs.TemplateArgs)
		case listRender:
			p.changed = nil
			if err = p.showsOf(h.template, file.HelmArgs.TemplateArgs); err == nil {
				p.call.unknown = append(p.call.unknown, p.changed...)
			}
		default:
			err = fmt.Errorf("%q is no list of helmDefaults", list)
		}
	}
	if err == nil && p.call.simulate != "" && (h.acts || slices.Contains(h.heeds, listSync)) {
		err = fmt.Errorf("%s: %w", p.call.simulate, errSimulate)
	}
	if err != nil {
		return helmCall{}, fmt.Errorf("%s: flags of helm: %w", file.Path, err)
	}
	return p.call, nil
}

// helmFlag is a flag of helm or helm-diff that is known here.
type helmFlag struct {
	bare bool   // it needs no value
	then string // the value of a bare flag that has none
	do   func(p *argsParser, value string) error
}

type argsParser struct {
	dir     string // what relative paths start from
	known   map[string]helmFlag
	call    helmCall
	changed []string // flags that change releases and say nothing of showing
	every   bool     // the flags are for every command of helm, uninstall included
}

func (p *argsParser) either(cli string, file []string) error {
	if cli != "" {
		return p.all(cli, nil)
	}
	return p.all("", file)
}

// showsOf heeds of flags for comparing what they say of showing: the rest would
// change what is installed.
func (p *argsParser) showsOf(cli string, file []string) error {
	before := p.call
	err := p.either(cli, file)
	before.shows, before.lines, before.unknown = p.call.shows, p.call.lines, p.call.unknown
	p.call = before
	return err
}

// all reads flags as helmfile passes them on: the text is cut at spaces, quotes
// mean nothing.
func (p *argsParser) all(cli string, file []string) error {
	if err := p.words(strings.Fields(cli)); err != nil {
		return err
	}
	return p.words(strings.Fields(strings.Join(file, " ")))
}

func (p *argsParser) words(words []string) error {
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		if !strings.HasPrefix(word, "-") {
			continue // the value of an unknown flag
		}
		name, value, has := strings.Cut(word, "=")
		f, ok := p.known[name]
		switch {
		case !ok:
			p.call.unknown = append(p.call.unknown, name)
			continue
		case has:
		case f.bare:
			value = f.then
		case len(words) == 0:
			return fmt.Errorf("%s needs a value", name)
		default:
			value, words = words[0], words[1:]
		}
		changes, shows := len(p.call.changes), len(p.call.shows)
		if err := f.do(p, value); err != nil {
			return fmt.Errorf("%s=%s: %w", name, value, err)
		}
		if len(p.call.changes) > changes && len(p.call.shows) == shows {
			p.changed = append(p.changed, name)
		}
	}
	return nil
}

func (p *argsParser) change(f func(*spec.Release)) { p.call.changes = append(p.call.changes, f) }

// knownFlags is the table of flags: those of helm's commands, then helm-diff's.
func knownFlags() map[string]helmFlag {
	all := map[string]helmFlag{}
	for _, part := range []map[string]helmFlag{valueFlags(), optionFlags(), chartFlags(), outputFlags(), targetFlags(), heldFlags()} {
		maps.Copy(all, part)
	}
	return all
}

func valueFlags() map[string]helmFlag {
	set := func(kind spec.SetKind) helmFlag {
		return helmFlag{do: func(p *argsParser, value string) error {
			v := spec.SetValue{Kind: kind, Value: value}
			if kind != spec.SetRaw && kind != spec.SetJSON {
				v.Name, v.Value, _ = strings.Cut(value, "=")
			}
			if kind == spec.SetFile && !filepath.IsAbs(v.Value) {
				v.Value = filepath.Join(p.dir, v.Value)
			}
			p.change(func(r *spec.Release) { r.Set = append(slices.Clip(r.Set), v) })
			return nil
		}}
	}
	values := helmFlag{do: func(p *argsParser, value string) error {
		for path := range strings.SplitSeq(value, ",") {
			if !filepath.IsAbs(path) && !strings.Contains(path, "://") {
				path = filepath.Join(p.dir, path)
			}
			p.change(func(r *spec.Release) { r.Values = append(slices.Clip(r.Values), spec.ValuesSource{Path: path}) })
		}
		return nil
	}}
	return map[string]helmFlag{
		"--set": set(spec.SetRaw), "--set-string": set(spec.SetString), "--set-literal": set(spec.SetLiteral),
		"--set-file": set(spec.SetFile), "--set-json": set(spec.SetJSON), "--values": values, "-f": values,
	}
}

// yes is a flag without a value that sets a field; =false is heeded.
func yes(field func(*spec.Release) *bool) helmFlag {
	return helmFlag{bare: true, then: "true", do: func(p *argsParser, value string) error {
		on, err := strconv.ParseBool(value)
		p.change(func(r *spec.Release) { *field(r) = on })
		return err
	}}
}

func text(field func(*spec.Release) *string) helmFlag {
	return helmFlag{do: func(p *argsParser, value string) error {
		p.change(func(r *spec.Release) { *field(r) = value })
		return nil
	}}
}

func list(field func(*spec.Release) *[]string) helmFlag {
	return helmFlag{do: func(p *argsParser, value string) error {
		p.change(func(r *spec.Release) { *field(r) = append(slices.Clip(*field(r)), value) })
		return nil
	}}
}

func optionFlags() map[string]helmFlag {
	type option = func(*spec.Release) *bool
	all := map[string]helmFlag{
		"--timeout":            {do: timeout},
		"--history-max":        {do: historyMax},
		"--wait":               {bare: true, then: "true", do: wait},
		"--dry-run":            {bare: true, then: "client", do: dryRun},
		"--server-side":        {bare: true, then: "true", do: serverSide},
		"--reset-values":       {bare: true, then: "true", do: resetValues},
		"--description":        text(func(r *spec.Release) *string { return &r.Options.Description }),
		"--cascade":            {do: cascade},
		"--labels":             {do: recordLabels},
		"--kube-version":       text(func(r *spec.Release) *string { return &r.Options.KubeVersion }),
		"--post-renderer":      text(func(r *spec.Release) *string { return &r.Options.PostRenderer }),
		"--post-renderer-args": list(func(r *spec.Release) *[]string { return &r.Options.PostRendererArgs }),
		"--api-versions":       list(func(r *spec.Release) *[]string { return &r.Options.APIVersions }),
	}
	all["-a"], all["-l"] = all["--api-versions"], all["--labels"]
	for name, field := range map[string]option{
		"--wait-for-jobs":           func(r *spec.Release) *bool { return &r.Options.WaitForJobs },
		"--atomic":                  func(r *spec.Release) *bool { return &r.Options.RollbackOnFailure },
		"--rollback-on-failure":     func(r *spec.Release) *bool { return &r.Options.RollbackOnFailure },
		"--cleanup-on-fail":         func(r *spec.Release) *bool { return &r.Options.CleanupOnFail },
		"--create-namespace":        func(r *spec.Release) *bool { return &r.Options.CreateNamespace },
		"--force":                   func(r *spec.Release) *bool { return &r.Options.ForceReplace },
		"--force-replace":           func(r *spec.Release) *bool { return &r.Options.ForceReplace },
		"--force-conflicts":         func(r *spec.Release) *bool { return &r.Options.ForceConflicts },
		"--reset-then-reuse-values": func(r *spec.Release) *bool { return &r.Options.ResetThenReuseValues },
		"--reuse-values":            func(r *spec.Release) *bool { return &r.Options.ReuseValues },
		"--skip-crds":               func(r *spec.Release) *bool { return &r.Options.SkipCRDs },
		"--take-ownership":          func(r *spec.Release) *bool { return &r.Options.TakeOwnership },
		"--skip-schema-validation":  func(r *spec.Release) *bool { return &r.Options.SkipSchemaValidation },
		"--enable-dns":              func(r *spec.Release) *bool { return &r.Options.EnableDNS },
	} {
		all[name] = yes(field)
	}
	return all
}

func timeout(p *argsParser, value string) error {
	d, err := time.ParseDuration(value)
	if n, bad := strconv.Atoi(value); bad == nil {
		d, err = seconds(n), nil // helm refuses it, people write it
	}
	every := p.every
	p.change(func(r *spec.Release) {
		r.Options.Timeout = d
		if every {
			r.Options.DeleteTimeout = d
		}
	})
	return err
}

func historyMax(p *argsParser, value string) error {
	n, err := strconv.Atoi(value)
	p.change(func(r *spec.Release) { r.Options.HistoryMax = n })
	return err
}

// wait takes the strategies of Helm 4, too.
func wait(p *argsParser, value string) error {
	if !slices.Contains([]string{"true", "false", "watcher", "legacy", "hookOnly"}, value) {
		return errors.New("expected true, false, watcher, legacy or hookOnly")
	}
	on, every := value != "false" && value != "hookOnly", p.every
	p.change(func(r *spec.Release) {
		r.Options.Wait = on
		if every {
			r.Options.DeleteWait = on
		}
		if value == "legacy" {
			r.Options.Track.Mode = "helm-legacy"
		}
	})
	return nil
}

func cascade(p *argsParser, value string) error {
	if !slices.Contains([]string{"background", "foreground", "orphan"}, value) {
		return errors.New("expected background, foreground or orphan")
	}
	p.change(func(r *spec.Release) { r.Options.Cascade = value })
	return nil
}

func dryRun(p *argsParser, value string) error {
	switch value {
	case "none", "false":
		p.call.simulate = ""
		return nil
	case "server":
		p.call.server = true
	case "client", "true", "unchanged":
	default:
		return errors.New("expected none, client or server")
	}
	p.call.simulate = "--dry-run=" + value
	return nil
}

func serverSide(p *argsParser, value string) error {
	if !slices.Contains([]string{"true", "false", "auto"}, value) {
		return errors.New("expected true, false or auto")
	}
	p.change(func(r *spec.Release) { r.Options.ServerSide = value })
	return nil
}

func resetValues(p *argsParser, value string) error {
	on, err := strconv.ParseBool(value)
	if on {
		p.change(func(r *spec.Release) { r.Options.ReuseValues = false })
	}
	return err
}

// recordLabels reads name=value,... as pflag's StringToString does.
func recordLabels(p *argsParser, value string) error {
	labels := map[string]string{}
	for pair := range strings.SplitSeq(value, ",") {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("expected name=value, not %q", pair)
		}
		labels[name] = text
	}
	p.change(func(r *spec.Release) {
		all := maps.Clone(labels)
		for name, text := range r.Options.RecordLabels {
			if _, ok := all[name]; !ok {
				all[name] = text
			}
		}
		r.Options.RecordLabels = all
	})
	return nil
}

func chartFlags() map[string]helmFlag {
	return map[string]helmFlag{
		"--version":                  text(func(r *spec.Release) *string { return &r.Chart.Version }),
		"--keyring":                  text(func(r *spec.Release) *string { return &r.Chart.Keyring }),
		"--devel":                    yes(func(r *spec.Release) *bool { return &r.Chart.Devel }),
		"--verify":                   yes(func(r *spec.Release) *bool { return &r.Chart.Verify }),
		"--plain-http":               yes(func(r *spec.Release) *bool { return &r.Chart.PlainHTTP }),
		"--insecure-skip-tls-verify": yes(func(r *spec.Release) *bool { return &r.Chart.InsecureSkipTLSVerify }),
	}
}
