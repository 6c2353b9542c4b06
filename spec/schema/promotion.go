package schema

// Promotion is flotilla's own: what moves between environments, and when; see
// spec.Promotion.
type Promotion struct {
	Pos   Pos    `yaml:"-"`
	Order []Text `yaml:"order,omitempty"`
	Soak  Text   `yaml:"soak,omitempty"`
	Allow []Text `yaml:"allow,omitempty"`
	Deny  []Text `yaml:"deny,omitempty"`
}
