package spec

import "testing"

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
