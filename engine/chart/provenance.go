package chart

import (
	"os"
	"path/filepath"

	"helm.sh/helm/v4/pkg/provenance"
)

// verify checks that a key of the keyring signed the archive under that file
// name, as helm verify does.
func verify(src source, data, signature []byte, file string) error {
	keyring := src.keyring
	if keyring == "" {
		keyring = defaultKeyring()
	}
	signatory, err := provenance.NewFromKeyring(keyring, "")
	if err != nil {
		return failFor(ErrProvenance, err, "chart %s must be verified, and the keyring %s cannot be read: set keyring", src, keyring)
	}
	if _, err := signatory.Verify(data, signature, file); err != nil {
		return failFor(ErrProvenance, err, "chart %s does not pass verification with the keyring %s", src, keyring)
	}
	return nil
}

// defaultKeyring is Helm's: GnuPG's public keys, in the old format if there.
func defaultKeyring() string {
	home := os.Getenv("GNUPGHOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return "pubring.gpg"
		}
		home = filepath.Join(user, ".gnupg")
	}
	old := filepath.Join(home, "pubring.gpg")
	box := filepath.Join(home, "pubring.kbx")
	if _, err := os.Stat(old); err == nil {
		return old
	}
	if _, err := os.Stat(box); err == nil {
		return box
	}
	return old
}
