package chart

import (
	"cmp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// pick chooses from versions, newest first, as Helm does: an exact text wins,
// else the newest that the constraint admits. Empty want is the newest stable
// one. found is false if none fits.
func pick(versions []string, want string) (version string, found bool, err error) {
	if want != "" && slices.Contains(versions, want) {
		return want, true, nil
	}
	limit, err := semver.NewConstraint(cmp.Or(want, "*"))
	if err != nil {
		return "", false, fail(ErrNotFound, "%q is neither a version nor a range of versions", want)
	}
	for _, text := range versions {
		v, err := semver.NewVersion(text)
		if err == nil && limit.Check(v) {
			return text, true, nil
		}
	}
	return "", false, nil
}

// anyVersion is what Helm asks for when pre-releases are welcome.
const anyVersion = ">0.0.0-0"

// compatible reports whether version fits what a dependency wants; an empty
// want admits everything.
func compatible(want, version string) bool {
	if want == "" || want == version {
		return true
	}
	_, found, err := pick([]string{version}, want)
	return err == nil && found
}

// newestFirst compares versions; what is no version comes last.
func newestFirst(a, b string) int {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	switch {
	case errA != nil && errB != nil:
		return strings.Compare(a, b)
	case errA != nil:
		return 1
	case errB != nil:
		return -1
	default:
		return vb.Compare(va)
	}
}

// nearest gives up to five of versions, newest first: those around want if that
// is one version, else the newest.
func nearest(versions []string, want string) []string {
	const shown = 5
	if len(versions) <= shown {
		return versions
	}
	start := 0
	if _, err := semver.NewVersion(want); err == nil {
		at, _ := slices.BinarySearchFunc(versions, want, newestFirst)
		start = min(max(at-shown/2, 0), len(versions)-shown)
	}
	return versions[start : start+shown]
}

// onlyPreReleases reports whether there are versions and none is stable.
func onlyPreReleases(versions []string) bool {
	_, stable, _ := pick(versions, "")
	_, some, _ := pick(versions, anyVersion)
	return some && !stable
}

// similar gives up to three of names that want may be a slip of, best first.
func similar(names []string, want string) []string {
	type near struct {
		name string
		far  int
	}
	var found []near
	for _, n := range names {
		far := distance(n, want)
		if far <= max(2, len(want)/3) || len(want) > 2 && strings.Contains(n, want) {
			found = append(found, near{n, far})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.far, b.far), strings.Compare(a.name, b.name))
	})
	var out []string
	for _, n := range found[:min(3, len(found))] {
		out = append(out, n.name)
	}
	return out
}

// distance is the number of single-character edits between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
