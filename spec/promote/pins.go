package promote

import (
	"fmt"
	"net/url"
	"os"
	"slices"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/lock"
)

// Pins carries the pins of charts along with their versions, from the source's
// part of the lock file to the target's. Left are the releases whose charts the
// source does not pin in the version that it runs, although the target pins its
// own: somebody has to look them up. A target that is not pinned has no pins to
// carry. Nil: the lock file stays as it is.
func Pins(to *spec.Spec, from string, moves []Placed) (file *File, left []spec.ReleaseID, err error) {
	path, is := to.Pinned()
	target, pinned := is.Environments[to.Environment]
	if !pinned {
		return nil, nil, nil
	}
	changed := false
	for _, m := range moves {
		if m.Kind != KindVersion || m.Hand != "" {
			continue
		}
		chart, version := m.Release.Chart, fmt.Sprint(m.Move.To)
		pin, ok := pinOf(is.Environments[from], chart, version)
		if !ok {
			left = append(left, m.Release.ID)
			continue
		}
		pin.Requested = version
		target.Charts = without(target.Charts, to, chart, pin)
		target.Charts = append(target.Charts, pin)
		changed = true
	}
	if !changed {
		return nil, left, nil
	}
	file = &File{Path: path}
	if file.Before, err = os.ReadFile(path); err != nil {
		return nil, nil, err
	}
	file.After, err = is.With(to.Environment, target).Encode()
	return file, left, err
}

// pinOf finds what an environment pins of a chart in one version.
func pinOf(env lock.Environment, chart spec.Chart, version string) (lock.Chart, bool) {
	repository := ""
	if chart.Repository != nil {
		repository = chart.Repository.URL
		if u, err := url.Parse(repository); err == nil && u.User != nil {
			u.User = nil
			repository = u.String()
		}
	}
	at := slices.IndexFunc(env.Charts, func(c lock.Chart) bool {
		return c.Chart == chart.Ref && c.Version == version && c.Repository == repository
	})
	if at < 0 {
		return lock.Chart{}, false
	}
	return env.Charts[at], true
}

// without leaves out the pin that comes, and the one that goes where no other
// release needs it.
func without(charts []lock.Chart, to *spec.Spec, chart spec.Chart, comes lock.Chart) []lock.Chart {
	users := 0
	for _, r := range to.Releases {
		if r.Installed && r.Chart.Ref == chart.Ref && r.Chart.Asked == chart.Asked {
			users++
		}
	}
	return slices.DeleteFunc(slices.Clone(charts), func(c lock.Chart) bool {
		if c.Chart != comes.Chart || c.Repository != comes.Repository {
			return false
		}
		return c.Requested == comes.Requested || c.Requested == chart.Asked && users == 1
	})
}

// DigestOf gives the digest that an environment pins of a chart; empty: none.
func DigestOf(of *spec.Spec, environment string, chart spec.Chart, version string) string {
	_, is := of.Pinned()
	pin, _ := pinOf(is.Environments[environment], chart, version)
	return pin.Digest
}
