// Command flotilla-fetch is the helper process that brings folders from object
// stores (s3:: and gcs:: sources) for flotilla. It is a program of its own
// because go-getter links the SDKs of AWS and Google for them, which are half
// of flotilla's size and memory when it starts. flotilla starts it once for
// each such source.
//
// It has no arguments. Standard input is one request:
//
//	{"protocol":1,"source":"s3::https://s3.amazonaws.com/bucket/envs.tgz","dst":"/cache/fetch-1/got"}
//
// dst is a folder that is not there yet. Standard output is one answer, after
// which the helper ends:
//
//	{"protocol":1}
//	{"protocol":1,"error":"why dst is not there, or not whole"}
//
// Credentials come from the URL and from what the SDKs document: AWS_PROFILE,
// GOOGLE_APPLICATION_CREDENTIALS and so on.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	getter "github.com/hashicorp/go-getter"
)

// protocol is the version of the messages.
const protocol = 1

// The bounds of one source, as in flotilla's own downloads.
const (
	maxFileBytes = 64 << 20
	maxFiles     = 100_000
	maxUnpacked  = 2 << 30
	maxTime      = 10 * time.Minute
)

type request struct {
	Protocol int    `json:"protocol"`
	Source   string `json:"source"`
	Dst      string `json:"dst"`
}

type answer struct {
	Protocol int    `json:"protocol"`
	Error    string `json:"error,omitempty"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := serve(ctx, os.Stdin, os.Stdout)
	stop()
	os.Exit(code)
}

// serve answers one request. The exit code is 1 only when nobody could be
// answered.
func serve(ctx context.Context, in io.Reader, out io.Writer) int {
	a := answer{Protocol: protocol}
	var r request
	err := json.NewDecoder(in).Decode(&r)
	switch {
	case err != nil:
		err = errors.New("reading the request: expected one JSON object on standard input") // its text may hold credentials
	case r.Protocol != protocol:
		err = fmt.Errorf("this flotilla-fetch speaks version %d of the protocol, flotilla speaks %d: install the two together", protocol, r.Protocol)
	default:
		err = fetch(ctx, r)
	}
	if err != nil {
		a.Error = err.Error()
	}
	if json.NewEncoder(out).Encode(a) != nil {
		return 1
	}
	return 0
}

// fetch brings the folder. Getters other than those of object stores are not
// there, so that a source cannot lead anywhere else.
func fetch(ctx context.Context, r request) error {
	if forced, _, _ := strings.Cut(r.Source, "::"); forced != "s3" && forced != "gcs" {
		return errors.New("expected a source that begins with s3:: or gcs::")
	}
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	client := &getter.Client{
		Ctx:  ctx,
		Src:  r.Source,
		Dst:  r.Dst,
		Pwd:  filepath.Dir(r.Dst),
		Mode: getter.ClientModeDir,
		Getters: map[string]getter.Getter{
			"s3":  &getter.S3Getter{Timeout: maxTime},
			"gcs": &getter.GCSGetter{Timeout: maxTime, FileSizeLimit: maxFileBytes},
		},
		Decompressors:   getter.LimitedDecompressors(maxFiles, maxUnpacked),
		DisableSymlinks: true,
	}
	return client.Get()
}
