package chart

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"

	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
)

// lockName is the file that pins the dependencies of a chart.
func lockName(head *chartv2.Chart) string {
	if head.Metadata.APIVersion == chartv2.APIVersionV1 {
		return "requirements.lock"
	}
	return "Chart.lock"
}

func declaredIn(head *chartv2.Chart) string {
	if head.Metadata.APIVersion == chartv2.APIVersionV1 {
		return "requirements.yaml"
	}
	return "Chart.yaml"
}

// checkLock compares the lock's digest with the declared dependencies as Helm
// does: over the JSON of what is declared (aliases resolved) and what is locked;
// charts of API version v1 may have been locked by Helm 2, over the former only,
// as written.
func checkLock(c content, head *chartv2.Chart, declared []*chartv2.Dependency) error {
	lock := head.Lock
	both, err := json.Marshal([2][]*chartv2.Dependency{declared, lock.Dependencies})
	if err != nil {
		return failFor(ErrInvalid, err, "chart %s", c.src)
	}
	if digestBytes(both) == lock.Digest {
		return nil
	}
	if head.Metadata.APIVersion == chartv2.APIVersionV1 {
		old, err := json.Marshal(map[string][]*chartv2.Dependency{"dependencies": head.Metadata.Dependencies})
		if err != nil {
			return failFor(ErrInvalid, err, "chart %s", c.src)
		}
		if digestBytes(old) == lock.Digest {
			return nil
		}
	}
	return fail(ErrLock, "chart %s: the lock %s is out of sync with the dependencies in %s%s: run `helm dependency update %s`",
		c.src, lockName(head), declaredIn(head), differences(lock.Dependencies, declared), filepath.Clean(c.dir))
}

// differences says what a reader of both files can see; nothing where only the
// digest tells.
func differences(locked, declared []*chartv2.Dependency) string {
	var out []string
	named := func(list []*chartv2.Dependency, name string) int {
		return slices.IndexFunc(list, func(d *chartv2.Dependency) bool { return d.Name == name })
	}
	for _, d := range declared {
		at := named(locked, d.Name)
		switch {
		case at < 0:
			out = append(out, d.Name+" is not locked")
		case !slices.ContainsFunc(locked, func(l *chartv2.Dependency) bool {
			return l.Name == d.Name && compatible(d.Version, l.Version)
		}):
			out = append(out, d.Name+" is locked at "+locked[at].Version+", but "+d.Version+" is declared")
		}
	}
	for _, l := range locked {
		if named(declared, l.Name) < 0 {
			out = append(out, l.Name+" is locked, but not declared")
		}
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, "; ") + ")"
}

// pinOf finds the locked version of a declared dependency: Helm locks them in
// order.
func pinOf(locked, declared []*chartv2.Dependency, i int) string {
	if i < len(locked) && locked[i].Name == declared[i].Name {
		return locked[i].Version
	}
	at := slices.IndexFunc(locked, func(l *chartv2.Dependency) bool { return l.Name == declared[i].Name })
	if at < 0 {
		return ""
	}
	return locked[at].Version
}
