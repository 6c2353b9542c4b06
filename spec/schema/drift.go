package schema

// Drift is flotilla's own: what the command drift is told.
type Drift struct {
	Ignore []DriftIgnore `yaml:"ignore,omitempty"`
}

// DriftIgnore is one entry of drift.ignore; see spec.DriftIgnore.
type DriftIgnore struct {
	Pos       Pos    `yaml:"-"`
	Kind      string `yaml:"kind,omitempty"`
	Name      string `yaml:"name,omitempty"`
	Namespace string `yaml:"namespace,omitempty"`
	Pointer   string `yaml:"pointer,omitempty"`
	Manager   string `yaml:"manager,omitempty"`
	Reason    string `yaml:"reason,omitempty"`
	Expires   string `yaml:"expires,omitempty"`
}
