package schema

// Release is one entry of releases, or of templates.
type Release struct {
	Pos                        Pos               `yaml:"-"`
	Chart                      string            `yaml:"chart,omitempty"`
	ChartPath                  string            `yaml:"chartPath,omitempty"`
	Directory                  string            `yaml:"directory,omitempty"`
	Version                    string            `yaml:"version,omitempty"`
	Verify                     *Verify           `yaml:"verify,omitempty"`
	Keyring                    string            `yaml:"keyring,omitempty"`
	EnableDNS                  *bool             `yaml:"enableDNS,omitempty"`
	Devel                      *bool             `yaml:"devel,omitempty"`
	Wait                       *bool             `yaml:"wait,omitempty"`
	WaitRetries                *int              `yaml:"waitRetries,omitempty"`
	WaitForJobs                *bool             `yaml:"waitForJobs,omitempty"`
	Timeout                    *int              `yaml:"timeout,omitempty"`
	RecreatePods               *bool             `yaml:"recreatePods,omitempty"`
	Force                      *bool             `yaml:"force,omitempty"`
	Installed                  *bool             `yaml:"installed,omitempty"`
	UpdateStrategy             string            `yaml:"updateStrategy,omitempty"`
	Atomic                     *bool             `yaml:"atomic,omitempty"`
	RollbackOnFailure          *bool             `yaml:"rollbackOnFailure,omitempty"`
	CleanupOnFail              *bool             `yaml:"cleanupOnFail,omitempty"`
	ForceConflicts             *bool             `yaml:"forceConflicts,omitempty"`
	HistoryMax                 *int              `yaml:"historyMax,omitempty"`
	Condition                  string            `yaml:"condition,omitempty"`
	CreateNamespace            *bool             `yaml:"createNamespace,omitempty"`
	ReuseValues                *bool             `yaml:"reuseValues,omitempty"`
	DisableOpenAPIValidation   *bool             `yaml:"disableOpenAPIValidation,omitempty"`
	DisableValidation          *bool             `yaml:"disableValidation,omitempty"`
	DisableValidationOnInstall *bool             `yaml:"disableValidationOnInstall,omitempty"`
	MissingFile                *string           `yaml:"missingFileHandler,omitempty"`
	MissingConfig              *MissingConfig    `yaml:"missingFileHandlerConfig,omitempty"`
	Needs                      []Text            `yaml:"needs,omitempty"`
	Hooks                      []Hook            `yaml:"hooks,omitempty"`
	UnitTests                  []string          `yaml:"unitTests,omitempty"`
	Name                       string            `yaml:"name,omitempty"`
	Description                string            `yaml:"description,omitempty"`
	Namespace                  string            `yaml:"namespace,omitempty"`
	Labels                     map[string]string `yaml:"labels,omitempty"`
	Values                     []Entry           `yaml:"values,omitempty"`
	Secrets                    []Entry           `yaml:"secrets,omitempty"`
	Set                        []SetValue        `yaml:"set,omitempty"`
	SetString                  []SetValue        `yaml:"setString,omitempty"`
	ValuesTemplate             []Entry           `yaml:"valuesTemplate,omitempty"`
	SetTemplate                []SetValue        `yaml:"setTemplate,omitempty"`
	APIVersions                []string          `yaml:"apiVersions,omitempty"`
	KubeVersion                string            `yaml:"kubeVersion,omitempty"`
	Env                        []SetValue        `yaml:"env,omitempty"`
	ValuesPathPrefix           string            `yaml:"valuesPathPrefix,omitempty"`
	KubeContext                string            `yaml:"kubeContext,omitempty"`
	InsecureSkipTLSVerify      bool              `yaml:"insecureSkipTLSVerify,omitempty"`
	PlainHTTP                  bool              `yaml:"plainHttp,omitempty"`
	VerifyTemplate             *string           `yaml:"verifyTemplate,omitempty"`
	WaitTemplate               *string           `yaml:"waitTemplate,omitempty"`
	InstalledTemplate          *string           `yaml:"installedTemplate,omitempty"`
	ConditionTemplate          *string           `yaml:"conditionTemplate,omitempty"`
	Dependencies               []Dependency      `yaml:"dependencies,omitempty"`
	JSONPatches                []Entry           `yaml:"jsonPatches,omitempty"`
	StrategicMergePatches      []Entry           `yaml:"strategicMergePatches,omitempty"`
	Transformers               []Entry           `yaml:"transformers,omitempty"`
	Adopt                      []string          `yaml:"adopt,omitempty"`
	ForceGoGetter              bool              `yaml:"forceGoGetter,omitempty"`
	ForceNamespace             string            `yaml:"forceNamespace,omitempty"`
	SkipDeps                   *bool             `yaml:"skipDeps,omitempty"`
	SkipRefresh                *bool             `yaml:"skipRefresh,omitempty"`
	ResolveOCIVersions         *bool             `yaml:"resolveOCIVersions,omitempty"`
	PostRenderer               *string           `yaml:"postRenderer,omitempty"`
	SkipSchemaValidation       *bool             `yaml:"skipSchemaValidation,omitempty"`
	PostRendererArgs           []string          `yaml:"postRendererArgs,omitempty"`
	Cascade                    *string           `yaml:"cascade,omitempty"`
	SuppressOutputLineRegex    []string          `yaml:"suppressOutputLineRegex,omitempty"`
	NoDetectedKubeVersion      *bool             `yaml:"disableAutoDetectedKubeVersionForDiff,omitempty"`
	Inherit                    Inherits          `yaml:"inherit,omitempty"`
	SuppressDiff               *bool             `yaml:"suppressDiff,omitempty"`
	DeleteWait                 *bool             `yaml:"deleteWait,omitempty"`
	DeleteTimeout              *int              `yaml:"deleteTimeout,omitempty"`
	SyncReleaseLabels          *bool             `yaml:"syncReleaseLabels,omitempty"`
	TakeOwnership              *bool             `yaml:"takeOwnership,omitempty"`
	ServerSide                 *string           `yaml:"serverSide,omitempty"`
	TrackMode                  string            `yaml:"trackMode,omitempty"`
	TrackTimeout               *int              `yaml:"trackTimeout,omitempty"`
	TrackLogs                  *bool             `yaml:"trackLogs,omitempty"`
	TrackFailedLogs            *bool             `yaml:"trackFailedLogs,omitempty"`
	HelmStuckGrace             *int              `yaml:"helmStuckGrace,omitempty"`
	TrackKinds                 []string          `yaml:"trackKinds,omitempty"`
	SkipKinds                  []string          `yaml:"skipKinds,omitempty"`
	TrackResources             []TrackResource   `yaml:"trackResources,omitempty"`
	KubedogQPS                 *float64          `yaml:"kubedogQPS,omitempty"`
	KubedogBurst               *int              `yaml:"kubedogBurst,omitempty"`
	TrackFailOnError           *bool             `yaml:"trackFailOnError,omitempty"`
	ContinueOnError            *bool             `yaml:"continueOnError,omitempty"`
	// AtomicGroup is flotilla's own: releases of one group are undone together.
	AtomicGroup string `yaml:"atomicGroup,omitempty"`
}

// Dependency is a chart that a release adds to the dependencies of its own.
type Dependency struct {
	Pos     Pos    `yaml:"-"`
	Chart   string `yaml:"chart,omitempty"`
	Version string `yaml:"version,omitempty"`
	Alias   string `yaml:"alias,omitempty"`
}

// TrackResource names an object whose readiness counts; empty fields match all.
type TrackResource struct {
	Pos       Pos    `yaml:"-"`
	Kind      string `yaml:"kind,omitempty"`
	Name      string `yaml:"name,omitempty"`
	Namespace string `yaml:"namespace,omitempty"`
}
