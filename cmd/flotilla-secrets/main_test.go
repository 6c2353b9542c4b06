package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// talk sends requests to a helper and gives the answers of each by its number.
func talk(t *testing.T, requests ...request) map[uint64][]answer {
	t.Helper()
	var in, out bytes.Buffer
	for _, r := range requests {
		type wire struct {
			ID     uint64 `json:"id"`
			Dir    string `json:"dir"`
			NoExec bool   `json:"noExec"`
			Items  []item `json:"items"`
		}
		if err := json.NewEncoder(&in).Encode(wire(r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := serve(&in, &out); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(&out)
	var first hello
	if err := decoder.Decode(&first); err != nil || first.Protocol != protocol || first.Version == "" {
		t.Fatalf("the first line is %+v, %v", first, err)
	}
	all := map[uint64][]answer{}
	for range requests {
		var r reply
		if err := decoder.Decode(&r); err != nil {
			t.Fatal(err)
		}
		all[r.ID] = r.Items
	}
	return all
}

func ask(t *testing.T, dir string, items ...item) []answer {
	t.Helper()
	return talk(t, request{ID: 1, Dir: dir, Items: items})[1]
}

func TestNoExecRefusesWhatStartsPrograms(t *testing.T) {
	refs := []item{{Ref: "exec://echo/hello"}, {Ref: "EXEC://echo/hello"}, {Ref: "Keychain://x"}, {Ref: "echo://ref+Exec://echo/hello"}, {Ref: "echo://exec"}}
	got := talk(t, request{ID: 1, NoExec: true, Items: refs}, request{ID: 2, Items: refs[:2]})
	const refused = "no programs may be started"
	want := []answer{{Error: refused}, {Error: refused}, {Error: refused}, {Error: refused}, {Value: "exec"}}
	if fmt.Sprint(got[1]) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got[1], want)
	}
	if allowed := []answer{{Value: "hello"}, {Value: "hello"}}; fmt.Sprint(got[2]) != fmt.Sprint(allowed) {
		t.Errorf("without it: got %+v, want %+v", got[2], allowed)
	}
}

func TestSopsFormats(t *testing.T) {
	key := ageKey(t)
	tests := []struct{ name, format, plain string }{
		{"a.yaml", "yaml", "password: hunter2\nlist:\n    - a\n    - 7\n"},
		{"a.json", "json", "{\n\t\"password\": \"hunter2\"\n}\n"},
		{"a.env", "dotenv", "PASSWORD=hunter2\n"},
		{"a.ini", "ini", "[db]\npassword = hunter2\n"},
		{"a.bin", "binary", "\x00\x01hunter2"},
	}
	var items []item
	for _, tt := range tests {
		items = append(items, item{Data: encrypt(t, key, tt.name, tt.plain), Format: tt.format})
		if bytes.Contains(items[len(items)-1].Data, []byte("hunter2")) {
			t.Fatalf("%s is not encrypted", tt.name)
		}
	}
	got := ask(t, "", items...)
	for i, tt := range tests {
		if string(got[i].Text) != tt.plain || got[i].Error != "" {
			t.Errorf("%s: got %q, error %q", tt.name, got[i].Text, got[i].Error)
		}
	}
}

func TestSopsWithPGP(t *testing.T) {
	text := encrypt(t, pgpKey(t), "a.yaml", "password: hunter2\n")
	if got := ask(t, "", item{Data: text, Format: "yaml"})[0]; string(got.Text) != "password: hunter2\n" {
		t.Errorf("got %q, error %q", got.Text, got.Error)
	}
}

func TestErrorsOfSopsShowNoPlainText(t *testing.T) {
	key := ageKey(t)
	good := encrypt(t, key, "a.yaml", "password: hunter2\nother: swordfish\n")
	forged := bytes.Replace(good, []byte("password:"), []byte("passwort:"), 1)
	ageKey(t) // another identity from here on
	stranger := ask(t, "", item{Data: good, Format: "yaml"})[0]
	if !strings.Contains(stranger.Error, "identity did not match any of the recipients") {
		t.Errorf("without the key the error is %q", stranger.Error)
	}
	for name, a := range map[string]answer{
		"the wrong key": stranger,
		"forged":        ask(t, "", item{Data: forged, Format: "yaml"})[0],
		"no metadata":   ask(t, "", item{Data: []byte("password: hunter2\n"), Format: "yaml"})[0],
		"no YAML":       ask(t, "", item{Data: []byte("hunter2: [swordfish"), Format: "yaml"})[0],
	} {
		if a.Error == "" || a.Text != nil || strings.Contains(a.Error, "hunter2") || strings.Contains(a.Error, "swordfish") {
			t.Errorf("%s: text %q, error %q", name, a.Text, a.Error)
		}
	}
}

func TestRefsGoThroughVals(t *testing.T) {
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/sys/internal/ui/mounts/kv/app":
			fmt.Fprint(w, `{"data":{"path":"kv/","type":"kv","options":{"version":"2"}}}`)
		case "/v1/kv/data/app":
			fmt.Fprintf(w, `{"data":{"data":{"password":"hunter2","by":%q}}}`, r.Header.Get("X-Vault-Token"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer vault.Close()
	t.Setenv("VAULT_ADDR", vault.URL)
	t.Setenv("VAULT_TOKEN", "a-token")
	dir := t.TempDir()
	write(t, dir, "s.yaml", string(encrypt(t, ageKey(t), "s.yaml", "db: {port: 5432, user: u}\n")))
	write(t, dir, "p.yaml", "a: {b: {c: 1.5, l: [1]}}\nsecret: hunter2\n")
	got := ask(t, dir,
		item{Ref: "vault://kv/app#/password"}, item{Ref: "vault://kv/app#/by"},
		item{Ref: "sops://s.yaml#/db/port"}, item{Ref: "sops://s.yaml#/db"},
		item{Ref: "file://p.yaml#/a/b/c"}, item{Ref: "file://p.yaml#/a/none/x"},
		item{Ref: "exec://echo/hello"}, item{Ref: "envsubst://${UNSET:-deflt}"},
	)
	want := []string{`"hunter2"`, `"a-token"`, `5432`, `{"port":5432,"user":"u"}`, `1.5`, `null`, `"hello"`}
	for i, w := range want {
		text, err := json.Marshal(got[i].Value)
		if err != nil || string(text) != w || got[i].Error != "" {
			t.Errorf("item %d: got %s, error %q; want %s", i, text, got[i].Error, w)
		}
	}
}

func TestErrorsOfRefsShowNoValue(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "text", "hunter2")
	write(t, dir, "p.yaml", "a: {secret: hunter2}\n")
	for _, ref := range []string{
		"file://text#/key", "file://p.yaml#/a/secret/below", "file://nofile", "nosuch://back/end", "exec://false",
	} {
		a := ask(t, dir, item{Ref: ref})[0]
		if a.Error == "" || strings.Contains(a.Error, "hunter2") {
			t.Errorf("%s: error %q, value %v", ref, a.Error, a.Value)
		}
	}
	t.Setenv(failOnMissing, "true")
	for _, ref := range []string{"file://p.yaml#/none", "file://p.yaml#/a/none"} {
		if a := ask(t, dir, item{Ref: ref})[0]; !strings.Contains(a.Error, "no value found for key") {
			t.Errorf("%s: error %q under strictness", ref, a.Error)
		}
	}
}

func TestEachRequestHasItsFolder(t *testing.T) {
	var requests []request
	for i := range 20 {
		dir := t.TempDir()
		write(t, dir, "x.yaml", fmt.Sprintf("n: %d\n", i))
		requests = append(requests, request{ID: uint64(i), Dir: dir, Items: []item{{Ref: "file://x.yaml#/n"}}})
	}
	requests = append(requests, request{ID: 20, Dir: "/no/such/folder", Items: []item{{Ref: "file://x.yaml"}}})
	got := talk(t, requests...)
	for i := range 20 {
		if v := got[uint64(i)][0].Value; fmt.Sprint(v) != fmt.Sprint(i) {
			t.Errorf("folder %d gives %v, error %q", i, v, got[uint64(i)][0].Error)
		}
	}
	if a := got[20][0]; !strings.Contains(a.Error, "not there") {
		t.Errorf("a folder that is not there: error %q", a.Error)
	}
}

func TestNonsenseEndsTheHelper(t *testing.T) {
	var out bytes.Buffer
	line := base64.StdEncoding.EncodeToString([]byte("hunter2"))
	err := serve(strings.NewReader(line+"\n"), &out)
	if err == nil || strings.Contains(err.Error(), line) {
		t.Errorf("error %v", err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
