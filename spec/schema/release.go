package schema

// Release is one entry of releases, or of templates.
type Release struct {
	Pos                        Pos               `yaml:"-"`
	Chart                      string            `yaml:"chart,omitempty"`
	ChartPath                  string            `yaml:"chartPath,omitempty"`
	Directory                  string            `yaml:"directory,omitempty"`
	Version                    string            `yaml:"version,omitempty"`
	Verify                     *bool             `yaml:"verify,omitempty"`
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
	UpdateStrategy             string            `yaml:"updateStrategy,omitempty" schema:"unsupported"`
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
	Dependencies               []any             `yaml:"dependencies,omitempty" schema:"unsupported"`
	JSONPatches                []any             `yaml:"jsonPatches,omitempty" schema:"unsupported"`
	StrategicMergePatches      []any             `yaml:"strategicMergePatches,omitempty" schema:"unsupported"`
	Transformers               []any             `yaml:"transformers,omitempty" schema:"unsupported"`
	Adopt                      []string          `yaml:"adopt,omitempty" schema:"unsupported"`
	ForceGoGetter              bool              `yaml:"forceGoGetter,omitempty"`
	ForceNamespace             string            `yaml:"forceNamespace,omitempty" schema:"unsupported"`
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
	TrackMode                  string            `yaml:"trackMode,omitempty" schema:"unsupported"`
	TrackTimeout               *int              `yaml:"trackTimeout,omitempty" schema:"unsupported"`
	TrackLogs                  *bool             `yaml:"trackLogs,omitempty" schema:"unsupported"`
	TrackFailedLogs            *bool             `yaml:"trackFailedLogs,omitempty" schema:"unsupported"`
	HelmStuckGrace             *int              `yaml:"helmStuckGrace,omitempty" schema:"unsupported"`
	TrackKinds                 []string          `yaml:"trackKinds,omitempty" schema:"unsupported"`
	SkipKinds                  []string          `yaml:"skipKinds,omitempty" schema:"unsupported"`
	TrackResources             []any             `yaml:"trackResources,omitempty" schema:"unsupported"`
	KubedogQPS                 any               `yaml:"kubedogQPS,omitempty" schema:"unsupported"`
	KubedogBurst               *int              `yaml:"kubedogBurst,omitempty" schema:"unsupported"`
	TrackFailOnError           *bool             `yaml:"trackFailOnError,omitempty" schema:"unsupported"`
	ContinueOnError            *bool             `yaml:"continueOnError,omitempty" schema:"unsupported"`
	// AtomicGroup is flotilla's own: releases of one group are undone together.
	AtomicGroup string `yaml:"atomicGroup,omitempty"`
}
