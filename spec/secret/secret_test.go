package secret

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// role makes the test binary a helper of some kind.
const role = "FLOTILLA_TEST_HELPER"

func TestMain(m *testing.M) {
	if kind := os.Getenv(role); kind != "" {
		helper(kind)
		return
	}
	os.Exit(m.Run())
}

// helper speaks the protocol; what it answers tells what it was asked.
func helper(kind string) {
	switch kind {
	case "other program":
		fmt.Println("hello, world")
		return
	case "newer":
		fmt.Println(`{"protocol":99,"version":"v9"}`)
		return
	case "silent":
		return
	}
	fmt.Println(`{"protocol":1,"version":"v1"}`)
	if kind == "deaf" {
		time.Sleep(time.Hour) // a select without cases would be taken for a deadlock
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var r struct {
			ID    uint64 `json:"id"`
			Dir   string `json:"dir"`
			Items []struct {
				Ref    string `json:"ref"`
				Data   []byte `json:"data"`
				Format string `json:"format"`
			} `json:"items"`
		}
		if json.Unmarshal(lines.Bytes(), &r) != nil || kind == "dies" {
			os.Exit(3)
		}
		if kind == "stuck" {
			select {}
		}
		var answers []any
		for _, i := range r.Items {
			switch i.Ref {
			case "":
				answers = append(answers, map[string]any{"text": append([]byte(i.Format+":"), i.Data...)})
			case "bad":
				answers = append(answers, map[string]any{"error": "no such thing"})
			case "null":
				answers = append(answers, map[string]any{})
			default:
				answers = append(answers, map[string]any{"value": map[string]any{
					"ref": i.Ref, "dir": r.Dir, "pid": os.Getpid(), "args": len(os.Args), "f": 1.5, "l": []any{1},
				}})
			}
		}
		if kind == "short" {
			answers = answers[1:]
		}
		line, err := json.Marshal(map[string]any{"id": r.ID, "items": answers})
		if err != nil {
			os.Exit(4)
		}
		fmt.Println(string(line))
	}
}

func started(t *testing.T, kind string) *Helper {
	t.Helper()
	t.Setenv(role, kind)
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := NewHelper(func(name string) (string, bool) { return own, name == helperVariable })
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return h
}

func TestHelperAnswersInOrder(t *testing.T) {
	h := started(t, "good")
	got, err := h.Ask(context.Background(), Request{Dir: "/d", Items: []Item{{Ref: "x"}, {Data: []byte("c"), Format: FormatYAML}, {Ref: "bad"}, {Ref: "null"}}})
	if err != nil {
		t.Fatal(err)
	}
	value, _ := got[0].Value.(map[string]any)
	delete(value, "pid")
	want := map[string]any{"ref": "x", "dir": "/d", "args": int64(1), "f": 1.5, "l": []any{int64(1)}}
	if diff := cmp.Diff(want, value); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if string(got[1].Text) != "yaml:c" || got[2].Err == nil || got[2].Err.Error() != "no such thing" || got[3].Value != nil || got[3].Err != nil {
		t.Errorf("got %+v", got[1:])
	}
	if got, err := h.Ask(context.Background(), Request{}); got != nil || err != nil {
		t.Errorf("nothing asked: %v, %v", got, err)
	}
}

func TestOneHelperServesManyAtOnce(t *testing.T) {
	h := started(t, "good")
	var running sync.WaitGroup
	pids := make([]any, 50)
	for i := range pids {
		running.Go(func() {
			got, err := h.Ask(context.Background(), Request{Items: []Item{{Ref: fmt.Sprint(i)}}})
			if err != nil || len(got) != 1 {
				t.Errorf("asking %d: %v", i, err)
				return
			}
			value, _ := got[0].Value.(map[string]any)
			if value["ref"] != fmt.Sprint(i) {
				t.Errorf("%d got the answer of %v", i, value["ref"])
			}
			pids[i] = value["pid"]
		})
	}
	running.Wait()
	for _, pid := range pids {
		if pid != pids[0] {
			t.Fatalf("two processes: %v and %v", pid, pids[0])
		}
	}
}

