package verify_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/hooks"
	"github.com/flotilla-sh/flotilla/hooks/verify"
	"github.com/flotilla-sh/flotilla/spec"
)

// run tries a gate with short times in place of those that it does not say.
func run(t *testing.T, g spec.Gate) error {
	t.Helper()
	g.Interval, g.Timeout = 5*time.Millisecond, 10*time.Second
	r := verify.New(verify.Options{
		Programs: hooks.New(hooks.Options{}),
		Redact:   func(text string) string { return strings.ReplaceAll(text, "swordfish", "(masked)") },
	})
	return r.Run(t.Context(), spec.Release{}, g, nil)
}

// told holds an error against what it has to say: empty is none.
func told(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if (want == "") != (got == "") || !strings.Contains(got, want) {
		t.Errorf("error %q, want %q", got, want)
	}
	for _, secret := range []string{"hunter22", "swordfish", "sesame"} {
		if strings.Contains(got, secret) {
			t.Errorf("the error %q has a secret", got)
		}
	}
}

func probe(url string, change func(*spec.Gate)) spec.Gate {
	g := spec.Gate{Kind: spec.GateHTTP, HTTP: spec.HTTPProbe{Reach: spec.Reach{URL: url}, Method: "GET", Status: []string{"2xx"}}}
	if change != nil {
		change(&g)
	}
	return g
}

// shop is a server with answers for every case. Every request is counted.
type shop struct{ asked atomic.Int64 }

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.asked.Add(1)
	switch r.URL.Path {
	case "/ok":
		fmt.Fprintf(w, "%s %s %s\nall is well", r.Method, r.Header.Get("X-Key"), r.Host)
	case "/soon":
		if n < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	case "/flaky":
		if n > 2 {
			w.WriteHeader(http.StatusBadGateway)
		}
	case "/away":
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "no route to swordfish\n\x1b[31m", strings.Repeat("x", 500))
	case "/here":
		http.Redirect(w, r, "/ok", http.StatusFound)
	case "/there":
		http.Redirect(w, r, "http://user:hunter22@elsewhere.invalid/ok?token=sesame", http.StatusFound)
	case "/echo":
		w.WriteHeader(http.StatusTeapot)
		user, password, _ := r.BasicAuth()
		fmt.Fprint(w, r.Header.Get("X-Key"), " of ", user, " ", password, " ", r.URL.RawQuery)
	case "/hangs":
		<-r.Context().Done()
	default:
		http.NotFound(w, r)
	}
}

