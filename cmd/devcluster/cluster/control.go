package cluster

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/flotilla-sh/flotilla/cmd/devcluster/components"
)

// Action is what can be done to one component.
type Action string

// The actions. Start waits until the component serves; the others are done
// when Do returns.
const (
	Pause  Action = "pause"
	Resume Action = "resume"
	Kill   Action = "kill"
	Start  Action = "start"
)

// control is the supervisor's ear: an HTTP server on a local port.
type control struct {
	server *http.Server
	served chan struct{}
}

// serveControl starts to listen and writes the address to the data folder.
// shutdown is called when a client asks for the end of the cluster.
func serveControl(s *supervisor, shutdown func()) (*control, error) {
	token, err := newToken()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for requests: %w", err)
	}
	c := &control{
		server: &http.Server{Handler: authorized(token, routes(s, shutdown)), ReadHeaderTimeout: 10 * time.Second},
		served: make(chan struct{}),
	}
	err = writeJSON(s.layout.supervisor(), contact{Address: listener.Addr().String(), Token: token, PID: os.Getpid()})
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("writing the supervisor's address: %w", err)
	}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(listener)
	}()
	return c, nil
}

// close answers the requests that are under way, for a moment, and stops.
func (c *control) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		_ = c.server.Close()
	}
	<-c.served
}

func authorized(token string, next http.Handler) http.Handler {
	want := []byte("Bearer " + token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "wrong token", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func routes(s *supervisor, shutdown func()) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(s.status())
	})
	mux.HandleFunc("POST /ensure", func(w http.ResponseWriter, r *http.Request) {
		answer(w, s.ensure(r.Context()))
	})
	mux.HandleFunc("POST /shutdown", func(http.ResponseWriter, *http.Request) {
		shutdown()
	})
	mux.HandleFunc("POST /component/{name}/{action}", func(w http.ResponseWriter, r *http.Request) {
		name, action := components.Name(r.PathValue("name")), Action(r.PathValue("action"))
		if action == Start {
			answer(w, s.start(r.Context(), name))
			return
		}
		answer(w, s.signal(action, name))
	})
	return mux
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
