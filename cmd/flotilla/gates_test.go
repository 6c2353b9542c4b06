package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// serveWork serves the folder of a script under $WEB, so that the script decides
// by its files what is answered. Credentials in requests are not looked at.
func serveWork(t testing.TB, env *testscript.Env) {
	server := httptest.NewServer(http.FileServer(http.Dir(env.WorkDir)))
	t.Cleanup(server.Close)
	env.Setenv("WEB", server.Listener.Addr().String())
}
