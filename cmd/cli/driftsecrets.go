package cli

// secrets learns which of the deployed values are secret, before anything of them
// is shown: nothing is resolved that could tell. Undeclared releases have no
// state file that could.
func (o *outlook) secrets() {
	for _, s := range o.sights {
		if last := s.subject.Have.Last(); last != nil {
			o.lookout.all.LearnDeployed(s.subject.Release, last.Values)
		}
	}
}
