// Package certs makes the keys and certificates of one cluster: a CA, the
// serving certificate of the API server and of the simulated kubelets, client
// certificates, and the key that signs ServiceAccount tokens.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Identity is the file name, without extension, of one certificate and key.
type Identity string

// The identities in a folder made by Ensure. ServiceAccount has a public key
// (.pub) instead of a certificate.
const (
	CA                Identity = "ca"
	APIServer         Identity = "apiserver"
	Kubelet           Identity = "kubelet"
	KubeletClient     Identity = "kubelet-client"
	Admin             Identity = "admin"
	ControllerManager Identity = "controller-manager"
	Scheduler         Identity = "scheduler"
	Kwok              Identity = "kwok"
	ServiceAccount    Identity = "service-account"
)

// lifetime is long because nothing renews: a data folder is thrown away first.
const lifetime = 10 * 365 * 24 * time.Hour

// Ensure fills dir with all identities unless a previous call did. It is not
// safe for concurrent use on one folder.
func Ensure(dir string) error {
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for certificates: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating the certificate folder: %w", err)
	}
	if err := generate(dir); err != nil {
		return fmt.Errorf("generating certificates: %w", err)
	}
	return os.WriteFile(complete, nil, 0o600)
}

// CertFile is the path of the certificate of id.
func CertFile(dir string, id Identity) string { return filepath.Join(dir, string(id)+".crt") }

// KeyFile is the path of the private key of id.
func KeyFile(dir string, id Identity) string { return filepath.Join(dir, string(id)+".key") }

// PublicKeyFile is the path of the public key of ServiceAccount.
func PublicKeyFile(dir string) string { return filepath.Join(dir, string(ServiceAccount)+".pub") }

func generate(dir string) error {
	authority, err := newAuthority(dir)
	if err != nil {
		return err
	}
	for id, template := range templates() {
		if err := authority.issue(id, template); err != nil {
			return fmt.Errorf("issuing %s: %w", id, err)
		}
	}
	key, err := newKey(KeyFile(dir, ServiceAccount))
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return writePEM(PublicKeyFile(dir), "PUBLIC KEY", der)
}

func templates() map[Identity]x509.Certificate {
	const masters = "system:masters"
	return map[Identity]x509.Certificate{
		APIServer:         server("kube-apiserver"),
		Kubelet:           server("kubelet"),
		KubeletClient:     client("kube-apiserver-kubelet-client", masters),
		Admin:             client("devcluster-admin", masters),
		Kwok:              client("kwok", masters),
		ControllerManager: client("system:kube-controller-manager"),
		Scheduler:         client("system:kube-scheduler"),
	}
}

func server(name string) x509.Certificate {
	return x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 96, 0, 1)},
	}
}

func client(user string, groups ...string) x509.Certificate {
	return x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

type authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(dir string) (*authority, error) {
	key, err := newKey(KeyFile(dir, CA))
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		Subject:               pkix.Name{CommonName: "devcluster-ca"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if err := stamp(&template); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{dir: dir, cert: cert, key: key}, writePEM(CertFile(dir, CA), "CERTIFICATE", der)
}

func (a *authority) issue(id Identity, template x509.Certificate) error {
	key, err := newKey(KeyFile(a.dir, id))
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	if err := stamp(&template); err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePEM(CertFile(a.dir, id), "CERTIFICATE", der)
}

// stamp sets what every certificate has: a serial number and dates. They start
// in the past, so that a clock set back a little does no harm.
func stamp(template *x509.Certificate) error {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	now := time.Now()
	template.SerialNumber = serial
	template.NotBefore = now.Add(-time.Hour)
	template.NotAfter = now.Add(lifetime)
	return nil
}

func newKey(path string) (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
