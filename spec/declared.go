package spec

// Declared gives every release that a selector matches, also those that their
// condition switches off, in order of declaration: what list shows. Needs and
// duplicates are not looked at. The error is ErrNothingMatched.
func (s *Spec) Declared(sel Selector) ([]Release, error) {
	var out []Release
	for _, r := range s.Releases {
		if s.matches(sel, r) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, s.nothing(sel)
	}
	return out, s.unlocked(out)
}
