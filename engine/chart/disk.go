package chart

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// section is a folder of the cache.
type section string

const (
	builtCharts section = "charts/sha256"   // Chart.Archive, by the chart's digest
	downloads   section = "archives/sha256" // bytes as downloaded, by their digest
	indexFiles  section = "indexes"         // index.yaml with what a conditional request needs, by URL
	resolutions section = "resolved"        // what a reference meant last time, by reference
)

// disk is the cache folder. Entries appear by rename, so any number of
// processes may share it. An empty root keeps nothing.
type disk struct{ root string }

// path expects a name that is a digest or was made by keyOf: it never holds a
// separator.
func (d disk) path(in section, name string) string {
	return filepath.Join(d.root, string(in), strings.TrimPrefix(name, "sha256:"))
}

func (d disk) has(in section, name string) bool {
	_, err := os.Stat(d.path(in, name))
	return err == nil
}

// read gives nil for what is not there.
func (d disk) read(in section, name string) ([]byte, error) {
	if d.root == "" || !validName(name) {
		return nil, nil
	}
	data, err := os.ReadFile(d.path(in, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the chart cache: %w", err)
	}
	return data, nil
}

// download gives bytes only if they are those of the digest; damaged ones are
// removed and count as absent.
func (d disk) download(digest string) ([]byte, error) {
	data, err := d.read(downloads, digest)
	if data == nil || err != nil {
		return nil, err
	}
	if digestBytes(data) != digest {
		d.remove(downloads, digest)
		return nil, nil
	}
	return data, nil
}

func (d disk) write(in section, name string, data []byte) error {
	if d.root == "" || !validName(name) {
		return nil
	}
	final := d.path(in, name)
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return fmt.Errorf("writing the chart cache: %w", err)
	}
	temp, err := os.CreateTemp(filepath.Dir(final), ".part-*")
	if err != nil {
		return fmt.Errorf("writing the chart cache: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err := errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("writing the chart cache: %w", err)
	}
	if err := os.Rename(temp.Name(), final); err != nil {
		return fmt.Errorf("writing the chart cache: %w", err)
	}
	return nil
}

// remove is best effort: what stays is found damaged again.
func (d disk) remove(in section, name string) {
	if d.root != "" && validName(name) {
		_ = os.Remove(d.path(in, name))
	}
}

// resolution is what a reference meant when it was last looked up.
type resolution struct {
	Version    string `json:"version,omitempty"`
	Digest     string `json:"digest"`               // of the archive
	Provenance string `json:"provenance,omitempty"` // digest of the provenance file
	File       string `json:"file,omitempty"`       // name that the provenance file knows the archive by
}

// resolved gives the zero value for what is not known; a damaged entry counts
// as not known.
func (d disk) resolved(key string) (resolution, error) {
	var r resolution
	data, err := d.read(resolutions, key)
	if err != nil || data == nil {
		return r, err
	}
	if json.Unmarshal(data, &r) != nil {
		return resolution{}, nil
	}
	return r, nil
}

func (d disk) resolve(key string, r resolution) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing the chart cache: %w", err)
	}
	return d.write(resolutions, key, data)
}

// keyOf makes a file name of parts that may hold anything.
func keyOf(parts ...string) string {
	return strings.TrimPrefix(digestBytes([]byte(strings.Join(parts, "\x00"))), "sha256:")
}

func digestBytes(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// validName keeps names from outside (saved plans, indexes) inside the cache.
func validName(name string) bool {
	sum, err := hex.DecodeString(strings.TrimPrefix(name, "sha256:"))
	return err == nil && len(sum) == sha256.Size
}
