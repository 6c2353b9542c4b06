package schema

// State is one state file, or a part of one. The tags are the keys of
// helmfile; the order and the omission of empty fields are those of what
// "build" prints.
type State struct {
	FilePath        string                 `yaml:"filepath"`
	HelmBinary      string                 `yaml:"helmBinary,omitempty"`
	KustomizeBinary string                 `yaml:"kustomizeBinary,omitempty"`
	Values          []Entry                `yaml:"values,omitempty"`
	Environments    map[string]Environment `yaml:"environments,omitempty"`
	Bases           []Text                 `yaml:"bases,omitempty"`
	HelmDefaults    HelmDefaults           `yaml:"helmDefaults,omitempty"`
	Helmfiles       []Nested               `yaml:"helmfiles,omitempty"`
	KubeContext     string                 `yaml:"kubeContext,omitempty"`
	Namespace       string                 `yaml:"namespace,omitempty"`
	Chart           string                 `yaml:"chart,omitempty"`
	Repositories    []Repository           `yaml:"repositories,omitempty"`
	CommonLabels    map[string]string      `yaml:"commonLabels,omitempty"`
	Releases        []Release              `yaml:"releases,omitempty"`
	LLM             map[string]any         `yaml:"llm,omitempty"`
	APIVersions     []string               `yaml:"apiVersions,omitempty"`
	KubeVersion     string                 `yaml:"kubeVersion,omitempty"`
	Hooks           []Hook                 `yaml:"hooks,omitempty"`
	Templates       map[string]Release     `yaml:"templates"`
	DefaultInherit  Names                  `yaml:"defaultInherit,omitempty"`
	MissingFile     *string                `yaml:"missingFileHandler,omitempty"`
	MissingConfig   *MissingConfig         `yaml:"missingFileHandlerConfig,omitempty"`
	LockFilePath    string                 `yaml:"lockFilePath,omitempty"`
	// FileOrder is flotilla's own: "none" or "listed".
	FileOrder string `yaml:"fileOrder,omitempty"`
	// Owner, StateNamespace and HistoryLimit are flotilla's own; see spec.Owner.
	Owner          string `yaml:"owner,omitempty"`
	StateNamespace string `yaml:"stateNamespace,omitempty"`
	HistoryLimit   *int   `yaml:"historyLimit,omitempty"`
	// Prune and DeletionBudget are flotilla's own; see spec.Pruning.
	Prune          *bool  `yaml:"prune,omitempty"`
	DeletionBudget string `yaml:"deletionBudget,omitempty"`
	// Groups is flotilla's own: gates of the releases that share an atomicGroup.
	Groups map[string]Group `yaml:"groups,omitempty"`
	// Drift is flotilla's own.
	Drift Drift `yaml:"drift,omitempty"`
	// Promotion is flotilla's own.
	Promotion Promotion `yaml:"promotion,omitempty"`
	// RenderedValues is written by "build" and ignored when read.
	RenderedValues map[string]any `yaml:"renderedvalues"`
}

// MissingConfig refines what a missing values file does.
type MissingConfig struct {
	IgnoreMissingGitBranch bool `yaml:"ignoreMissingGitBranch,omitempty"`
}

// Environment is one entry of environments.
type Environment struct {
	Pos           Pos            `yaml:"-"`
	Values        []Entry        `yaml:"values,omitempty"`
	Secrets       []Text         `yaml:"secrets,omitempty"`
	KubeContext   string         `yaml:"kubeContext,omitempty"`
	MissingFile   *string        `yaml:"missingFileHandler,omitempty"`
	MissingConfig *MissingConfig `yaml:"missingFileHandlerConfig,omitempty"`
	MergeStrategy string         `yaml:"mergeStrategy,omitempty"`
}

// Nested is one entry of helmfiles: a path, or a map.
type Nested struct {
	Pos                Pos      `yaml:"-"`
	Path               string   `yaml:"path,omitempty"`
	Selectors          []string `yaml:"selectors,omitempty"` // nil: not given
	SelectorsInherited bool     `yaml:"selectorsInherited,omitempty"`
	Inherits           []string `yaml:"inherits,omitempty"`
	Values             []Entry  `yaml:"values,omitempty"`
}

// Repository is one entry of repositories.
type Repository struct {
	Pos             Pos    `yaml:"-"`
	Name            string `yaml:"name,omitempty"`
	URL             string `yaml:"url,omitempty"`
	CAFile          string `yaml:"caFile,omitempty"`
	CertFile        string `yaml:"certFile,omitempty"`
	KeyFile         string `yaml:"keyFile,omitempty"`
	Username        string `yaml:"username,omitempty"`
	Password        string `yaml:"password,omitempty"`
	RegistryConfig  string `yaml:"registryConfig,omitempty"`
	Managed         string `yaml:"managed,omitempty"`
	OCI             bool   `yaml:"oci,omitempty"`
	Verify          bool   `yaml:"verify,omitempty"`
	Keyring         string `yaml:"keyring,omitempty"`
	PassCredentials bool   `yaml:"passCredentials,omitempty"`
	SkipTLSVerify   bool   `yaml:"skipTLSVerify,omitempty"`
	PlainHTTP       bool   `yaml:"plainHttp,omitempty"`
}

