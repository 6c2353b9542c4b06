package secret

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
)

// Sops says whether a text is encrypted by SOPS, and in which format. The
// file's extension decides about the format, as it does for the sops program
// and helm-secrets; where it says nothing (.enc, .gotmpl) the metadata do.
func Sops(path string, text []byte) (Format, bool) {
	named, known := formatOf(path)
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) == nil {
		if object["sops"] == nil {
			return "", false
		}
		if known {
			return named, true
		}
		if _, ok := object["data"]; ok && len(object) == 2 {
			return FormatBinary, true
		}
		return FormatJSON, true
	}
	for _, f := range []struct {
		format Format
		mark   string
	}{
		{FormatYAML, `(?m)^sops:[ \t]*\r?\n(?:[ \t-].*\n|\r?\n)*?[ \t]+mac:`},
		{FormatDotenv, `(?m)^sops_mac=`},
		{FormatINI, `(?m)^\[sops\]`},
	} {
		if regexp.MustCompile(f.mark).Match(text) {
			return f.format, true
		}
	}
	return "", false
}

// formatOf is the format that a name says. A .gotmpl or .enc at its end hides
// what was encrypted.
func formatOf(path string) (Format, bool) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return FormatYAML, true
	case ".json":
		return FormatJSON, true
	case ".env":
		return FormatDotenv, true
	case ".ini":
		return FormatINI, true
	case ".enc", ".gotmpl", ".tmpl":
		return "", false
	default:
		return FormatBinary, true
	}
}
