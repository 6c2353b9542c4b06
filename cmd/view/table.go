package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// Table prints rows below a header, columns aligned, on w.
func Table(w io.Writer, header []string, rows [][]string) {
	widths := make([]int, len(header))
	for _, cells := range append([][]string{header}, rows...) {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, cells := range append([][]string{header}, rows...) {
		var line strings.Builder
		for i, c := range cells {
			line.WriteString(c + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	fmt.Fprint(w, b.String())
}

// JSON prints one value on a line of its own.
func JSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

// Text prints a result as it is, for commands whose output is a document.
func Text(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

// document prints one value as a YAML document, with the fields that JSON has.
func document(w io.Writer, value any) error {
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "---\n"+string(text))
	return err
}
