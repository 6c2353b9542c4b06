package engine

import (
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// NotReady says why an object, as it was read from the cluster, is not what a
// wait for its release would wait for; empty: it is. A nil object does not
// exist. Jobs are ready once they have started, and not when they have failed.
func NotReady(object map[string]any) string {
	var read *unstructured.Unstructured
	if object != nil {
		read = &unstructured.Unstructured{Object: object}
	}
	v := judgeReady(read)
	switch {
	case v.status == status.CurrentStatus:
		return ""
	case v.message == "":
		return string(v.status)
	default:
		return v.message
	}
}
