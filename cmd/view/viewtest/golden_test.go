package viewtest

import "testing"

func TestFirstDifference(t *testing.T) {
	tests := []struct {
		name, want, got string
		line            int
		wanted, is      string
	}{
		{"equal texts", "a\nb\n", "a\nb\n", 0, "", ""},
		{"another line", "a\nb\nc\n", "a\nx\nc\n", 2, "b\n", "x\n"},
		{"a line more", "a\n", "a\nb\n", 2, "", "b\n"},
		{"a line less", "a\nb\n", "a\n", 2, "b\n", ""},
		{"no end of the last line", "a\n", "a", 1, "a\n", "a"},
		{"nothing is wanted yet", "", "a\n", 1, "", "a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if line, wanted, is := firstDifference(tt.want, tt.got); line != tt.line || wanted != tt.wanted || is != tt.is {
				t.Errorf("line %d: %q, %q; want %d: %q, %q", line, wanted, is, tt.line, tt.wanted, tt.is)
			}
		})
	}
}
