// Command floor is what a look for changes cannot do without, and nothing else:
// one LIST of the release records, decoding them, rendering the charts with the
// values that are stored, comparing. It reads no state file, asks for no
// capabilities and shows no difference; cmd/bench holds flotilla against it.
//
//	floor KUBECONFIG NAMESPACE CHARTS
//
// CHARTS is the folder where every chart lies under its name; none may have
// conditions. The exit code is 2 if anything differs.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// record is the part of Helm's release record that is looked at.
type record struct {
	Name      string
	Namespace string
	Version   int
	Manifest  string
	Config    map[string]any
	Chart     struct{ Metadata struct{ Name string } }
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: floor KUBECONFIG NAMESPACE CHARTS")
		os.Exit(3)
	}
	changed, err := run(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
	fmt.Println(changed, "changed")
	if changed > 0 {
		os.Exit(2)
	}
}

// run counts the releases that differ, on all cores.
func run(kubeconfig, namespace, charts string) (changed int64, err error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return 0, err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return 0, err
	}
	found, err := client.CoreV1().Secrets(namespace).List(context.Background(), metav1.ListOptions{LabelSelector: "owner=helm,status=deployed"})
	if err != nil {
		return 0, err
	}
	var next, differ atomic.Int64
	errs := make([]error, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			loaded := map[string]*chartv2.Chart{}
			for i := next.Add(1); i <= int64(len(found.Items)) && errs[w] == nil; i = next.Add(1) {
				same := false
				if same, errs[w] = unchanged(&found.Items[i-1], charts, loaded); !same {
					differ.Add(1)
				}
			}
		})
	}
	workers.Wait()
	return differ.Load(), errors.Join(errs...)
}

func unchanged(secret *corev1.Secret, charts string, loaded map[string]*chartv2.Chart) (bool, error) {
	raw, err := base64.StdEncoding.AppendDecode(nil, secret.Data["release"])
	if err != nil {
		return false, err
	}
	zip, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return false, err
	}
	var stored record
	if err := json.NewDecoder(zip).Decode(&stored); err != nil {
		return false, err
	}
	name := stored.Chart.Metadata.Name
	if loaded[name] == nil {
		if loaded[name], err = loader.LoadDir(filepath.Join(charts, name)); err != nil {
			return false, err
		}
	}
	manifest, err := render(loaded[name], stored)
	return manifest == stored.Manifest, err
}

func render(chart *chartv2.Chart, stored record) (string, error) {
	options := common.ReleaseOptions{Name: stored.Name, Namespace: stored.Namespace, Revision: stored.Version + 1, IsUpgrade: true}
	values, err := util.ToRenderValues(chart, stored.Config, options, common.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return "", err
	}
	for file := range files {
		if strings.HasSuffix(file, "NOTES.txt") {
			delete(files, file)
		}
	}
	_, sorted, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	var manifest strings.Builder
	for _, m := range sorted {
		fmt.Fprintf(&manifest, "---\n# Source: %s\n%s\n", m.Name, m.Content)
	}
	return manifest.String(), err
}