func TestHTTP(t *testing.T) {
	server := httptest.NewServer(&shop{})
	defer server.Close()
	url := strings.Replace(server.URL, "://", "://user:hunter22@", 1)
	host := strings.TrimPrefix(server.URL, "http://")
	tests := []struct {
		name, path string
		change     func(*spec.Gate)
		want       string
	}{
		{"a good answer", "/ok", nil, ""},
		{"with the text that is expected", "/ok", func(g *spec.Gate) { g.HTTP.Contains, g.HTTP.Matches = "all is", `(?m)^all .* well$` }, ""},
		{"headers, a host and a method of one's own", "/ok", func(g *spec.Gate) {
			g.HTTP.Method, g.HTTP.Headers, g.HTTP.Contains = "PUT", map[string]string{"X-Key": "k", "host": "shop.example"}, "PUT k shop.example"
		}, ""},
		{"a status that is expected", "/nothing", func(g *spec.Gate) { g.HTTP.Status = []string{"204", "404"} }, ""},
		{"a redirect on the same server is followed", "/here", func(g *spec.Gate) { g.HTTP.Contains = "all is" }, ""},
		{"a redirect to another server is the answer, told without credentials", "/there?token=sesame", nil,
			"expected status 2xx, the answer was 302 Found to http://elsewhere.invalid/ok"},
		{"a server that tells what it was told", "/echo?token=sesame", func(g *spec.Gate) {
			g.HTTP.Headers = map[string]string{"X-Key": "Key sesame-oil"}
		}, `418 I'm a teapot: "(masked) of user (masked) token=(masked)"`},
		{"another status", "/away", nil, `the answer was 503 Service Unavailable: "no route to (masked) [31mxxx`},
		{"another text", "/ok", func(g *spec.Gate) { g.HTTP.Contains = "swordfish" },
			`expected status 2xx and a body with "(masked)", the body is another one: 200 OK: "GET`},
		{"another form", "/ok", func(g *spec.Gate) { g.HTTP.Matches = "^all$" }, `a body that matches "^all$"`},
		{"nobody is there", "", func(g *spec.Gate) { g.HTTP.URL = "http://user:hunter22@127.0.0.1:1/x?token=sesame" },
			`the gate "http GET http://127.0.0.1:1/x" was not passed: expected status 2xx, there was no answer: dial tcp 127.0.0.1:1: connect: connection refused`},
		{"the name is shown in place of the address", "/away", func(g *spec.Gate) { g.Name = "health" }, `the gate "health" was not passed`},
		{"its place in the file is told", "/away", func(g *spec.Gate) { g.Pos = spec.Pos{File: "helmfile.yaml", Line: 7} }, `helmfile.yaml:7: the gate "http GET http://` + host + `/away"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			told(t, run(t, probe(url+tt.path, tt.change)), tt.want)
		})
	}
}

func TestTries(t *testing.T) {
	tests := []struct {
		name, path string
		within     time.Duration
		soak       time.Duration
		want       string
		asked      func(n int64) bool
	}{
		{"it is tried until it is passed", "/soon", time.Minute, 0, "", func(n int64) bool { return n == 3 }},
		{"or until the time is over", "/away", 300 * time.Millisecond, 0, "expected status 2xx within 300ms, the answer was 503", func(n int64) bool { return n > 1 }},
		{"without a time once", "/away", 0, 0, "expected status 2xx, the answer was 503", func(n int64) bool { return n == 1 }},
		{"it has to stay passed", "/flaky", 0, time.Minute, "expected status 2xx for 1m0s, after 0s the answer was 502 Bad Gateway (try 3)", func(n int64) bool { return n == 3 }},
		{"for its whole time", "/ok", 0, 300 * time.Millisecond, "", func(n int64) bool { return n > 2 }},
		{"which begins when it is passed first", "/soon", time.Minute, 20 * time.Millisecond, "", func(n int64) bool { return n > 3 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &shop{}
			server := httptest.NewServer(s)
			defer server.Close()
			g := probe(server.URL+tt.path, func(g *spec.Gate) { g.Within, g.For = tt.within, tt.soak })
			told(t, run(t, g), tt.want)
			if n := s.asked.Load(); !tt.asked(n) {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestATryThatTakesTooLongIsEnded(t *testing.T) {
	server := httptest.NewServer(&shop{})
	defer server.Close()
	g := probe(server.URL+"/hangs", nil)
	g.Timeout, g.Interval = 20*time.Millisecond, time.Millisecond
	told(t, verify.New(verify.Options{}).Run(t.Context(), spec.Release{}, g, nil), "it took longer than 20ms")
	g = spec.Gate{Kind: spec.GateCommand, Timeout: 200 * time.Millisecond, Command: spec.GateCommandRun{Argv: []string{"sh", "-c", "echo waiting for the shop; exec sleep 60"}, Dir: t.TempDir()}}
	told(t, verify.New(verify.Options{Programs: hooks.New(hooks.Options{})}).Run(t.Context(), spec.Release{}, g, nil),
		"it took longer than 200ms\n  its last output:\n    waiting for the shop")
}

func TestAnInterruptEndsASoakAtOnce(t *testing.T) {
	server := httptest.NewServer(&shop{})
	defer server.Close()
	cause := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	g := probe(server.URL+"/ok", func(g *spec.Gate) { g.For, g.Interval, g.Timeout = time.Hour, time.Hour, time.Hour })
	var phases []string
	began := time.Now()
	err := verify.New(verify.Options{}).Run(ctx, spec.Release{}, g, func(text string) {
		if phases = append(phases, text); len(phases) == 2 {
			cancel(cause)
		}
	})
	if !errors.Is(err, cause) || time.Since(began) > time.Minute {
		t.Errorf("error %v after %s", err, time.Since(began))
	}
	title := "http GET " + server.URL + "/ok"
	if d := cmp.Diff([]string{title, title + ", which has to hold for 1h0m0s"}, phases); d != "" {
		t.Errorf("phases (-want +got):\n%s", d)
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(&shop{})
	defer server.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	tests := []struct {
		name   string
		change func(*spec.Gate)
		want   string
	}{
		{"a certificate of nobody we know", nil, "there was no answer: tls: failed to verify certificate"},
		{"the gate's own authority", func(g *spec.Gate) { g.HTTP.CA = ca }, ""},
		{"no questions asked", func(g *spec.Gate) { g.HTTP.InsecureSkipTLSVerify = true }, ""},
		{"an authority that is none", func(g *spec.Gate) { g.HTTP.CA = "rubbish" }, "caFile: it holds no certificate in PEM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			told(t, run(t, probe(server.URL+"/ok", tt.change)), tt.want)
		})
	}
}

func TestPrometheus(t *testing.T) {
	const query = `rate(errors{job="web"}[1m])`
	vector := func(values ...string) string {
		var all []string
		for i, v := range values {
			all = append(all, fmt.Sprintf(`{"metric":{"__name__":"e","pod":"p%d","job":"web"},"value":[1435781451.781,%q]}`, i, v))
		}
		return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(all, ",") + `]}}`
	}
	scalar := func(v string) string {
		return `{"status":"success","data":{"resultType":"scalar","result":[1435781451.781,"` + v + `"]}}`
	}
	tests := []struct {
		name, answer, threshold string
		pass                    bool
		want                    string
	}{
		{"a vector that is below", vector("0.001", "0"), "< 0.01", false, ""},
		{"a scalar that is above", scalar("3"), ">=3", false, ""},
		{"equal", scalar("3"), "== 3", false, ""},
		{"one value that is not", vector("0.001", "0.5"), "< 0.01", false,
			`expected rate(errors{job="web"}[1m]) < 0.01, the value was 0.5 e{job="web", pod="p1"}`},
		{"many values that are not", vector("5", "6", "7", "8", "9"), "!= 5 ", false, ""},
		{"many that are too large", vector("5", "6", "7", "8", "9"), "< 1", false, "and 2 more"},
		{"infinity is a number", scalar("+Inf"), "< 1", false, "the value was +Inf"},
		{"no data", vector(), "< 1", false, "the query gave no data (onNoData: pass"},
		{"no data that is fine", vector(), "< 1", true, ""},
		{"what is not a number is no data", vector("NaN"), "< 1", false, "no data"},
		{"what is not a number beside one that is", vector("NaN", "0"), "< 1", false, ""},
		{"a query that is refused", `{"status":"error","errorType":"bad_data","error":"parse error: swordfish"}`, "< 1", false,
			"prometheus refused the query: bad_data: parse error: (masked)"},
		{"a matrix", `{"status":"success","data":{"resultType":"matrix","result":[]}}`, "< 1", false, "the query gives a matrix"},
		{"histograms", `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}`, "< 1", false, "histograms"},
		{"something else", "<html>Login</html>", "< 1", false, `the answer is none of Prometheus: 200 OK: "<html>Login</html>"`},
	}
	for _, tt := range tests {
		if strings.HasPrefix(tt.name, "many values") {
			tt.want = `the value was 5 e{job="web", pod="p0"}`
		}
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/prom/api/v1/query" || r.PostFormValue("query") != query || r.Header.Get("Authorization") != "Bearer sesame" {
					http.Error(w, "not this", http.StatusTeapot)
					return
				}
				fmt.Fprint(w, tt.answer)
			}))
			defer server.Close()
			g := spec.Gate{Kind: spec.GatePrometheus, Prometheus: spec.PrometheusQuery{
				Reach: spec.Reach{URL: server.URL + "/prom/", Headers: map[string]string{"Authorization": "Bearer sesame"}},
				Query: query, Threshold: tt.threshold, NoDataPass: tt.pass,
			}}
			told(t, run(t, g), tt.want)
		})
	}
}

func TestABadQueryIsNotTriedAgain(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"no"}`)
	}))
	defer server.Close()
	g := spec.Gate{Kind: spec.GatePrometheus, Within: time.Hour, Prometheus: spec.PrometheusQuery{
		Reach: spec.Reach{URL: server.URL}, Query: "(", Threshold: "< 1"}}
	told(t, run(t, g), "bad_data: no")
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("OUTER", "outer")
	sh := func(script string) spec.Gate {
		return spec.Gate{Kind: spec.GateCommand, Name: "smoke", Command: spec.GateCommandRun{
			Argv: []string{"sh", "-c", script, "name", "arg"}, Env: map[string]string{"INNER": "in ner"}, Dir: dir}}
	}
	told(t, run(t, sh(`echo "$OUTER $INNER $1" > out`)), "")
	if out, err := os.ReadFile(dir + "/out"); err != nil || string(out) != "outer in ner arg\n" {
		t.Errorf("it wrote %q, %v", out, err)
	}
	told(t, run(t, sh(`echo swordfish; echo more >&2; exit 3`)),
		"the gate \"smoke\" was not passed: expected exit status 0, exit status 3\n  its last output:\n    (masked)\n    more")
	told(t, run(t, sh(`printf '\033[31mred\033[0m\tand \033]0;title\007plain\r\n'; exit 3`)),
		"exit status 3\n  its last output:\n    red and plain")
	keys := sh(`echo "$API_TOKEN of $INNER"; exit 3`)
	keys.Command.Env["API_TOKEN"] = "sesame-oil"
	told(t, run(t, keys), "its last output:\n    (masked) of in ner")
	tired := sh(`exit 3`)
	tired.Within = 20 * time.Millisecond
	told(t, run(t, tired), "expected exit status 0 within 20ms, exit status 3 (try ")
	again := sh(`test -e there || { touch there; exit 1; }`)
	again.Within = time.Minute
	told(t, run(t, again), "")
	g := sh("true")
	g.Command.Argv = []string{"no-such-program"}
	told(t, run(t, g), `starting "no-such-program"`)
	none := verify.New(verify.Options{Programs: hooks.New(hooks.Options{NoExec: true})})
	if err := none.Run(t.Context(), spec.Release{}, sh("touch ran"), nil); !errors.Is(err, hooks.ErrNoExec) {
		t.Errorf("error %v, want %v", err, hooks.ErrNoExec)
	}
	if _, err := os.Stat(dir + "/ran"); err == nil {
		t.Error("it was started")
	}
}

func TestTheTestOfAChart(t *testing.T) {
	failed := errors.New("pod web-test failed")
	for _, want := range []error{nil, failed} {
		r := verify.New(verify.Options{Test: func(_ context.Context, r spec.Release, g spec.Gate) error {
			if r.ID.Name != "web" || g.Test.Only[0] != "smoke" {
				t.Errorf("tested %s with %+v", r.ID, g.Test)
			}
			return want
		}})
		g := spec.Gate{Kind: spec.GateTest, Test: spec.ChartTest{Only: []string{"smoke"}}}
		err := r.Run(t.Context(), spec.Release{ID: spec.ReleaseID{Name: "web"}}, g, nil)
		if !errors.Is(err, want) || want != nil && err.Error() != `the gate "test of the chart" was not passed: pod web-test failed` {
			t.Errorf("error %v, want %v", err, want)
		}
	}
}
