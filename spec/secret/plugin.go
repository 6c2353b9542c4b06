package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/program"
)

// maxPlain bounds what a plugin may print.
const maxPlain = 32 << 20

// Plugin is the Helm plugin named secrets (helm-secrets). It is started as
// "helm secrets decrypt FILE" would start it.
type Plugin struct{ plugin *program.Plugin }

// FindPlugin looks for the plugin with the environment variables that lookup
// gives; nil: it is not there.
func FindPlugin(lookup func(string) (string, bool)) *Plugin {
	if p := program.FindPlugin(lookup, "secrets"); p != nil {
		return &Plugin{plugin: p}
	}
	return nil
}

// Decrypt gives the plain text of a file; the plugin runs in dir, empty: where
// we are. The error holds what the plugin printed on stderr. Before its version
// 4 the plugin's verb was view.
func (p *Plugin) Decrypt(ctx context.Context, dir, path string) ([]byte, error) {
	verb := "decrypt"
	major, _, _ := strings.Cut(strings.TrimPrefix(p.plugin.Version, "v"), ".")
	if n, err := strconv.Atoi(major); err == nil && n < 4 {
		verb = "view"
	}
	cmd, err := p.plugin.Command(ctx, verb, path)
	if err != nil {
		return nil, err
	}
	var out, stderr bounded
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &stderr
	if err := program.Run(ctx, cmd, program.Grace); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("running the Helm plugin secrets: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return out.Bytes(), nil
}

// bounded is a buffer that refuses to grow without bound.
type bounded struct{ bytes.Buffer }

// Write fails once the bound is passed, which ends the program that writes.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPlain {
		return 0, errors.New("too much output")
	}
	return b.Buffer.Write(p)
}
