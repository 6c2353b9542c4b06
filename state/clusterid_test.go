package state

import (
	"strings"
	"testing"
)

func TestOtherClusters(t *testing.T) {
	was := ClusterID{Context: "prod", UID: "1", Server: "https://a", CA: "sha256:a", Records: "secrets"}
	with := func(change func(*ClusterID)) ClusterID {
		c := was
		change(&c)
		return c
	}
	blind := with(func(c *ClusterID) { c.UID = "" })
	tests := []struct {
		name     string
		was, now ClusterID
		want     string // empty: the same
	}{
		{"the same", was, was, ""},
		{"the same, reached in another way", was, with(func(c *ClusterID) { c.Server, c.CA = "https://b", "" }), ""},
		{"another one behind the same address", was, with(func(c *ClusterID) { c.UID = "2" }), "leads to another one"},
		{"nobody may look, and nothing else differs", blind, blind, ""},
		{"who plans may not look", blind, was, ""},
		{"who applies may not look", was, blind, ""},
		{"another address, and who applies may not look", was, with(func(c *ClusterID) { c.UID, c.Server = "", "https://b" }), "leads to https://b now; that both are one cluster cannot be seen, since the namespace kube-system may not be read by this user"},
		{"another authority, and who planned may not look", blind, with(func(c *ClusterID) { c.CA = "sha256:b" }), "another certificate authority now; that both are one cluster cannot be seen, since the namespace kube-system may not be read by the user who planned"},
		{"another authority, and nobody may look", blind, with(func(c *ClusterID) { c.UID, c.CA = "", "sha256:b" }), "may not be read"},
		{"records in another place", was, with(func(c *ClusterID) { c.Records = "configmaps" }), "HELM_DRIVER says configmaps now"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.was.Other(tt.now); !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("got %q, want %q in it", got, tt.want)
			}
		})
	}
}
