package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// ErrEncrypted: the file is encrypted, and no identity that was given opens it.
var ErrEncrypted = errors.New("it is encrypted")

// ErrKey: a recipient or an identity is not one.
var ErrKey = errors.New("no key of age")

const ageMagic = "age-encryption.org/"

// Encrypt encrypts a file with age to each of the recipients, which are public
// keys such as age1...
func Encrypt(data []byte, recipients []string) ([]byte, error) {
	var to []age.Recipient
	for _, r := range recipients {
		parsed, err := age.ParseRecipients(strings.NewReader(r))
		if err != nil {
			return nil, fmt.Errorf("%w: recipient %q: expected a public key age1..., as age-keygen prints it", ErrKey, r)
		}
		to = append(to, parsed...)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, fmt.Errorf("encrypting the plan: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("encrypting the plan: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encrypting the plan: %w", err)
	}
	return out.Bytes(), nil
}

// Decrypt opens what Encrypt made with one of the identities, each the text of
// an identity file of age; what is not encrypted stays as it is. It is
// ErrEncrypted when none fits, and ErrDamaged when one does and the rest is not
// what was encrypted.
func Decrypt(data []byte, identities []string) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte(ageMagic)) {
		return data, nil
	}
	if len(identities) == 0 {
		return nil, fmt.Errorf("%w: name the file of your age identity with --identity", ErrEncrypted)
	}
	var with []age.Identity
	for _, text := range identities {
		parsed, err := age.ParseIdentities(strings.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%w: an identity file has lines AGE-SECRET-KEY-1..., and comments", ErrKey) // err may quote the key
		}
		with = append(with, parsed...)
	}
	plain, err := age.Decrypt(bytes.NewReader(data), with...)
	var noMatch *age.NoIdentityMatchError
	switch {
	case errors.As(err, &noMatch):
		return nil, fmt.Errorf("%w to other recipients than the identities that were given", ErrEncrypted)
	case err != nil:
		return nil, damaged(err)
	}
	out, err := io.ReadAll(io.LimitReader(plain, MaxSize+1))
	if err == nil && len(out) > MaxSize {
		return nil, errTooLong
	}
	if err != nil {
		return nil, damaged(err)
	}
	return out, nil
}
