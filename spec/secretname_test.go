package spec

import (
	"testing"

	"github.com/flotilla-sh/flotilla/spec/origin"
)

func TestPathsThatAreCalledAsSecretsAre(t *testing.T) {
	for path, want := range map[string]bool{
		"db.adminPassword": true, "auth.pwd": true, "auth.pass": true, "DB_PASS": true, "dbDsn": true, "dsn": true,
		"tls.key": true, "ingress.tls[0].key": true, "sshKey": true, "auth.key": true, "api_key": true, "aws.access-key": true,
		"users[1].password": true, "credentials.file": true, "storage.connectionString": true, "pg-creds": true,
		"db.secretName": false, "auth.existingSecret": false, "imagePullSecrets[0].name": false,
		"tolerations[0].key": false, "key": false, "image.tag": false, "bypass": false, "compass.north": false,
		"friendsNear": false, "passenger": false, "": false,
	} {
		if got := SecretNamed(path); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}

func TestTextsThatHaveASecretInside(t *testing.T) {
	for text, want := range map[string]bool{
		"postgres://u:canary@h/db":                true,
		"host=h password=canary":                  true,
		"user: a\nDB_PASSWORD: canary\n":          true,
		`{\"password\":\"canary\"}`:               true,
		"-----BEGIN RSA PRIVATE KEY-----\ncanary": true,
		"https://h:8080/path":                     false,
		"https://user@h/path":                     false,
		"secretName: web":                         false,
		"a plain text: with a colon":              false,
		"the password is elsewhere":               false,
	} {
		if got := SecretText(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestSecretsInsideOfListsAndMaps(t *testing.T) {
	type object = map[string]any
	tests := []struct {
		name string
		path string
		v    any
		want bool
	}{
		{"an element that is named so", "env", []any{object{"name": "A", "value": "1"}, object{"name": "DB_PASSWORD", "value": "x"}}, true},
		{"an element that names a reference to one", "env", []any{object{"name": "DB_PASSWORD", "valueFrom": object{"secretKeyRef": object{"name": "db", "key": "k"}}}}, false},
		{"a key further down", "list", []any{object{"dbToken": "x"}}, true},
		{"a key that is a number", "list", []any{object{"tokens": 3.0}}, false},
		{"a text with one", "list", []any{"db://u:canary@h"}, true},
		{"the path itself", "auth.pwd", "x", true},
		{"nothing of that sort", "env", []any{object{"name": "A", "value": "1"}}, false},
	}
	for _, tt := range tests {
		path, err := origin.ParsePath(tt.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := SecretWithin(path, tt.v); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