func TestHelpersThatAreNone(t *testing.T) {
	for kind, want := range map[string]string{
		"other program": "is no flotilla-secrets",
		"newer":         "speaks version 99 of the protocol, this flotilla speaks 1",
		"silent":        "ended early",
		"dies":          "ended early: exit status 3",
		"short":         "gave 0 answers to 1 questions",
	} {
		h := started(t, kind)
		for range 2 { // a dead helper stays dead, and says the same
			_, err := h.Ask(context.Background(), Request{Items: []Item{{Ref: "x"}}})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q in it", kind, err, want)
			}
		}
	}
}

func TestCancelledQuestionLeavesAHelperThatEnds(t *testing.T) {
	h := started(t, "stuck")
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("somebody stopped it")
	cancel(cause)
	if _, err := h.Ask(ctx, Request{Items: []Item{{Ref: "x"}}}); !errors.Is(err, cause) {
		t.Errorf("error %v, want the cause", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := h.Ask(context.Background(), Request{Items: []Item{{Ref: "x"}}}); err == nil {
		t.Error("a closed helper answers")
	}
}

// TestHelperThatDoesNotRead asks more than a pipe holds.
func TestHelperThatDoesNotRead(t *testing.T) {
	much := []Item{{Data: make([]byte, 1<<20), Format: FormatBinary}}
	ends := func(t *testing.T, ended <-chan error) error {
		t.Helper()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("it hangs")
			return nil
		}
	}
	t.Run("is ended with the run, and so are others that ask it", func(t *testing.T) {
		h := started(t, "deaf")
		cause := errors.New("somebody stopped it")
		ctx, cancel := context.WithTimeoutCause(context.Background(), 200*time.Millisecond, cause)
		defer cancel()
		asked, other := make(chan error, 1), make(chan error, 1)
		go func() { _, err := h.Ask(ctx, Request{Items: much}); asked <- err }()
		go func() { _, err := h.Ask(context.Background(), Request{Items: much}); other <- err }()
		if err := ends(t, asked); !errors.Is(err, cause) {
			t.Errorf("error %v, want the cause", err)
		}
		if err := ends(t, other); err == nil || !strings.Contains(err.Error(), "does not read what it is asked") {
			t.Errorf("another one that asks: error %v", err)
		}
	})
	t.Run("does not keep Close waiting", func(t *testing.T) {
		h := started(t, "deaf")
		asked, closed := make(chan error, 1), make(chan error, 1)
		go func() { _, err := h.Ask(context.Background(), Request{Items: much}); asked <- err }()
		for h.writers() == 0 {
			runtime.Gosched()
		}
		go func() { closed <- h.Close() }()
		if err := ends(t, closed); err != nil {
			t.Error(err)
		}
		if err := ends(t, asked); err == nil {
			t.Error("a closed helper answers")
		}
	})
}

// writers is how many questions wait for an answer.
func (h *Helper) writers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.process == nil {
		return 0
	}
	h.process.mu.Lock()
	defer h.process.mu.Unlock()
	return len(h.process.waiting)
}

func TestNoHelper(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	h := NewHelper(func(string) (string, bool) { return "", false })
	if _, err := h.Ask(context.Background(), Request{Items: []Item{{Ref: "x"}}}); !errors.Is(err, ErrNoHelper) {
		t.Errorf("error %v, want ErrNoHelper", err)
	}
	h = NewHelper(func(string) (string, bool) { return "/no/such/program", true })
	if _, err := h.Ask(context.Background(), Request{Items: []Item{{Ref: "x"}}}); !errors.Is(err, ErrNoHelper) || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("error %v, want ErrNoHelper with the path", err)
	}
}

