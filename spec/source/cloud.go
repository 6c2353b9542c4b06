package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/flotilla-sh/flotilla/spec/program"
)

// protocol is the version of the messages below; cmd/flotilla-fetch documents
// them and holds the same types.
const protocol = 1

type fetchMessage struct {
	Protocol int    `json:"protocol"`
	Source   string `json:"source"`
	Dst      string `json:"dst"`
}

type answerMessage struct {
	Protocol int    `json:"protocol"`
	Error    string `json:"error"`
}

// downloadObjects lets the helper fetch a folder of an object store. The URL,
// which may hold credentials, goes through its standard input.
func downloadObjects(ctx context.Context, a *address, dst string) error {
	path, err := program.Beside("flotilla-fetch")
	if err != nil {
		return fmt.Errorf("%s:: sources need the program flotilla-fetch, which comes with flotilla: %w", a.getter, err)
	}
	message, err := json.Marshal(fetchMessage{Protocol: protocol, Source: a.getter + "::" + a.url.String(), Dst: dst})
	if err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Dir = filepath.Dir(dst)
	cmd.Stdin, cmd.Stdout = bytes.NewReader(message), &out
	if err := program.Run(ctx, cmd, program.Grace); err != nil {
		return fmt.Errorf("running %s: %w", path, err)
	}
	var answer answerMessage
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil || answer.Protocol != protocol {
		return fmt.Errorf("%s does not answer as the flotilla-fetch of this flotilla does: install the two together", path)
	}
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	return nil
}
