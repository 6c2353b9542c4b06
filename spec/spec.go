// Package spec says what is wanted: it loads state files into one Spec of
// complete releases. It reads files and environment variables, and remote
// sources where a file names them; it never talks to a cluster.
package spec

import "fmt"

// Pos is a place in a file, 1-based; the zero value means unknown.
type Pos struct {
	File string
	Line int
	Col  int
}

// String prints file:line:col, leaving out what is unknown.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return ""
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
}

// Error is one mistake of the user in a state or values file.
type Error struct {
	Pos   Pos
	Field string // dotted path of the key, empty if the place says enough
	Err   error  // what is wrong, what was expected, what to do
}

// Error prints the place first, as compilers do.
func (e *Error) Error() string {
	s := ""
	if p := e.Pos.String(); p != "" {
		s = p + ": "
	}
	if e.Field != "" {
		s += e.Field + ": "
	}
	return s + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Spec is everything that one run wants, over all its state files.
type Spec struct {
	Environment string
	Files       []File    // children before their parent, siblings in listed order
	Releases    []Release // of all files, in the order of Files

	loaded *loaded // nil for a Spec that Load did not make
}

// File is one loaded state file.
type File struct {
	Path         string // absolute; "-" for standard input
	Dir          string // absolute folder that relative paths start from
	Parent       int    // index of the file that lists this one; -1 for a top file
	Depends      []int  // files whose releases come first by file order (children, earlier siblings)
	KubeContext  string
	Environment  Environment
	Values       map[string]any // merged state values: .Values of templates
	Repositories []Repository
	Hooks        []Hook // global: only prepare and cleanup fire
	APIVersions  []string
	KubeVersion  string
	HelmArgs     HelmArgs
	FileOrder    bool // its releases wait for those of Depends

	Owner          string // what Spec.Owner takes in place of the file's place
	StateNamespace string
	HistoryLimit   *int // nil: it says nothing

	DriftIgnores []DriftIgnore // of drift.ignore
	Promotion    Promotion     // its own; see PromotionOf

	Prune          string // true, false or empty; see Spec.Pruning
	DeletionBudget string // likewise

	Groups map[string][]Gate // gates of releases that share an AtomicGroup, by its name
}

// HelmArgs are the flags of Helm that helmDefaults of a file list as text.
type HelmArgs struct {
	Args         []string // for every call of Helm
	DiffArgs     []string // for comparing
	SyncArgs     []string // for installing and upgrading
	TemplateArgs []string // for rendering
}

// Environment is the selected environment as templates of one file see it.
type Environment struct {
	Name        string
	KubeContext string
	Values      map[string]any
}
