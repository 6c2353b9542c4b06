package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flotilla-sh/flotilla/spec"
)

// Data reads what a Secret, decoded, or a ConfigMap holds under data. Errors
// are those of Get and Explain; none shows a value.
func (c *Clusters) Data(ctx context.Context, from spec.ClusterObject) (map[string]string, error) {
	cluster, err := c.Get(from.Context)
	if err != nil {
		return nil, err
	}
	core := cluster.kubernetes.CoreV1()
	switch from.Kind {
	case "Secret":
		secret, err := core.Secrets(from.Namespace).Get(ctx, from.Name, metav1.GetOptions{})
		if err != nil {
			return nil, cluster.Explain(err, Access{Verb: "get", Resource: "secrets", Namespace: from.Namespace})
		}
		data := make(map[string]string, len(secret.Data))
		for key, value := range secret.Data {
			data[key] = string(value)
		}
		return data, nil
	case "ConfigMap":
		config, err := core.ConfigMaps(from.Namespace).Get(ctx, from.Name, metav1.GetOptions{})
		if err != nil {
			return nil, cluster.Explain(err, Access{Verb: "get", Resource: "configmaps", Namespace: from.Namespace})
		}
		return config.Data, nil
	default:
		return nil, fmt.Errorf("the kind %q is unknown, expected Secret or ConfigMap", from.Kind)
	}
}