func TestSops(t *testing.T) {
	const yaml = "a: ENC[x]\nsops:\n    age:\n        - recipient: age1\n          enc: |\n            -----BEGIN\n            x\n            -----END\n    lastmodified: \"2026\"\n    mac: ENC[y]\n    version: 3.9.0\n"
	const binary = `{"data": "ENC[x]", "sops": {"mac": "ENC[y]"}}`
	tests := []struct {
		name, path, text string
		want             Format
		is               bool
	}{
		{"YAML", "a/b.yaml", yaml, FormatYAML, true},
		{"YAML with the metadata first", "b.yml", "sops:\n  mac: x\na: b\n", FormatYAML, true},
		{"YAML with another extension", "b.yaml.enc", yaml, FormatYAML, true},
		{"JSON", "b.json", `{"a": "ENC[x]", "sops": {"mac": "y"}}`, FormatJSON, true},
		{"JSON in a YAML file", "b.yaml", `{"a": "ENC[x]", "sops": {"mac": "y"}}`, FormatYAML, true},
		{"a template that was encrypted as a whole", "b.yaml.gotmpl", binary, FormatBinary, true},
		{"a template that was encrypted as YAML", "b.yaml.gotmpl", yaml, FormatYAML, true},
		{"binary", "cert.pem", binary, FormatBinary, true},
		{"dotenv", "b.env", "A=ENC[x]\nsops_mac=ENC[y]\n", FormatDotenv, true},
		{"INI", "b.ini", "[a]\nb = ENC[x]\n[sops]\nmac = y\n", FormatINI, true},
		{"plain YAML", "b.yaml", "a: 1\n", "", false},
		{"a key named sops", "b.yaml", "sops: is a tool\na: {mac: 1}\n", "", false},
		{"plain JSON", "b.json", `{"a": 1}`, "", false},
		{"nothing", "b.yaml", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, is := Sops(tt.path, []byte(tt.text)); got != tt.want || is != tt.is {
				t.Errorf("got %q, %t, want %q, %t", got, is, tt.want, tt.is)
			}
		})
	}
}

func install(t *testing.T, pluginYAML string) func(string) (string, bool) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Fatal("the plugin of this test is a shell script")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"data/plugins/other/plugin.yaml":   "name: other\n",
		"data/plugins/secrets/plugin.yaml": pluginYAML,
		"data/plugins/secrets/run.sh":      "#!/bin/sh\n[ -f \"$3\" ] || { echo \"no file $3\" >&2; exit 7; }\necho \"$1 $2 $HELM_PLUGIN_NAME ${HELM_PLUGIN_DIR##*/} $HELM_BIN\"\ncat \"$3\"\n",
		"s.yaml":                           "a: 1\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return func(name string) (string, bool) {
		if name == "HELM_DATA_HOME" {
			return filepath.Join(dir, "data"), true
		}
		return "", false
	}
}

func TestPlugin(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ yaml, want string }{
		"of Helm 4": {"name: secrets\nversion: 4.7.4\nruntimeConfig:\n  platformCommand:\n  - {os: plan9, command: no}\n  - command: ${HELM_PLUGIN_DIR}/run.sh\n    args: [$HELM_PLUGIN_NAME]\n",
			"secrets decrypt secrets secrets helm\na: 1\n"},
		"of Helm 3":            {"name: secrets\nversion: 4.6.0\ncommand: $HELM_PLUGIN_DIR/run.sh x\n", "x decrypt secrets secrets helm\na: 1\n"},
		"older than version 4": {"name: secrets\nversion: v3.15.0\nplatformCommand:\n- {os: " + runtime.GOOS + ", command: $HELM_PLUGIN_DIR/run.sh x}\n- {command: no}\n", "x view secrets secrets helm\na: 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := FindPlugin(install(t, tt.yaml))
			if p == nil {
				t.Fatal("it is not found")
			}
			got, err := p.Decrypt(context.Background(), "", "s.yaml")
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if _, err := p.Decrypt(context.Background(), "", "none.yaml"); err == nil || !strings.Contains(err.Error(), "exit status 7: no file none.yaml") {
				t.Errorf("error %v", err)
			}
			if got, err := p.Decrypt(context.Background(), "data", "../s.yaml"); err != nil || string(got) != tt.want {
				t.Errorf("in another folder: got %q, %v", got, err)
			}
		})
	}
	if FindPlugin(func(string) (string, bool) { return t.TempDir(), true }) != nil {
		t.Error("a plugin where there is none")
	}
	p := FindPlugin(install(t, "name: secrets\nplatformCommand:\n- {os: plan9, command: no}\n"))
	if _, err := p.Decrypt(context.Background(), "", "s.yaml"); err == nil || !strings.Contains(err.Error(), "has no command for") {
		t.Errorf("no command for this system: error %v", err)
	}
}
