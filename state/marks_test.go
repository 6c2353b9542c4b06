package state

import (
	"fmt"
	"testing"

	"github.com/flotilla-sh/flotilla/spec"
)

func TestNeedsOfARecord(t *testing.T) {
	id := func(namespace, name string) spec.ReleaseID {
		return spec.ReleaseID{Context: "here", Namespace: namespace, Name: name}
	}
	var needs []spec.Need
	for _, name := range []string{"db", "queue", "db"} {
		needs = append(needs, spec.Need{ID: id("shop", name)})
	}
	value := NeedsValue(needs)
	if !isLabelValue(value) || value != NeedsValue([]spec.Need{needs[1], needs[0]}) {
		t.Errorf("the value %q is no label, or depends on the order of needs", value)
	}
	for _, tt := range []struct {
		name string
		id   spec.ReleaseID
		want bool
	}{
		{"one of them", id("shop", "db"), true},
		{"another one", id("shop", "queue"), true},
		{"by another name of the context", spec.ReleaseID{Context: "there", Namespace: "shop", Name: "db"}, true},
		{"in another namespace", id("other", "db"), false},
		{"none of them", id("shop", "web"), false},
	} {
		if Needed(value, tt.id) != tt.want {
			t.Errorf("%s: not %t", tt.name, tt.want)
		}
	}
	if NeedsValue(nil) != "" || Needed("", id("shop", "db")) {
		t.Error("no needs are some")
	}
	for i := range 50 {
		needs = append(needs, spec.Need{ID: id("shop", fmt.Sprint(i))})
	}
	if value := NeedsValue(needs); !isLabelValue(value) || len(value) > 63 {
		t.Errorf("the value %q of many needs is no label", value)
	}
}
