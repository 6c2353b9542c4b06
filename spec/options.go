package spec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
	"github.com/flotilla-sh/flotilla/spec/tmpl"
)

// LoadOptions say how state files are read. The zero value loads the default
// environment from the working directory and is safe.
type LoadOptions struct {
	Environment string // empty: "default"
	Namespace   string // forced on all releases
	KubeContext string // forced on all releases
	Chart       string // forced on all releases

	StateValuesFiles     []string // --state-values-file; relative to the state file, as in helmfile
	StateValuesSet       []string // --state-values-set
	StateValuesSetString []string // --state-values-set-string
	ReleaseValues        []string // --values: the last file layer of every release; relative to its state file
	ReleaseSet           []string // --set: Helm's strvals, on top of everything

	// Helm is what the command line says about releases: it beats the
	// helmDefaults of a file and yields to what a release says itself.
	Helm HelmOptions

	// Selectors leave out nested files that cannot match, without loading
	// them. Leave it empty when needs outside the selection matter.
	Selectors []string

	IgnoreLock  bool // take chart versions as declared, although a lock file of helmfile says others
	IgnorePins  bool // take charts and sources as they are, although flotilla's lock file pins others
	NoExec      bool // templates may not start programs
	NoFileOrder bool // --file-order none
	Sequential  bool // the files of a folder come one after another, in order of name

	Dir       string    // what paths and discovery start from; empty: the working directory
	CacheDir  string    // remote sources; empty: the user's cache folder
	Stdin     io.Reader // read for the path "-"; nil: os.Stdin
	LookupEnv func(string) (string, bool)
	Warn      func(string) // gets warnings, in order; nil: they are dropped

	// Secrets decrypts and fetches what this process cannot by itself; nil:
	// that is an error. ClusterData reads a Secret or ConfigMap for references
	// to them; nil: the helper does. Both must be safe for concurrent use.
	Secrets     SecretHelper
	ClusterData func(ctx context.Context, from ClusterObject) (map[string]string, error)

	// GotSource is told what each remote source that was fetched holds, by its
	// name; nil: nobody asks. It must be safe for concurrent use.
	GotSource func(name string, is source.Pin)

	// Edited are files that are read as if they held this, by the paths that they
	// are opened with. Templates and references read them as they are.
	Edited map[string][]byte

	ReadFiles *ReadFiles // gets to know every local file that is read; nil: nobody asks

	Redactor *Redactor // gets to know every secret that is met; nil: one of its own
}

// HelmOptions stand between the helmDefaults of a file and a release's own
// keys; the zero value says nothing. Source: the order of the cases in
// pkg/state/helmx.go of helmfile.
type HelmOptions struct {
	PostRenderer     string
	PostRendererArgs []string
	SuppressLines    []string // regular expressions of diff lines to hide
	Cascade          string
	ServerSide       string
	Track            Track // Mode, Timeout, Logs, FailedLogs and FailOnError
}

// over puts the options over the defaults of a file, for options.
func (h HelmOptions) over(d schema.HelmDefaults) schema.HelmDefaults {
	text := func(own string, otherwise *string) *string {
		if own != "" {
			return &own
		}
		return otherwise
	}
	d.PostRenderer = text(h.PostRenderer, d.PostRenderer)
	d.PostRendererArgs = orList(h.PostRendererArgs, d.PostRendererArgs)
	d.SuppressOutputLineRegex = orList(h.SuppressLines, d.SuppressOutputLineRegex)
	d.Cascade = text(h.Cascade, d.Cascade)
	d.ServerSide = text(h.ServerSide, d.ServerSide)
	d.TrackMode = orText(h.Track.Mode, d.TrackMode)
	return d
}

// DefaultEnvironment is the environment of a run that names none; no file
// needs to define it.
const DefaultEnvironment = "default"

func (o LoadOptions) withDefaults() (LoadOptions, error) {
	if o.Environment == "" {
		o.Environment = DefaultEnvironment
	}
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Redactor == nil {
		o.Redactor = &Redactor{}
	}
	if o.Stdin == nil {
		o.Stdin = os.Stdin
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("finding the working directory: %w", err)
	}
	o.Dir = dir
	return o, nil
}

// posOf turns a place of the schema into one of ours.
func posOf(p schema.Pos) Pos { return Pos{File: p.File, Line: p.Line, Col: p.Col} }

// mistake makes an error of the user.
func mistake(pos schema.Pos, field string, err error) error {
	return &Error{Pos: posOf(pos), Field: field, Err: err}
}

// asErrors turns every mistake of the packages below into an *Error. What has
// no place of its own gets the given one.
func asErrors(err error, pos schema.Pos, field string) error {
	if err == nil {
		return nil
	}
	var ours *Error
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		var all []error
		for _, one := range e.Unwrap() {
			all = append(all, asErrors(one, pos, field))
		}
		return errors.Join(all...)
	case *schema.Mistake:
		if e.Field != "" {
			field = e.Field
		}
		return mistake(e.Pos, field, e.Err)
	case *tmpl.Error:
		return mistake(schema.Pos{File: e.File, Line: e.Line, Col: e.Col}, "", e.Err)
	}
	if errors.As(err, &ours) {
		return err
	}
	return mistake(pos, field, err)
}
