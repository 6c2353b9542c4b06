// Command flotilla-secrets is the helper process that knows secrets for
// flotilla: it decrypts texts with SOPS and fetches references of vals
// (ref+vault://..., ref+awssecrets://... and so on). It is a program of its
// own because the SDKs of all these back ends are larger than flotilla itself.
// flotilla starts it when something needs it, once a run, and ends it by
// closing its input.
//
// It has no arguments and writes nothing to disk. Messages are JSON, one a
// line. It first says who it is:
//
//	{"protocol":1,"version":"v1.2.3"}
//
// Then each line of standard input is a request:
//
//	{"id":7,"dir":"/repo","items":[
//	  {"data":"BASE64","format":"yaml"},
//	  {"ref":"vault://secret/app#/password"}]}
//
// data is a text that SOPS encrypted as format: yaml, json, dotenv, ini or
// binary. ref is a reference of vals without "ref+". dir is where relative
// paths of references start. "noExec":true refuses references that start
// programs (exec and keychain). Each request gets one line on standard output,
// in the order in which they are done:
//
//	{"id":7,"items":[{"text":"BASE64"},{"value":"hunter2"}]}
//
// with an answer for each item, in order: text is what was decrypted, value is
// what the reference stands for, any JSON (absent: null), and error says why
// there is neither, without naming any value. Keys and credentials come from
// the environment variables that SOPS, vals and the SDKs document, such as
// SOPS_AGE_KEY_FILE, GNUPGHOME, VAULT_ADDR and AWS_PROFILE.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
)

// protocol is the version of the messages.
const protocol = 1

// workers bounds the items that are fetched at the same time.
const workers = 16

// version is set by the linker; a plain go install takes the module's.
var version string

type hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
}

type request struct {
	ID     uint64 `json:"id"`
	Dir    string `json:"dir"`
	NoExec bool   `json:"noExec"`
	Items  []item `json:"items"`
}

type item struct {
	Ref    string `json:"ref"`
	Data   []byte `json:"data"`
	Format string `json:"format"`
}

type reply struct {
	ID    uint64   `json:"id"`
	Items []answer `json:"items"`
}

type answer struct {
	Text  []byte `json:"text,omitempty"`
	Value any    `json:"value,omitempty"`
	Error string `json:"error,omitempty"`
}

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "flotilla-secrets is started by flotilla and takes no arguments")
		os.Exit(2)
	}
	// An interrupt of the terminal reaches the whole group of processes;
	// flotilla decides when this one ends.
	signal.Ignore(os.Interrupt)
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "flotilla-secrets: %v\n", err)
		os.Exit(1)
	}
}

// serve answers until the input ends, and returns when all is answered.
func serve(in io.Reader, out io.Writer) error {
	lines := &writer{encoder: json.NewEncoder(out)}
	lines.write(hello{Protocol: protocol, Version: build()})
	store := newStore()
	decoder := json.NewDecoder(in)
	var running sync.WaitGroup
	defer running.Wait()
	for {
		var r request
		switch err := decoder.Decode(&r); {
		case errors.Is(err, io.EOF):
			running.Wait()
			return lines.err
		case err != nil:
			return errors.New("reading a request: it is not the JSON that the protocol asks for")
		}
		running.Go(func() { lines.write(reply{ID: r.ID, Items: store.answer(r)}) })
	}
}

// writer keeps the lines of several goroutines apart.
type writer struct {
	mu      sync.Mutex
	encoder *json.Encoder
	err     error
}

func (w *writer) write(v any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = errors.Join(w.err, w.encoder.Encode(v))
}

func build() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
