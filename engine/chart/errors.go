package chart

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
)

// Kinds of failure that a caller decides on, matched with errors.Is. The error
// itself says what was looked for, where, and what to do.
var (
	// ErrNotFound: there is no such chart, version, tag or path.
	ErrNotFound = errors.New("chart not found")
	// ErrInvalid: something was found that is not a chart that Helm accepts.
	ErrInvalid = errors.New("invalid chart")
	// ErrUnknownRepository: a repository's name is declared nowhere.
	ErrUnknownRepository = errors.New("unknown chart repository")
	// ErrUnreachable: a repository or registry does not answer as one.
	ErrUnreachable = errors.New("chart repository unreachable")
	// ErrAccess: a repository or registry refuses the credentials, or wants some.
	ErrAccess = errors.New("access to chart repository denied")
	// ErrChecksum: downloaded bytes are not those that were promised.
	ErrChecksum = errors.New("chart checksum mismatch")
	// ErrProvenance: a chart that must be verified could not be.
	ErrProvenance = errors.New("chart provenance not verified")
	// ErrLock: a lock file does not fit the dependencies that are declared.
	ErrLock = errors.New("dependency lock out of sync")
	// ErrMissingDependency: charts/ lacks a dependency that nothing provides.
	ErrMissingDependency = errors.New("chart dependency missing")
	// ErrOffline: the cache does not have it and the network may not be asked.
	ErrOffline = errors.New("not in the chart cache")
)

// fault is an error of one of the kinds above whose text does not repeat the
// kind.
type fault struct {
	kind  error
	text  string
	cause error
}

func fail(kind error, format string, args ...any) error {
	return &fault{kind: kind, text: fmt.Sprintf(format, args...)}
}

func failFor(kind, cause error, format string, args ...any) error {
	return &fault{kind: kind, text: fmt.Sprintf(format, args...), cause: cause}
}

func (f *fault) Error() string {
	if f.cause == nil {
		return f.text
	}
	return f.text + ": " + f.cause.Error()
}

func (f *fault) Unwrap() error { return f.cause }

func (f *fault) Is(target error) bool { return target == f.kind }

// stopped reports whether ctx is what ended the work, so that the error is no
// news about the chart.
func stopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.Canceled)
}

// redact removes what may be a credential from a URL: user information and the
// values of the query.
func redact(raw string) string {
	raw = userinfo.ReplaceAllString(raw, "://***@")
	return query.ReplaceAllString(raw, "$1=***")
}

var (
	userinfo = regexp.MustCompile(`://[^/?#@\s]*(?:@[^/?#@\s]*)*@`)
	query    = regexp.MustCompile(`([?&][^=&\s]+)=[^&\s"]*`)
)

// redacted is an error of other people's code, which may quote URLs.
type redacted struct{ err error }

func (r redacted) Error() string { return redact(r.err.Error()) }

func (r redacted) Unwrap() error { return r.err }

// inner strips the URL that net/http puts around an error: it may carry
// credentials, and the texts here name the repository already.
func inner(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
