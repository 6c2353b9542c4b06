// Package stages holds what kwok does with nodes and Pods: stages of its own
// for nodes, and those that make Pods start, end and fail as their annotations
// say. It is data; kwok (package components) runs it.
package stages

import (
	_ "embed"
	"strings"

	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodeheartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat"
)

// The annotations of Pods that the stages read; the package comment of the
// command says what they do.
const (
	FailAnnotation  = "devcluster.flotilla.sh/fail"
	DelayAnnotation = "devcluster.flotilla.sh/delay"
	LogsAnnotation  = "devcluster.flotilla.sh/logs"
)

//go:embed pod-life.yaml
var podLife string

//go:embed pod-fail.yaml
var podFail string

// YAML is the configuration file of kwok.
func YAML() string {
	return strings.Join([]string{
		nodefast.DefaultNodeInit,
		nodeheartbeat.DefaultNodeHeartbeat,
		podLife,
		podFail,
	}, "\n---\n")
}
