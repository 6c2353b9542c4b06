package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// asCronJob runs flotilla as a CronJob of $NS would, with the rights of its
// ServiceAccount and the context of its kubeconfig: "ascronjob CODE NAME" with its
// own arguments, "ascronjob CODE NAME ARGS..." with others. First it holds those
// rights to getting and listing.
func asCronJob(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ascronjob CODE NAME [ARGS...]")
	}
	config, err := clientcmd.BuildConfigFromFlags("", ts.Getenv("KUBECONFIG"))
	ts.Check(err)
	client, err := kubernetes.NewForConfig(config)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ns := ts.Getenv("NS")
	job, err := client.BatchV1().CronJobs(ns).Get(ctx, args[1], metav1.GetOptions{})
	ts.Check(err)
	pod := job.Spec.JobTemplate.Spec.Template.Spec
	path := podKubeconfig(ctx, ts, client, pod)
	onlyLooks(ctx, ts, path)
	command := pod.Containers[0].Args
	if len(args) > 2 {
		command = args[2:]
	}
	admin := ts.Getenv("KUBECONFIG")
	ts.Setenv("KUBECONFIG", path)
	defer ts.Setenv("KUBECONFIG", admin)
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(pod.Containers[0].Command[0], command...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("running %v: %v", command, err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// podKubeconfig is the kubeconfig that the pod mounts, for somebody outside of
// the cluster: with the address and authority that tests use, and a token in
// place of the mounted one.
func podKubeconfig(ctx context.Context, ts *testscript.TestScript, client kubernetes.Interface, pod corev1.PodSpec) string {
	ns := ts.Getenv("NS")
	at := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.ConfigMap != nil })
	if at < 0 {
		ts.Fatalf("the pod mounts no kubeconfig")
	}
	mounted, err := client.CoreV1().ConfigMaps(ns).Get(ctx, pod.Volumes[at].ConfigMap.Name, metav1.GetOptions{})
	ts.Check(err)
	config, err := clientcmd.Load([]byte(mounted.Data["kubeconfig"]))
	ts.Check(err)
	token, err := client.CoreV1().ServiceAccounts(ns).CreateToken(ctx, pod.ServiceAccountName, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	ts.Check(err)
	admin, err := clientcmd.LoadFromFile(ts.Getenv("KUBECONFIG"))
	ts.Check(err)
	own := config.Contexts[config.CurrentContext]
	if own == nil || config.Clusters[own.Cluster] == nil || config.AuthInfos[own.AuthInfo] == nil {
		ts.Fatalf("the kubeconfig of the pod does not hang together:\n%s", mounted.Data["kubeconfig"])
	}
	config.Clusters[own.Cluster] = admin.Clusters[admin.Contexts[admin.CurrentContext].Cluster]
	config.AuthInfos[own.AuthInfo] = &api.AuthInfo{Token: token.Status.Token}
	data, err := clientcmd.Write(*config)
	ts.Check(err)
	path := filepath.Join(ts.MkAbs("."), "pod.kubeconfig")
	ts.Check(os.WriteFile(path, data, 0o600))
	return path
}

// onlyLooks asks the API server what a user may do in $NS.
func onlyLooks(ctx context.Context, ts *testscript.TestScript, kubeconfig string) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	ts.Check(err)
	client, err := kubernetes.NewForConfig(config)
	ts.Check(err)
	review, err := client.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, &authorizationv1.SelfSubjectRulesReview{
		Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: ts.Getenv("NS")},
	}, metav1.CreateOptions{})
	ts.Check(err)
	if len(review.Status.ResourceRules) == 0 {
		ts.Fatalf("the ServiceAccount may do nothing")
	}
	for _, rule := range review.Status.ResourceRules {
		everybodys := slices.Contains(rule.APIGroups, authorizationv1.GroupName) || slices.Contains(rule.APIGroups, authenticationv1.GroupName)
		for _, verb := range rule.Verbs {
			if verb != "get" && verb != "list" && !everybodys {
				ts.Fatalf("the ServiceAccount may %s %v of %v", verb, rule.Resources, rule.APIGroups)
			}
		}
	}
}
