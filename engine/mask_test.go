package engine

import (
	"testing"

	"github.com/flotilla-sh/flotilla/spec"
)

func TestAValueThatIsPartOfAnotherHidesAllOfIt(t *testing.T) {
	for _, secrets := range [][]string{
		{"hunter", "hunter-and-gatherer", "ab", "ab-cd"},
		{"ab-cd", "ab", "hunter-and-gatherer", "hunter"},
	} {
		c := &client{secrets: secrets}
		got := c.hide("Secret: hunter-and-gatherer hunter ab-cd ab")
		want := "Secret: " + spec.Masked + " " + spec.Masked + " " + spec.Masked + " " + spec.Masked
		if got != want {
			t.Errorf("of %q got %q", secrets, got)
		}
	}
}
