package spec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestARedactorFindsASecretInQuotes(t *testing.T) {
	const canary = "ca\"na<ry>&'s\\end é\x07\""
	var r Redactor
	r.add(canary)
	object, err := json.Marshal(map[string]any{"k": canary})
	if err != nil {
		t.Fatal(err)
	}
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode([]any{canary, "tail"}); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, want string }{
		{"as it is", canary, "(masked)"},
		{"in Go's quotes", fmt.Sprintf("Invalid value: %q: no", canary), `Invalid value: "(masked)": no`},
		{"in Go's quotes for ASCII", fmt.Sprintf("%+q", canary), `"(masked)"`},
		{"in JSON", string(object), `{"k":"(masked)"}`},
		{"in JSON that leaves HTML alone", plain.String(), `["(masked)","tail"]` + "\n"},
		{"in JSON in Go's quotes", fmt.Sprintf("%q", object), `"{\"k\":\"(masked)\"}"`},
		{"in the single quotes of YAML", "k: '" + strings.ReplaceAll(canary, "'", "''") + "'", "k: '(masked)'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.Redact(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestARedactorLearnsWhatAnotherOneKnows(t *testing.T) {
	var met, later Redactor
	met.add(map[string]any{"password": "sword\"fish", "short": "abc"})
	later.Learn(met.Known())
	later.Learn([]string{"", "a"}) // parts of too many words
	for text, want := range map[string]string{
		`it is sword"fish`:        "it is (masked)",
		`{"p":"sword\"fish"}`:     `{"p":"(masked)"}`,
		"c3dvcmQiZmlzaA==":        "(masked)",
		"a word, abc and nothing": "a word, abc and nothing",
	} {
		if got := later.Redact(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
