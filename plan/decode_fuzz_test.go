package plan

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// FuzzDecode looks for texts that end the program, and for plans that are taken
// and then written as something else.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"Mode":"apply"}`))
	f.Add([]byte(`{"Mode":"apply","Edges":[{"From":{"Gate":"a"},"To":{"Gate":"b"},"Kind":"needs"}]}`))
	for seed := range uint64(4) {
		p, err := Build(world(rand.New(rand.NewPCG(seed, 9))))
		if err != nil {
			f.Fatal(err)
		}
		s, err := p.Save(Origin{Flotilla: "v1", Created: now})
		if err != nil {
			f.Fatal(err)
		}
		data, err := Encode(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Decode(data)
		if err != nil {
			return
		}
		once, err := Encode(s)
		if err != nil {
			t.Fatalf("what was taken cannot be written: %v", err)
		}
		again, err := Decode(once)
		if err != nil {
			t.Fatalf("what was written is not taken: %v", err)
		}
		if twice, err := Encode(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("written twice it is not the same (%v):\n%s\n%s", err, once, twice)
		}
	})
}
