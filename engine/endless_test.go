package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRenderingEndsWithItsContext(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, cause)
	defer cancel()
	files, err := execute(ctx, func() (map[string]string, error) {
		<-stop
		return map[string]string{"late": ""}, nil
	})
	if files != nil || !errors.Is(err, cause) {
		t.Errorf("files %v, error %v", files, err)
	}
}

func TestALongErrorOfATemplateIsShortened(t *testing.T) {
	cause := errors.New("begin " + strings.Repeat("x", 100_000) + " end")
	_, err := execute(t.Context(), func() (map[string]string, error) { return nil, cause })
	if text := err.Error(); len(text) > 3000 || !strings.HasPrefix(text, "begin") || !strings.HasSuffix(text, "end") || !errors.Is(err, cause) {
		t.Errorf("error of %d bytes: %.100s", len(text), text)
	}
	short := errors.New("short")
	if _, err := execute(t.Context(), func() (map[string]string, error) { return nil, short }); err != short {
		t.Errorf("error %v", err)
	}
}
