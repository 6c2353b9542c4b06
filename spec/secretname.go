package spec

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/flotilla-sh/flotilla/spec/origin"
)

// SecretNamed reports whether a path of a value, such as db.adminPassword, is
// called as secrets are. What only names a secret, such as existingSecret or
// secretName, is none.
func SecretNamed(path string) bool {
	lower := strings.ToLower(path)
	last := lower[strings.LastIndexByte(lower, '.')+1:]
	for _, end := range []string{"name", "namespace", "ref", "enabled", "create", "ttl", "seconds"} {
		if strings.HasSuffix(lower, end) {
			return false
		}
	}
	if strings.HasPrefix(last, "existing") {
		return false
	}
	plain := strings.NewReplacer("-", "", "_", "").Replace(lower)
	for _, part := range []string{"passw", "passphrase", "secret", "token", "credential", "apikey", "privatekey", "accesskey", "connectionstring"} {
		if strings.Contains(plain, part) {
			return true
		}
	}
	words := wordsOf(path)
	if slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"pass", "passcode", "pwd", "pw", "dsn", "cred", "creds"}, w)
	}) {
		return true
	}
	return len(words) > 0 && slices.Contains([]string{"key", "keys"}, words[len(words)-1]) && slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{
			"account", "auth", "ca", "client", "encryption", "hmac", "jwt", "license", "master", "server", "session", "shared", "signing", "ssh", "ssl", "storage", "tls",
		}, w)
	})
}

// SecretElement reports whether the name of an element of a list, such as
// {name: DB_PASSWORD, value: x}, says that its value is secret.
func SecretElement(v any) bool {
	m, _ := v.(map[string]any)
	name, _ := m["name"].(string)
	_, has := m["value"].(string)
	return has && SecretNamed(name)
}

// SecretWithin reports whether a text in v, which stands at a path, is called or
// looks as secrets do.
func SecretWithin(path origin.Path, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if SecretElement(v) {
			return true
		}
		for key, e := range v {
			names := strings.HasSuffix(strings.ToLower(key), "ref") // what is in it says where a secret is
			if !names && SecretWithin(path.With(origin.Key(key)), e) {
				return true
			}
		}
		return false
	case []any:
		for i, e := range v {
			if SecretWithin(path.With(origin.Index(i)), e) {
				return true
			}
		}
		return false
	case string:
		return SecretNamed(path.String()) || SecretText(v)
	default:
		return false
	}
}

// wordsOf splits a path at what is no letter and where a capital follows a small
// one, in lower case.
func wordsOf(path string) []string {
	var b strings.Builder
	small := false
	for _, r := range path {
		if !unicode.IsLetter(r) || small && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		if unicode.IsLetter(r) {
			b.WriteRune(unicode.ToLower(r))
		}
		small = unicode.IsLower(r)
	}
	return strings.Fields(b.String())
}

// SecretText reports whether a text looks like one that has a secret inside: a
// password in a URL, an assignment to something that is called like a secret, a
// private key.
func SecretText(text string) bool {
	if !strings.ContainsAny(text, ":=") && !strings.Contains(text, "-----BEGIN") {
		return false
	}
	return regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@` +
		`|(?i:\b(?:[a-z0-9]+[-_.])*(?:pass|passwd|password|passphrase|pwd|secret|token|api[-_]?key|credentials?|private[-_]?key|access[-_]?key)\\?["']?\s*[:=]\s*[^\s,}\]])` +
		`|-----BEGIN [A-Z0-9 ]*PRIVATE KEY`).MatchString(text)
}
