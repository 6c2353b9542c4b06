package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	sopsage "github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/cmd/sops/common"
	"github.com/getsops/sops/v3/cmd/sops/formats"
	"github.com/getsops/sops/v3/config"
	"github.com/getsops/sops/v3/keys"
	"github.com/getsops/sops/v3/keyservice"
	"github.com/getsops/sops/v3/pgp"
	sopsversion "github.com/getsops/sops/v3/version"
)

// ageKey makes a key pair; SOPS finds it by its own variable.
func ageKey(t *testing.T) keys.MasterKey {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOPS_AGE_KEY", identity.String())
	key, err := sopsage.MasterKeyFromRecipient(identity.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// pgpKey makes a key pair in a keyring of its own.
func pgpKey(t *testing.T) keys.MasterKey {
	t.Helper()
	home := t.TempDir()
	if err := exec.Command("chmod", "700", home).Run(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GNUPGHOME", home)
	t.Cleanup(func() { _ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run() })
	gpg(t, "--batch", "--passphrase", "", "--quick-generate-key", "flotilla test <test@example.com>", "default", "default", "never")
	for line := range strings.Lines(gpg(t, "--with-colons", "--fingerprint")) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			return pgp.NewMasterKeyFromFingerprint(fields[9])
		}
	}
	t.Fatal("gpg made no key")
	return nil
}

func gpg(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("gpg", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("gpg %v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// encrypt does what sops --encrypt does.
func encrypt(t *testing.T, key keys.MasterKey, name, plain string) []byte {
	t.Helper()
	store := common.StoreForFormat(formats.FormatForPath(filepath.Base(name)), config.NewStoresConfig())
	branches, err := store.LoadPlainFile([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	tree := sops.Tree{Branches: branches, Metadata: sops.Metadata{
		KeyGroups: []sops.KeyGroup{{key}}, UnencryptedSuffix: "_unencrypted", Version: sopsversion.Version,
	}}
	dataKey, errs := tree.GenerateDataKeyWithKeyServices([]keyservice.KeyServiceClient{keyservice.NewLocalClient()})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if err := common.EncryptTree(common.EncryptTreeOpts{Tree: &tree, Cipher: aes.NewCipher(), DataKey: dataKey}); err != nil {
		t.Fatal(err)
	}
	out, err := store.EmitEncryptedFile(tree)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
