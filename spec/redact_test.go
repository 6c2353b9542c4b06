package spec

import "testing"

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
