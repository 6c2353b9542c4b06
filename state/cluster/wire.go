package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// reasonOf words what happened to a connection.
func reasonOf(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, errSilent):
		return errSilent.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return "the connection was closed"
	case errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	default:
		return "the connection was lost"
	}
}

// wireError marks what happened between here and the server, below everything
// that has a say in whether a request is sent.
type wireError struct{ error }

// Unwrap gives what happened.
func (w wireError) Unwrap() error { return w.error }

func unwired(err error) error {
	var w wireError
	if errors.As(err, &w) {
		return w.error
	}
	return err
}

// longestFlight bounds one attempt of a request, from when it is sent until its
// answer has been read. An API server itself answers within a minute whatever does
// not go on for ever: --request-timeout in
// k8s.io/apiserver/pkg/server/config.go. What is between here and there may keep a
// connection alive behind which nobody is left.
const longestFlight = 90 * time.Second

// errSilent ends an attempt that was under way for too long. It is a net.Error.
var errSilent = fmt.Errorf("no answer in %s: %w", longestFlight, os.ErrDeadlineExceeded)

// wire is the lowest transport.
type wire struct{ next http.RoundTripper }

// RoundTrip marks errors, and bounds how long an attempt takes: here it has what it
// needs in order to be sent, such as a lock.
func (w wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if endless(req) {
		return w.send(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(longestFlight, func() { cancel(errSilent) })
	response, err := w.send(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		cancel(nil)
		return response, silence(ctx, err)
	}
	response.Body = &bounded{response.Body, ctx, func() { timer.Stop(); cancel(nil) }}
	return response, nil
}

func (w wire) send(req *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(req)
	if err != nil {
		return response, wireError{err}
	}
	return response, nil
}

// silence gives the reason why an attempt failed where that was its bound.
func silence(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSilent) {
		return wireError{errSilent}
	}
	return err
}

// bounded is an answer that has to be read in time.
type bounded struct {
	io.ReadCloser
	ctx  context.Context
	done func()
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = silence(b.ctx, err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *bounded) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

// WrappedRoundTripper gives what is below, as client-go asks for it.
func (w wire) WrappedRoundTripper() http.RoundTripper { return w.next }
