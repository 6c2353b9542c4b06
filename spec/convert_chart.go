package spec

import (
	"fmt"

	"github.com/flotilla-sh/flotilla/spec/schema"
	"github.com/flotilla-sh/flotilla/spec/source"
)

// checkRepositories tells what managed repositories need: helmfile has az log
// in to those of Azure, and no such program is started here.
func (c *converter) checkRepositories() {
	for _, r := range c.file.state.Repositories {
		switch r.Managed {
		case "":
		case "acr":
			c.loader.opts.Warn(fmt.Sprintf("%s: repository %s is managed by acr, and the Azure CLI is not called: log in first, with az acr login --name %s or helm registry login", posOf(r.Pos), r.Name, r.Name))
		default:
			c.fail(r.Pos, "repositories."+r.Name+".managed", fmt.Errorf("unknown managed type %q, expected acr", r.Managed))
		}
	}
}

// checkGetter holds a release to its forceGoGetter: its chart must be a URL
// that is fetched, not a path or the name of a chart in a repository.
func (c *converter) checkGetter(r *schema.Release, ref string) {
	if r.ForceGoGetter && !source.IsRemote(ref) {
		c.fail(r.Pos, "releases."+r.Name+".forceGoGetter", fmt.Errorf("%q is no URL of the form that is fetched, such as git::https://HOST/REPOSITORY.git@PATH?ref=TAG", ref))
	}
}
