package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// Severity is how bad a LintMessage is.
type Severity string

// The severities of helm lint.
const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// LintMessage is one finding of helm lint.
type LintMessage struct {
	Severity Severity
	Path     string // in the chart
	Text     string
}

// Lint checks the chart of a release with its values and sets by Helm's rules,
// as it is before patches. What it finds is in the messages; an error means
// that it could not look.
func (e *Engine) Lint(ctx context.Context, in RenderInput) ([]LintMessage, error) {
	messages, err := e.lint(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("linting %s: %w", in.Release.ID, err)
	}
	return messages, nil
}

func (e *Engine) lint(ctx context.Context, in RenderInput) ([]LintMessage, error) {
	r := in.Release
	values, err := withSets(in.Values, r.Set)
	if err != nil {
		return nil, err
	}
	stored, err := e.chart(ctx, in, values)
	if err != nil {
		return nil, err
	}
	loaded, err := stored.Load()
	if err != nil {
		return nil, err
	}
	if !r.Options.SkipSchemaValidation {
		if err := checkSchemas(loaded); err != nil {
			return nil, err
		}
	}
	// Helm's rules read a folder, and a remote chart has none.
	dir, err := os.MkdirTemp("", "flotilla-lint-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := chartutil.SaveDir(loaded, dir); err != nil {
		return nil, err
	}
	options := []lint.LinterOption{lint.WithSkipSchemaValidation(r.Options.SkipSchemaValidation)}
	if r.Options.KubeVersion != "" {
		version, err := common.ParseKubeVersion(r.Options.KubeVersion)
		if err != nil {
			return nil, fmt.Errorf("parsing kubeVersion %q: %w", r.Options.KubeVersion, err)
		}
		options = append(options, lint.WithKubeVersion(version))
	}
	found := lint.RunAll(filepath.Join(dir, loaded.Name()), values, r.ID.Namespace, options...)
	messages := make([]LintMessage, 0, len(found.Messages))
	for _, m := range found.Messages {
		messages = append(messages, LintMessage{Severity: severity(m.Severity), Path: m.Path, Text: m.Err.Error()})
	}
	return messages, nil
}

// severity takes what Helm does not rate for an error, rather than hide it.
func severity(helm int) Severity {
	switch helm {
	case support.InfoSev:
		return SeverityInfo
	case support.WarningSev:
		return SeverityWarning
	default:
		return SeverityError
	}
}
