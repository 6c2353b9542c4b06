package clustertest

import (
	"context"
	"path/filepath"
	"testing"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ServiceAccountKubeconfig creates a ServiceAccount in ns that may do what the
// rules say in that namespace, and nothing elsewhere. It returns the path of a
// kubeconfig with its token, valid for an hour; its context has the name
// Context and the namespace ns. Without rules it may do what everybody may:
// look at API discovery.
func (c *Cluster) ServiceAccountKubeconfig(t testing.TB, ns string, rules ...rbacv1.PolicyRule) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	account, err := c.client.CoreV1().ServiceAccounts(ns).Create(ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{GenerateName: "limited-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("creating a ServiceAccount: %v", err)
	}
	if len(rules) > 0 {
		c.allow(ctx, t, account, rules)
	}
	token, err := c.client.CoreV1().ServiceAccounts(ns).CreateToken(ctx, account.Name, &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("creating a token for %s: %v", account.Name, err)
	}
	return c.writeKubeconfig(t, account, token.Status.Token)
}

func (c *Cluster) allow(ctx context.Context, t testing.TB, account *corev1.ServiceAccount, rules []rbacv1.PolicyRule) {
	t.Helper()
	rbac, meta := c.client.RbacV1(), metav1.ObjectMeta{Name: account.Name}
	_, err := rbac.Roles(account.Namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("creating the Role of %s: %v", account.Name, err)
	}
	_, err = rbac.RoleBindings(account.Namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: account.Namespace}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("binding the Role of %s: %v", account.Name, err)
	}
}

func (c *Cluster) writeKubeconfig(t testing.TB, account *corev1.ServiceAccount, token string) string {
	t.Helper()
	admin, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		t.Fatalf("reading the kubeconfig of the test cluster: %v", err)
	}
	limited := clientcmdapi.NewConfig()
	limited.CurrentContext = c.Context
	limited.Clusters[c.Context] = admin.Clusters[admin.Contexts[c.Context].Cluster]
	limited.AuthInfos[account.Name] = &clientcmdapi.AuthInfo{Token: token}
	limited.Contexts[c.Context] = &clientcmdapi.Context{Cluster: c.Context, AuthInfo: account.Name, Namespace: account.Namespace}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*limited, path); err != nil {
		t.Fatalf("writing the kubeconfig of %s: %v", account.Name, err)
	}
	return path
}