// HelmDefaults are the defaults of all releases of a file. Plain booleans and
// numbers cannot be set back to their zero by a later part; that is helmfile's
// rule.
type HelmDefaults struct {
	KubeContext              string   `yaml:"kubeContext,omitempty"`
	Args                     []string `yaml:"args,omitempty"`
	DiffArgs                 []string `yaml:"diffArgs,omitempty"`
	SyncArgs                 []string `yaml:"syncArgs,omitempty"`
	TemplateArgs             []string `yaml:"templateArgs,omitempty"`
	Verify                   bool     `yaml:"verify"`
	Keyring                  string   `yaml:"keyring,omitempty"`
	EnableDNS                bool     `yaml:"enableDNS"`
	SkipSchemaValidation     *bool    `yaml:"skipSchemaValidation,omitempty"`
	Devel                    bool     `yaml:"devel"`
	Wait                     bool     `yaml:"wait"`
	WaitRetries              int      `yaml:"waitRetries"`
	WaitForJobs              bool     `yaml:"waitForJobs"`
	Timeout                  int      `yaml:"timeout"`
	RecreatePods             bool     `yaml:"recreatePods"`
	Force                    bool     `yaml:"force"`
	Atomic                   bool     `yaml:"atomic"`
	RollbackOnFailure        bool     `yaml:"rollbackOnFailure"`
	CleanupOnFail            bool     `yaml:"cleanupOnFail,omitempty"`
	ForceConflicts           bool     `yaml:"forceConflicts"`
	HistoryMax               *int     `yaml:"historyMax,omitempty"`
	CreateNamespace          *bool    `yaml:"createNamespace,omitempty"`
	SkipCRDs                 bool     `yaml:"skipCRDs,omitempty"`
	SkipDeps                 bool     `yaml:"skipDeps"`
	SkipRefresh              bool     `yaml:"skipRefresh"`
	ResolveOCIVersions       *bool    `yaml:"resolveOCIVersions,omitempty"`
	ReuseValues              bool     `yaml:"reuseValues"`
	PostRenderer             *string  `yaml:"postRenderer,omitempty"`
	PostRendererArgs         []string `yaml:"postRendererArgs,omitempty"`
	Cascade                  *string  `yaml:"cascade,omitempty"`
	SuppressOutputLineRegex  []string `yaml:"suppressOutputLineRegex,omitempty"`
	NoDetectedKubeVersion    *bool    `yaml:"disableAutoDetectedKubeVersionForDiff,omitempty"`
	DisableValidation        *bool    `yaml:"disableValidation,omitempty"`
	DisableOpenAPIValidation *bool    `yaml:"disableOpenAPIValidation,omitempty"`
	InsecureSkipTLSVerify    bool     `yaml:"insecureSkipTLSVerify,omitempty"`
	PlainHTTP                bool     `yaml:"plainHttp,omitempty"`
	DeleteWait               bool     `yaml:"deleteWait,omitempty"`
	DeleteTimeout            int      `yaml:"deleteTimeout,omitempty"`
	SyncReleaseLabels        *bool    `yaml:"syncReleaseLabels,omitempty"`
	TakeOwnership            *bool    `yaml:"takeOwnership,omitempty"`
	ServerSide               *string  `yaml:"serverSide,omitempty"`
	TrackMode                string   `yaml:"trackMode,omitempty"`
	HelmStuckGrace           int      `yaml:"helmStuckGrace,omitempty"`
}

// Hook is one lifecycle hook.
type Hook struct {
	Pos      Pos               `yaml:"-"`
	Name     string            `yaml:"name"`
	Events   []string          `yaml:"events"`
	Command  string            `yaml:"command"`
	Kubectl  map[string]string `yaml:"kubectlApply,omitempty"`
	Args     []string          `yaml:"args"`
	ShowLogs bool              `yaml:"showlogs"`
}

// SetValue is one entry of set, setString, setTemplate or env.
type SetValue struct {
	Pos    Pos    `yaml:"-"`
	Name   string `yaml:"name,omitempty"`
	Value  string `yaml:"value,omitempty"`
	File   string `yaml:"file,omitempty"`
	Values []any  `yaml:"values,omitempty"`
}

// Inherit names a template and what not to take from it.
type Inherit struct {
	Pos      Pos      `yaml:"-"`
	Template string   `yaml:"template,omitempty"`
	Except   []string `yaml:"except,omitempty"`
}
