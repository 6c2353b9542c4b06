package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/decrypt"
	"github.com/helmfile/vals"
)

// store answers requests. vals keeps what it fetched, by reference; because a
// relative path means another file in another folder, each folder has a
// runtime of its own.
type store struct {
	slots chan struct{}
	work  workdir

	mu       sync.Mutex
	runtimes map[string]*vals.Runtime
}

func newStore() *store {
	s := &store{slots: make(chan struct{}, workers), runtimes: map[string]*vals.Runtime{}}
	s.work.free = sync.NewCond(&s.work.mu)
	return s
}

// answer works on all items at the same time.
func (s *store) answer(r request) []answer {
	answers := make([]answer, len(r.Items))
	if err := s.work.enter(r.Dir); err != nil {
		for i := range answers {
			answers[i].Error = err.Error()
		}
		return answers
	}
	defer s.work.leave()
	var running sync.WaitGroup
	for i, it := range r.Items {
		running.Go(func() {
			s.slots <- struct{}{}
			defer func() { <-s.slots }()
			if r.NoExec && runsProgram(it.Ref) {
				answers[i] = answer{Error: "no programs may be started"}
				return
			}
			answers[i] = s.one(r.Dir, it)
		})
	}
	running.Wait()
	return answers
}

// runsProgram says whether vals would start a program for a reference, or for
// one that stands inside it. Schemes are the same in upper case.
func runsProgram(ref string) bool {
	return regexp.MustCompile(`(?i)(^|ref\+)\s*(exec|keychain):`).MatchString(ref)
}

// one never panics: a back end that does must not take the others along.
func (s *store) one(dir string, it item) (a answer) {
	defer func() {
		if recover() != nil { // what it says may hold a secret
			a = answer{Error: "the back end panicked"}
		}
	}()
	if it.Ref == "" {
		text, err := decrypt.Data(it.Data, it.Format)
		if err != nil {
			return answer{Error: sopsError(err)}
		}
		return answer{Text: text}
	}
	v, err := s.fetch(dir, it.Ref)
	if err != nil {
		return answer{Error: withoutValues(err.Error())}
	}
	return answer{Value: plain(v)}
}

// fetch asks vals for the first key of the fragment and looks the others up
// itself: the errors of vals about a key on the way show the value there.
func (s *store) fetch(dir, ref string) (any, error) {
	base, fragment, _ := strings.Cut(ref, "#")
	keys := strings.Split(strings.TrimPrefix(fragment, "/"), "/")
	if len(keys) > 1 && !strings.HasPrefix(strings.ToLower(ref), "httpjson:") { // its fragment is an XPath
		ref = base + "#/" + keys[0]
	} else {
		keys = keys[:1]
	}
	runtime, err := s.runtime(dir)
	if err != nil {
		return nil, err
	}
	const key = "value"
	out, err := runtime.Eval(map[string]any{key: "ref+" + ref})
	if err != nil {
		return nil, err
	}
	v := plain(out[key])
	for _, k := range keys[1:] {
		m, ok := v.(map[string]any)
		if !ok && v != nil {
			return nil, fmt.Errorf("there is no key %q: what is above it is no map", k)
		}
		next, found := m[k]
		if !found {
			return nil, missing(fragment)
		}
		v = next
	}
	return v, nil
}

// failOnMissing is helmfile's variable for strictness.
const failOnMissing = "HELMFILE_VALS_FAIL_ON_MISSING_KEY_IN_MAP"

func strict() bool {
	on, _ := strconv.ParseBool(os.Getenv(failOnMissing))
	return on
}

// missing gives the error for a key that is not there; without strictness it
// is null, as in helmfile.
func missing(fragment string) error {
	if strict() {
		return fmt.Errorf("no value found for key %s", fragment)
	}
	return nil
}

func (s *store) runtime(dir string) (*vals.Runtime, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runtimes[dir]; r != nil {
		return r, nil
	}
	r, err := vals.New(vals.Options{LogOutput: io.Discard, AWSLogLevel: "off", FailOnMissingKeyInMap: strict()})
	if err == nil {
		s.runtimes[dir] = r
	}
	return r, err
}

// sopsError adds what SOPS tells about each key that it tried.
func sopsError(err error) string {
	text := err.Error()
	var detailed sops.UserError
	if errors.As(err, &detailed) {
		words := slices.DeleteFunc(strings.Fields(detailed.UserError()), func(w string) bool { return w == "|" })
		text += ": " + strings.Join(words, " ")
	}
	return withoutValues("decrypting with sops: " + text)
}

// withoutValues takes out what YAML libraries quote of a text that they cannot
// decode.
func withoutValues(text string) string {
	return regexp.MustCompile("(?s)`.*`").ReplaceAllString(text, "`(masked)`")
}

// plain turns the maps of YAML libraries into those of JSON.
func plain(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[fmt.Sprint(k)] = plain(e)
		}
		return m
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = plain(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = plain(e)
		}
		return l
	default:
		return v
	}
}
