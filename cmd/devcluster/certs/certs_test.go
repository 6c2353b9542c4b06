package certs

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
)

func TestEnsureIssuesUnderOneCAAndKeepsWhatItMade(t *testing.T) {
	dir := t.TempDir()
	if err := Ensure(dir); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(CertFile(dir, CA))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	for id, usage := range map[Identity]x509.ExtKeyUsage{
		APIServer:         x509.ExtKeyUsageServerAuth,
		Kubelet:           x509.ExtKeyUsageServerAuth,
		KubeletClient:     x509.ExtKeyUsageClientAuth,
		Admin:             x509.ExtKeyUsageClientAuth,
		ControllerManager: x509.ExtKeyUsageClientAuth,
		Scheduler:         x509.ExtKeyUsageClientAuth,
		Kwok:              x509.ExtKeyUsageClientAuth,
	} {
		pair, err := tls.LoadX509KeyPair(CertFile(dir, id), KeyFile(dir, id))
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage}})
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := Ensure(dir); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(CertFile(dir, CA)); err != nil || string(again) != string(ca) {
		t.Errorf("a second Ensure made another CA (%v)", err)
	}
}
