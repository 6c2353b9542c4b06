package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/secret"
)

// hanging is a helper that answers nothing until whoever asks gives up.
type hanging struct{ asked chan struct{} }

func (h hanging) Ask(ctx context.Context, _ secret.Request) ([]secret.Answer, error) {
	close(h.asked)
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(20 * time.Second):
		return nil, errors.New("nobody gave up")
	}
}

func TestAnInterruptEndsAHookThatWaitsForASecret(t *testing.T) {
	dir := t.TempDir()
	state := "hooks:\n- {events: [prepare], command: 'true', args: ['{{` {{ fetchSecretValue \"ref+vault://kv/app#/key\" }} `}}']}\nreleases: []\n"
	if err := os.WriteFile(filepath.Join(dir, "helmfile.yaml.gotmpl"), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	helper := hanging{make(chan struct{})}
	loaded, err := spec.Load(t.Context(), "", spec.LoadOptions{Dir: dir, Secrets: helper})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{globals: &Globals{}, env: Env{Lookup: func(string) (string, bool) { return "", false }}}
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-helper.asked
		cancel(Interrupt{os.Interrupt})
	}()
	if err := s.lifecycle(loaded).global(ctx, spec.EventPrepare, nil); !errors.As(err, new(Interrupt)) {
		t.Errorf("got %v, want the interrupt", err)
	}
}
