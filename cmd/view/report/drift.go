package report

import (
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/plan/live"
)

// driftText is one field, or object, that is not as it was deployed.
type driftText struct{ text, key string }

func driftTexts(d live.Drift) []driftText {
	object := d.Object.String()
	if len(d.Fields) == 0 {
		return []driftText{{object + " is not there", object}}
	}
	var all []driftText
	for _, f := range d.Fields {
		all = append(all, driftText{fieldText(object, f), object + " " + f.Path})
	}
	return all
}

func fieldText(object string, f live.Field) string {
	t := object + " " + strings.TrimPrefix(f.Path, ".")
	switch {
	case f.Was == "":
		t += " is " + f.Is + " and was not there"
	case f.Is == "":
		t += " was " + f.Was + " and is not there"
	default:
		t += " is " + f.Is + " and was " + f.Was
	}
	if f.By != "" {
		t += ", set by " + f.By
	}
	if !f.At.IsZero() {
		t += " at " + f.At.UTC().Format(time.RFC3339)
	}
	return t
}
