package spec

import (
	"strings"
	"time"
)

// ReleaseID names one release in one cluster. It is comparable and is the key
// of every map over releases. Context and Namespace are empty until the state
// file or Spec.Bind says them.
type ReleaseID struct {
	Context   string
	Namespace string
	Name      string
}

// String prints the id as context/namespace/name, as needs are written in a
// state file: without leading empty parts, but ctx//name keeps its place.
func (id ReleaseID) String() string {
	switch {
	case id.Context != "":
		return id.Context + "/" + id.Namespace + "/" + id.Name
	case id.Namespace != "":
		return id.Namespace + "/" + id.Name
	default:
		return id.Name
	}
}

// Compare orders ids by context, namespace and name.
func (id ReleaseID) Compare(other ReleaseID) int {
	if c := strings.Compare(id.Context, other.Context); c != 0 {
		return c
	}
	if c := strings.Compare(id.Namespace, other.Namespace); c != 0 {
		return c
	}
	return strings.Compare(id.Name, other.Name)
}

// Release is one desired Helm release: defaults, inheritance and templates are
// already applied, so no stage after Load needs another source for it. It is a
// value: nobody changes it after Load.
type Release struct {
	ID    ReleaseID
	Pos   Pos // where the release is declared
	File  int // index into Spec.Files
	Index int // index into Spec.Releases: the order of declaration

	Chart     Chart
	Labels    map[string]string // without name, namespace and chart, which selectors add
	Installed bool              // false: uninstall it where it exists
	Enabled   bool              // false: its condition is false, so it is left alone
	Needs     []Need
	// AtomicGroup: releases of one group are undone together; empty: in none.
	AtomicGroup string

	Values  []ValuesSource // file layers, lowest first
	Set     []SetValue     // on top of all file layers, lowest first
	Options Options
	Hooks   []Hook

	// Verify are the gates that an install or upgrade has to pass before anything
	// that needs the release starts; GroupVerify those of its AtomicGroup, passed
	// when all of its members are done.
	Verify      []Gate
	GroupVerify []Gate

	Customize Customization // changes to the chart's output before it is installed
	UnitTests []string      // folders of unit tests, relative to the chart
}

// Need is an edge to a release that must be ready first.
type Need struct {
	ID  ReleaseID
	Pos Pos
}

// Chart says where a chart comes from. Ref is as written in the state file,
// after templating: repo/chart, a folder, an archive, oci://, https:// or a
// go-getter URL.
type Chart struct {
	Ref        string
	Declared   string      // Ref before the key chart of the file, or --chart, replaced it
	Version    string      // a version or a semver range; empty: newest
	Asked      string      // Version before a lock file pinned it
	Digest     string      // sha256:... that its content is held to; empty: nothing is pinned
	Dir        string      // absolute folder that a relative Ref starts from
	Repository *Repository // the declared repository that Ref's prefix names; nil if none

	Devel                 bool // newest may be a pre-release
	Verify                bool // check provenance
	Keyring               string
	PlainHTTP             bool
	InsecureSkipTLSVerify bool
	SkipDeps              bool // take charts/ as it is
}

// Repository is a chart repository (index.yaml) or an OCI registry path.
type Repository struct {
	Name            string
	URL             string // OCI: host/path without scheme
	OCI             bool
	Username        string
	Password        string
	PassCredentials bool
	CAFile          string
	CertFile        string
	KeyFile         string
	SkipTLSVerify   bool
	PlainHTTP       bool
	RegistryConfig  string // OCI: a registry credentials file; empty: Helm's
	Verify          bool
	Keyring         string
	Pos             Pos
}

// ValuesSource is one layer of a release's values, not loaded yet. Exactly one
// of Path and Inline is set.
type ValuesSource struct {
	Path   string // absolute path or go-getter URL
	Inline map[string]any
	Secret bool // encrypted: it is decrypted before anything else is done to it
	Pos    Pos
}

// Customization says how what a chart renders is changed before anything else
// sees it, and what is added to the chart. The zero value changes nothing.
// Source of its rules: github.com/helmfile/chartify.
type Customization struct {
	Dependencies   []Dependency // charts to add, each under the condition NAME.enabled
	ForceNamespace string       // namespace of objects that name none

	// Patches and transformers of kustomize, in this order; each entry is a
	// file or an inline map and is not loaded yet.
	JSONPatches           []ValuesSource
	StrategicMergePatches []ValuesSource
	Transformers          []ValuesSource
}

