package cli

import (
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

// override puts a command's flags on top of every release's options.
func (q changeRequest) override(releases []spec.Release) []spec.Release {
	changed := make([]spec.Release, len(releases))
	for i, r := range releases {
		q.helm.apply(&r.Options)
		if q.deleteWait {
			r.Options.DeleteWait = true
		}
		if q.deleteTimeout > 0 {
			r.Options.DeleteTimeout = time.Duration(q.deleteTimeout) * time.Second
		}
		changed[i] = r
	}
	return changed
}

func (h helmFlags) apply(o *spec.Options) {
	o.Wait = o.Wait || h.Wait
	o.WaitForJobs = o.WaitForJobs || h.WaitForJobs
	o.SkipCRDs = o.SkipCRDs || h.SkipCRDs
	o.TakeOwnership = o.TakeOwnership || h.TakeOwnership
	o.ReuseValues = o.ReuseValues || h.ReuseValues
	o.SkipSchemaValidation = o.SkipSchemaValidation || h.SkipSchemaValidation
	if h.Timeout > 0 {
		o.Timeout = time.Duration(h.Timeout) * time.Second
	}
	if h.Description != "" {
		o.Description = h.Description
	}
	if h.Cascade != "" {
		o.Cascade = h.Cascade
	}
}
