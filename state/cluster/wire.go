package cluster

import (
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// reasonOf words what happened to a connection.
func reasonOf(err error) string {
	var network net.Error
	switch {
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

// wire is the lowest transport.
type wire struct{ next http.RoundTripper }

// RoundTrip marks errors.
func (w wire) RoundTrip(req *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(req)
	if err != nil {
		return response, wireError{err}
	}
	return response, nil
}

// WrappedRoundTripper gives what is below, as client-go asks for it.
func (w wire) WrappedRoundTripper() http.RoundTripper { return w.next }
