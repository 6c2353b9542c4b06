package state

import "fmt"

// ClusterID says which cluster a context led to, so that another one under the
// same name is noticed.
type ClusterID struct {
	Context string
	UID     string // of the namespace kube-system; empty: the user may not read it
	Server  string // URL of the API server
	CA      string // digest of the certificates that it is trusted by; empty: the system's
	Records string // kind of objects that hold Helm's records: secrets or configmaps
}

// Other says why now is not the cluster that c is; empty: it is. Where both
// have a UID that alone decides, since one cluster may be reached in several
// ways; otherwise server and certificates have to be the same.
func (c ClusterID) Other(now ClusterID) string {
	switch {
	case c.UID != "" && now.UID != "" && c.UID != now.UID:
		return fmt.Sprintf("it led to the cluster at %s, and leads to another one, at %s, now (their kube-system namespaces differ)", c.Server, now.Server)
	case c.UID != "" && now.UID != "":
	case c.Server != now.Server:
		return fmt.Sprintf("it led to %s and leads to %s now; that both are one cluster cannot be seen, since the namespace kube-system may not be read%s", c.Server, now.Server, c.blind(now))
	case c.CA != now.CA:
		return fmt.Sprintf("it led to %s, which has another certificate authority now; that both are one cluster cannot be seen, since the namespace kube-system may not be read%s", c.Server, c.blind(now))
	}
	if c.Records != now.Records {
		return fmt.Sprintf("Helm's records were in %s, and HELM_DRIVER says %s now", c.Records, now.Records)
	}
	return ""
}

// blind says which of the two users may not look.
func (c ClusterID) blind(now ClusterID) string {
	switch {
	case c.UID != "":
		return " by this user"
	case now.UID != "":
		return " by the user who planned"
	default:
		return ""
	}
}
