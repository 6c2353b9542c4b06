package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/spec"
)

// query makes an instant query of Prometheus. The API is that of
// https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries.
func (r *Runner) query(g spec.Gate) (trial, error) {
	q := g.Prometheus
	client, err := clientFor(q.Reach)
	if err != nil {
		return trial{}, err
	}
	threshold, err := spec.ParseThreshold(q.Threshold)
	if err != nil {
		return trial{}, err
	}
	target, err := url.Parse(q.URL)
	if err != nil {
		return trial{}, fmt.Errorf("%s is no address: %w", q.Address(), bare(err))
	}
	target = target.JoinPath("api", "v1", "query")
	body := url.Values{"query": {q.Query}}.Encode()
	hide := r.hide(q.Reach)
	try := func(ctx context.Context) error {
		a, err := r.ask(ctx, client, q.Reach, call{http.MethodPost, target.String(), body, "application/x-www-form-urlencoded"})
		if err != nil {
			return err
		}
		samples, err := samplesOf(a, hide)
		if err != nil {
			return err
		}
		return holds(samples, threshold, q.NoDataPass)
	}
	want := fmt.Sprintf("%s %s", strings.Join(strings.Fields(r.opts.Redact(q.Query)), " "), strings.TrimSpace(q.Threshold))
	return trial{want: want, try: try, close: client.CloseIdleConnections}, nil
}

// sample is one value of a result; series is empty for a scalar.
type sample struct {
	series string
	value  float64
}

// holds compares every value of a result. What is not a number is no data: so
// Prometheus answers a rate of nothing to nothing.
func holds(all []sample, threshold spec.Threshold, noDataPass bool) error {
	data := 0
	var wrong []string
	for _, s := range all {
		if math.IsNaN(s.value) {
			continue
		}
		data++
		if !threshold.Holds(s.value) {
			wrong = append(wrong, strings.TrimSpace(strconv.FormatFloat(s.value, 'g', -1, 64)+" "+s.series))
		}
	}
	const told = 3
	switch {
	case data == 0 && !noDataPass:
		return errors.New("the query gave no data (onNoData: pass lets that count as passed)")
	case len(wrong) == 0:
		return nil
	case len(wrong) > told:
		return fmt.Errorf("the value was %s and %d more", strings.Join(wrong[:told], ", "), len(wrong)-told)
	default:
		return fmt.Errorf("the value was %s", strings.Join(wrong, ", "))
	}
}

// samples reads an answer of Prometheus.
func samplesOf(a answer, hide func(string) string) ([]sample, error) {
	var body struct {
		Status    string
		ErrorType string
		Error     string
		Data      struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || body.Status == "" {
		return nil, fmt.Errorf("the answer is none of Prometheus: %s", a.shown(hide))
	}
	if body.Status != "success" {
		err := fmt.Errorf("prometheus refused the query: %s", excerpt(hide(body.ErrorType+": "+body.Error)))
		if body.ErrorType == "bad_data" {
			return nil, hopeless{err}
		}
		return nil, err
	}
	switch body.Data.ResultType {
	case "scalar":
		var point point
		err := json.Unmarshal(body.Data.Result, &point)
		return []sample{{value: float64(point)}}, err
	case "vector":
		return vector(body.Data.Result)
	default:
		return nil, hopeless{fmt.Errorf("the query gives a %s, and only a vector or a scalar can be compared", body.Data.ResultType)}
	}
}

func vector(result []byte) ([]sample, error) {
	var series []struct {
		Metric map[string]string
		Value  *point
	}
	if err := json.Unmarshal(result, &series); err != nil {
		return nil, fmt.Errorf("reading the result of the query: %w", err)
	}
	var all []sample
	for _, s := range series {
		if s.Value == nil {
			return nil, hopeless{errors.New("the query gives histograms, and only numbers can be compared")}
		}
		all = append(all, sample{name(s.Metric), float64(*s.Value)})
	}
	return all, nil
}

// name writes a series as Prometheus does, its labels in order.
func name(metric map[string]string) string {
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(metric)) {
		if key != "__name__" {
			labels = append(labels, fmt.Sprintf("%s=%q", key, metric[key]))
		}
	}
	if len(labels) == 0 {
		return metric["__name__"]
	}
	return metric["__name__"] + "{" + strings.Join(labels, ", ") + "}"
}

// point is the value of [time, "value"].
type point float64

// UnmarshalJSON reads numbers as Prometheus writes them, with NaN, +Inf and -Inf.
func (p *point) UnmarshalJSON(data []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	var text string
	if err := json.Unmarshal(pair[1], &text); err != nil {
		return err
	}
	value, err := strconv.ParseFloat(text, 64)
	*p = point(value)
	return err
}
