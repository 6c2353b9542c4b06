package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec/program"
	"github.com/flotilla-sh/flotilla/state/journal"
)

// gitPatience bounds what git may take in a large repository.
const gitPatience = 5 * time.Second

// commitOf asks git for the commit that a folder is at, and whether anything in
// and below it is not as committed; nil: it is in no repository, has no commit
// yet, or git is not there. No hook or monitor of the repository is started, and
// its index is not refreshed.
func commitOf(ctx context.Context, dir string) *journal.Commit {
	ctx, cancel := context.WithTimeout(ctx, gitPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath="+os.DevNull,
		"-C", dir, "status", "--porcelain=v2", "--branch", "--untracked-files=normal", "--", ".")
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.Discard
	if err := program.Run(ctx, cmd, time.Second); err != nil {
		return nil
	}
	return parseStatus(out.String())
}

// parseStatus reads what git status --porcelain=v2 --branch prints.
func parseStatus(text string) *journal.Commit {
	var c journal.Commit
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		id, isID := strings.CutPrefix(line, "# branch.oid ")
		switch {
		case isID && !strings.HasPrefix(id, "("): // "(initial)"
			c.ID = id
		case line != "" && !strings.HasPrefix(line, "#"):
			c.Modified = true
		}
	}
	if c.ID == "" {
		return nil
	}
	return &c
}
