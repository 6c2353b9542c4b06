package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flotilla-sh/flotilla/spec"
)

const (
	maxBody    = 1 << 20 // of an answer, of which a text may be expected
	shownBytes = 200     // of an answer, in an error
	maxHops    = 10
)

// probe makes an HTTP probe.
func (r *Runner) probe(g spec.Gate) (trial, error) {
	p := g.HTTP
	client, err := clientFor(p.Reach)
	if err != nil {
		return trial{}, err
	}
	matches, err := regexp.Compile(p.Matches)
	if err != nil {
		return trial{}, fmt.Errorf("matches: %w", err)
	}
	hide := r.hide(p.Reach)
	try := func(ctx context.Context) error {
		a, err := r.ask(ctx, client, p.Reach, call{p.Method, p.URL, p.Body, ""})
		switch {
		case err != nil:
			return err
		case !expected(p.Status, a.status):
			return fmt.Errorf("the answer was %s", a.shown(hide))
		case !strings.Contains(a.body, p.Contains), !matches.MatchString(a.body):
			return fmt.Errorf("the body is another one: %s", a.shown(hide))
		default:
			return nil
		}
	}
	return trial{want: r.wanted(p), try: try, close: client.CloseIdleConnections}, nil
}

func (r *Runner) wanted(p spec.HTTPProbe) string {
	want := "status " + strings.Join(p.Status, " or ")
	if p.Contains != "" {
		want += fmt.Sprintf(" and a body with %q", r.opts.Redact(p.Contains))
	}
	if p.Matches != "" {
		want += fmt.Sprintf(" and a body that matches %q", r.opts.Redact(p.Matches))
	}
	return want
}

// expected holds a status against those of a gate, of which 2xx stands for all
// that begin with 2.
func expected(want []string, status int) bool {
	text := fmt.Sprint(status)
	for _, w := range want {
		if w == text || len(text) == 3 && w == text[:1]+"xx" {
			return true
		}
	}
	return false
}

type answer struct {
	status int
	body   string // at most maxBody
	to     string // where it sends us; empty: nowhere
}

// shown is an answer as an error tells it.
func (a answer) shown(redact func(string) string) string {
	text := fmt.Sprintf("%d %s", a.status, http.StatusText(a.status))
	if a.to != "" {
		text += " to " + spec.Reach{URL: a.to}.Address()
	}
	if body := excerpt(redact(a.body)); body != "" && a.to == "" { // where it sends us, the body says once more
		text += fmt.Sprintf(": %q", body)
	}
	return strings.TrimSpace(text)
}

// hide is hiding of what the gate tells a server.
func (r *Runner) hide(to spec.Reach) func(string) string {
	var secrets []string
	for _, value := range to.Headers {
		_, credentials, _ := strings.Cut(value, " ") // Bearer ...
		secrets = append(secrets, value, credentials)
	}
	if u, err := url.Parse(to.URL); err == nil {
		password, _ := u.User.Password()
		secrets = append(secrets, password)
		for _, values := range u.Query() {
			secrets = append(secrets, values...)
		}
	}
	return r.hiding(secrets)
}

// hiding takes out of a text what a gate has told in confidence, and every secret
// that the run has met.
func (r *Runner) hiding(secrets []string) func(string) string {
	const short = 4                                                            // such a text is part of too many words
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may be part of another
	var pairs []string
	for _, s := range secrets {
		if len(s) >= short {
			pairs = append(pairs, s, spec.Masked)
		}
	}
	replacer := strings.NewReplacer(pairs...)
	return func(text string) string { return r.opts.Redact(replacer.Replace(text)) }
}

// excerpt is the begin of a text, on one line.
func excerpt(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }), " ")
	if len(text) <= shownBytes {
		return text
	}
	end := shownBytes
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}

// call is one request.
type call struct{ method, url, body, contentType string }

// ask sends a request. Its errors hold no credentials.
func (r *Runner) ask(ctx context.Context, client *http.Client, to spec.Reach, c call) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, c.method, c.url, strings.NewReader(c.body))
	if err != nil {
		return answer{}, hopeless{fmt.Errorf("%s %s is no request: %w", c.method, to.Address(), bare(err))}
	}
	request.Header.Set("User-Agent", "flotilla")
	if c.contentType != "" {
		request.Header.Set("Content-Type", c.contentType)
	}
	for name, value := range to.Headers {
		if strings.EqualFold(name, "Host") {
			request.Host = value
			continue
		}
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("there was no answer: %s", r.opts.Redact(bare(err).Error()))
	}
	defer drain(response.Body)
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return answer{}, fmt.Errorf("the answer, %s, broke off: %w", response.Status, bare(err))
	}
	return answer{status: response.StatusCode, body: string(body), to: response.Header.Get("Location")}, nil
}

// bare is an error without the URL, which may hold credentials.
func bare(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// clientFor makes a client of a gate's own: certificates are the gate's, and
// nothing else shares its connections. It follows redirects on the same server
// only, because headers may be secrets; any other is the answer itself.
func clientFor(to spec.Reach) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: to.InsecureSkipTLSVerify}
	if to.CA != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(to.CA)) {
			return nil, errors.New("caFile: it holds no certificate in PEM")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			if len(via) >= maxHops || next.URL.Host != via[0].URL.Host || next.URL.Scheme != via[0].URL.Scheme {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}, nil
}