// Dependency is a chart that a release adds to the dependencies of its own.
type Dependency struct {
	Chart      string      // as Chart.Ref
	Version    string      // a version or a range; empty: newest
	Asked      string      // as of Chart
	Digest     string      // as of Chart
	Alias      string      // empty: the chart's name
	Repository *Repository // the declared repository that Chart's prefix names; nil if none
	Pos        Pos
}

// SetValue is one --set of Helm.
type SetValue struct {
	Kind  SetKind
	Name  string // path in Helm's strvals syntax
	Value string // for SetFile: the file's absolute path
	Pos   Pos
}

// SetKind says how Helm reads a SetValue.
type SetKind string

// The kinds of set that Helm knows, and Raw: Value is a whole strvals
// expression as given on the command line (name=value,...), Name is empty. JSON
// has no Name either: Value is a JSON object, or name=JSON,...
const (
	SetTyped   SetKind = "set"
	SetString  SetKind = "set-string"
	SetFile    SetKind = "set-file"
	SetRaw     SetKind = "set-raw"
	SetLiteral SetKind = "set-literal"
	SetJSON    SetKind = "set-json"
)

// Options are the ways in which Helm is told to work on one release. Zero
// value: Helm's own defaults, except where a field says otherwise.
type Options struct {
	Wait                 bool
	WaitForJobs          bool
	Timeout              time.Duration // of one operation; zero: 300 s
	RollbackOnFailure    bool          // atomic
	CleanupOnFail        bool
	ForceReplace         bool
	ForceConflicts       bool
	ServerSide           string // "true", "false", "auto" or empty for auto
	TakeOwnership        bool
	HistoryMax           int  // revisions kept; zero: unlimited
	CreateNamespace      bool // helmfile's default is true, Load applies it
	SkipCRDs             bool
	SkipSchemaValidation bool
	EnableDNS            bool
	ReuseValues          bool
	DisableHooks         bool
	Description          string
	Cascade              string // "background", "foreground", "orphan" or empty for background
	DeleteWait           bool
	DeleteTimeout        time.Duration     // zero: 300 s
	ResetThenReuseValues bool              // put the values on top of those that the user gave the deployed revision
	SyncLabels           bool              // put Release.Labels on the Helm release record
	RecordLabels         map[string]string // more labels for the record, above those of the release
	APIVersions          []string          // offline rendering
	KubeVersion          string            // offline rendering
	PostRenderer         string            // executable or Helm 4 plugin
	PostRendererArgs     []string
	UpdateStrategy       string // "reinstallIfForbidden" or empty: never reinstall
	ContinueOnError      bool   // its failure is told, but fails nothing that does not need it
	Track                Track
	SuppressDiff         bool
	SuppressLines        []string // regular expressions of diff lines to hide
}

// Track says which objects a wait looks at and what it shows. The zero value
// waits for every object, and only where Wait asks for it.
type Track struct {
	Mode        string        // "helm", "helm-legacy" or "kubedog"; empty: "helm". kubedog waits although Wait is false
	Timeout     time.Duration // of the wait; zero: Options.Timeout
	Logs        bool          // show the logs of the pods that are waited for
	FailedLogs  bool          // show the last log lines of pods that fail
	FailOnError bool          // a wait that fails under kubedog fails the release; otherwise it is a warning
	Kinds       []string      // only these kinds; empty: all
	SkipKinds   []string
	Resources   []TrackResource // only these objects; empty: all
}

// TrackResource names objects; empty fields match all.
type TrackResource struct{ Kind, Name, Namespace string }

// HookEvent is a moment in a run at which lifecycle hooks fire.
type HookEvent string

// The lifecycle events of helmfile.
const (
	EventPrepare       HookEvent = "prepare"
	EventPreApply      HookEvent = "preapply"
	EventPreSync       HookEvent = "presync"
	EventPostSync      HookEvent = "postsync"
	EventPreUninstall  HookEvent = "preuninstall"
	EventPostUninstall HookEvent = "postuninstall"
	EventCleanup       HookEvent = "cleanup"
)

// Hook is a lifecycle hook: a program that flotilla starts at some events.
// Command and Args are templates that are rendered when it fires.
type Hook struct {
	Name         string
	Events       []HookEvent
	Command      string
	Args         []string
	ShowLogs     bool
	KubectlApply map[string]string // filename or kustomize; nil: none
	Pos          Pos
}
