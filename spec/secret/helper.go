package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"github.com/flotilla-sh/flotilla/spec/program"
)

// ErrNoHelper says that the helper is not installed.
var ErrNoHelper = errors.New("this needs the program flotilla-secrets, which is neither beside flotilla nor on PATH: " +
	"install it with go install github.com/flotilla-sh/flotilla/cmd/flotilla-secrets@latest (make secrets in a checkout), " +
	"or let FLOTILLA_SECRETS name it")

// helperName is the helper's executable; helperVariable names another one.
const (
	helperName     = "flotilla-secrets"
	helperVariable = "FLOTILLA_SECRETS"
)

// Format is how SOPS stored a file.
type Format string

// The formats of SOPS.
const (
	FormatYAML   Format = "yaml"
	FormatJSON   Format = "json"
	FormatDotenv Format = "dotenv"
	FormatINI    Format = "ini"
	FormatBinary Format = "binary"
)

// Request is a batch of things to fetch.
type Request struct {
	Dir    string // relative paths of references and of keys start here; empty: where the helper was started
	NoExec bool   // fail what a program would have to be started for
	Items  []Item
}

// Item is one thing to fetch: a reference of vals, or a text to decrypt.
type Item struct {
	Ref    string // SCHEME://PATH[?QUERY][#/KEY], without "ref+"
	Data   []byte // an encrypted text, if Ref is empty
	Format Format // of Data
}

// Answer is what came of one Item.
type Answer struct {
	Text  []byte // the decrypted text
	Value any    // of a reference, as YAML data: string, int64, float64, bool, nil, map or list
	Err   error  // names no value
}

// Helper is the one helper process of a run. It starts when first asked.
// Safe for concurrent use.
type Helper struct {
	lookup func(string) (string, bool)

	mu      sync.Mutex
	process *process
	err     error // of starting: it is tried once
	closed  bool
}

// NewHelper starts nothing yet. lookup reads environment variables; nil:
// os.LookupEnv.
func NewHelper(lookup func(string) (string, bool)) *Helper {
	if lookup == nil {
		lookup = os.LookupEnv
	}
	return &Helper{lookup: lookup}
}

// Ask fetches a batch; the answers have the order of the items. The error is
// one of the helper as a whole: ErrNoHelper, or that it could not be started or
// ended early.
func (h *Helper) Ask(ctx context.Context, r Request) ([]Answer, error) {
	if len(r.Items) == 0 {
		return nil, nil
	}
	p, err := h.start()
	if err != nil {
		return nil, err
	}
	return p.ask(ctx, r)
}

func (h *Helper) start() (*process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errors.New("flotilla-secrets was closed")
	}
	if h.process != nil || h.err != nil {
		return h.process, h.err
	}
	path, err := h.find()
	if err == nil {
		h.process, err = startProcess(path)
	}
	h.err = err
	return h.process, err
}

// find looks where the variable says, else beside the running executable, else
// on PATH.
func (h *Helper) find() (string, error) {
	if named, _ := h.lookup(helperVariable); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("%w; FLOTILLA_SECRETS is %q: %w", ErrNoHelper, named, err)
		}
		return path, nil
	}
	path, err := program.Beside(helperName)
	if err != nil {
		return "", ErrNoHelper
	}
	return path, nil
}

// Close ends the process, if there is one, and waits for it. Ask fails from
// then on.
func (h *Helper) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.process == nil {
		return nil
	}
	err := h.process.close()
	h.process = nil
	return err
}
