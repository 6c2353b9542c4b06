package cluster

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/flotilla-sh/flotilla/state"
)

// maxRecord bounds a decompressed release record. A Secret holds at most 1 MiB,
// and charts compress some twenty times at best, so more is not a release.
const maxRecord = 64 << 20

// storedRelease is the part of Helm's release record (pkg/release/v1) that a
// Revision needs; the chart's files and templates are skipped.
type storedRelease struct {
	Version     int            `json:"version"`
	Manifest    string         `json:"manifest"`
	Config      map[string]any `json:"config"`
	ApplyMethod string         `json:"apply_method"`
	Hooks       []storedHook   `json:"hooks"`
	Chart       struct {
		Metadata struct {
			Name       string `json:"name"`
			Version    string `json:"version"`
			AppVersion string `json:"appVersion"`
		} `json:"metadata"`
	} `json:"chart"`
	Info struct {
		Status       state.Status `json:"status"`
		Description  string       `json:"description"`
		Notes        string       `json:"notes"`
		LastDeployed string       `json:"last_deployed"` // Helm writes an empty string for none
		RolledBack   int          `json:"rollback_revision"`
	} `json:"info"`
}

type storedHook struct {
	Name           string            `json:"name"`
	Kind           string            `json:"kind"`
	Path           string            `json:"path"`
	Manifest       string            `json:"manifest"`
	Events         []state.HookEvent `json:"events"`
	Weight         int               `json:"weight"`
	DeletePolicies []string          `json:"delete_policies"`
}

// decoder reads release records one after the other and reuses its buffers.
type decoder struct {
	zip   gzip.Reader
	plain bytes.Buffer
}

// revision decodes one record: base64 of JSON, compressed unless it is very
// old (Helm's pkg/storage/driver/util.go).
func (d *decoder) revision(data []byte, labels map[string]string) (state.Revision, error) {
	raw, err := base64.StdEncoding.AppendDecode(nil, data)
	if err != nil {
		return state.Revision{}, err
	}
	if len(raw) > 3 && raw[0] == 0x1f && raw[1] == 0x8b && raw[2] == 0x08 {
		if raw, err = d.unzip(raw); err != nil {
			return state.Revision{}, err
		}
	}
	var stored storedRelease
	if err := json.Unmarshal(raw, &stored); err != nil {
		return state.Revision{}, err
	}
	if stored.Version <= 0 || stored.Info.Status == "" {
		return state.Revision{}, errors.New("it has no revision number or no status")
	}
	return stored.revision(labels)
}

// unzip gives bytes that are valid until its next call.
func (d *decoder) unzip(data []byte) ([]byte, error) {
	if err := d.zip.Reset(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	d.plain.Reset()
	n, err := io.Copy(&d.plain, io.LimitReader(&d.zip, maxRecord+1))
	if err != nil {
		return nil, err
	}
	if n > maxRecord {
		return nil, fmt.Errorf("it is larger than %d MiB when decompressed", maxRecord>>20)
	}
	return d.plain.Bytes(), nil
}

func (r *storedRelease) revision(labels map[string]string) (state.Revision, error) {
	rev := state.Revision{
		Number: r.Version,
		Status: r.Info.Status,
		Chart: state.Chart{
			Name:       r.Chart.Metadata.Name,
			Version:    r.Chart.Metadata.Version,
			AppVersion: r.Chart.Metadata.AppVersion,
		},
		Values:      r.Config,
		Stream:      []byte(r.Manifest),
		Notes:       r.Info.Notes,
		Description: r.Info.Description,
		Labels:      userLabels(labels),
		ApplyMethod: r.ApplyMethod,
		RolledBack:  r.Info.RolledBack,
	}
	for _, h := range r.Hooks {
		rev.Hooks = append(rev.Hooks, state.Hook(h))
	}
	if r.Info.LastDeployed != "" {
		at, err := time.Parse(time.RFC3339Nano, r.Info.LastDeployed)
		if err != nil {
			return state.Revision{}, err
		}
		rev.Deployed = at
	}
	return rev, nil
}

// userLabels leaves out the labels that Helm itself puts on a record; nil when
// nothing is left.
func userLabels(all map[string]string) map[string]string {
	var user map[string]string
	for name, value := range all {
		switch name {
		case "name", "owner", "status", "version", "createdAt", "modifiedAt":
			continue
		}
		if user == nil {
			user = map[string]string{}
		}
		user[name] = value
	}
	return user
}
