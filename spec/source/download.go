package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	getter "github.com/hashicorp/go-getter/v2"
)

// The bounds of one download.
const (
	maxFileBytes = 64 << 20
	maxFiles     = 100_000
	maxUnpacked  = 2 << 30
	maxTime      = 10 * time.Minute
)

// download fetches a source into dst, which is not there yet.
func download(ctx context.Context, a *address, dst string) error {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	if a.getter == "" {
		return downloadFile(ctx, a, dst)
	}
	switch a.getter {
	case "git", "http", "https":
	case "s3", "gcs":
		return downloadObjects(ctx, a, dst)
	default:
		return fmt.Errorf("the getter %q is unknown, expected git, http, https, s3 or gcs", a.getter)
	}
	client := &getter.Client{
		Getters:         getters(),
		Decompressors:   getter.LimitedDecompressors(maxFiles, maxUnpacked),
		DisableSymlinks: true,
	}
	_, err := client.Get(ctx, &getter.Request{
		Src:     a.getter + "::" + a.url.String(),
		Dst:     dst,
		Pwd:     filepath.Dir(dst),
		GetMode: getter.ModeDir,
	})
	if err != nil && a.getter == "git" && lacksRef(err.Error()) {
		return fmt.Errorf("%w: %w", ErrNoRef, err)
	}
	return err
}

// lacksRef reads the words of go-getter and git: neither tells a missing ref in
// another way.
func lacksRef(complaint string) bool {
	return strings.Contains(complaint, "invalid ref:") ||
		strings.Contains(complaint, "did not match any file(s) known to git") ||
		strings.Contains(complaint, "not found in upstream")
}

// getters are the ways of go-getter that are allowed: local files are not, so
// that a URL cannot be used to leave a repository.
func getters() []getter.Getter {
	return []getter.Getter{
		&getter.GitGetter{Timeout: maxTime},
		&getter.HttpGetter{Netrc: true, XTerraformGetDisabled: true, MaxBytes: maxUnpacked},
	}
}

// downloadFile gets one file over http into the folder dst, under its own
// name.
func downloadFile(ctx context.Context, a *address, dst string) error {
	if a.url.Scheme == "s3" {
		return errors.New("a plain s3:// URL is not supported, write s3::https://HOST/BUCKET@FILE")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url.String(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", resp.Status)
	}
	if err := os.Mkdir(dst, 0o755); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(dst, a.file))
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(resp.Body, maxFileBytes+1))
	if closing := out.Close(); err == nil {
		err = closing
	}
	if err == nil && n > maxFileBytes {
		err = fmt.Errorf("the file has more than %d bytes", maxFileBytes)
	}
	return err
}
