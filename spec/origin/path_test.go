package origin

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePath(t *testing.T) {
	tests := []struct {
		name, text string
		want       Path
		err        string
	}{
		{name: "nothing is the root", text: "", want: nil},
		{name: "keys with dots between", text: "image.tag", want: Keys("image", "tag")},
		{name: "a leading dot, as in templates", text: ".image.tag", want: Keys("image", "tag")},
		{name: "elements of lists", text: "ingress.hosts[0].paths[12]", want: Path{Key("ingress"), Key("hosts"), Index(0), Key("paths"), Index(12)}},
		{name: "an element of an element", text: "a[1][2]", want: Path{Key("a"), Index(1), Index(2)}},
		{name: "a quoted key holds dots", text: `a."b.c".d`, want: Keys("a", "b.c", "d")},
		{name: "a backslash before a dot, as in --set", text: `annotations.a\.b/c`, want: Keys("annotations", "a.b/c")},
		{name: "a quoted key with quotes", text: `"say \"x\""`, want: Keys(`say "x"`)},
		{name: "an element of the root", text: "[0]", want: Path{Index(0)}},
		{name: "two dots", text: "a..b", err: "nothing between"},
		{name: "a dot at the end", text: "a.", err: "ends with a dot"},
		{name: "an index that is no number", text: "a[x]", err: "expected a number"},
		{name: "an index below zero", text: "a[-1]", err: "expected a number"},
		{name: "a bracket that stays open", text: "a[1", err: "without its ]"},
		{name: "quotes that stay open", text: `a."b`, err: "do not end"},
		{name: "a key right behind an element", text: "a[1]b", err: "expected a dot or ["},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParsePath(tt.text)
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "is no path") {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			default:
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("(-want +got)\n%s", d)
				}
			}
		})
	}
}

func TestAPathIsReadAsItIsPrinted(t *testing.T) {
	for _, p := range []Path{
		Keys("a"), Keys("a", "b.c"), Keys(""), Keys("x", ""), {Key("a"), Index(0), Key(`q"[0]\`)},
		Keys("a b", "c\td"), {Index(3), Index(4)}, Keys("äöü/é"),
	} {
		got, err := ParsePath(p.String())
		if err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if d := cmp.Diff(p, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", p, d)
		}
	}
}

func TestPathsDoNotShareWhatIsAdded(t *testing.T) {
	base := make(Path, 0, 8)
	a, b := base.With(Key("a")), base.With(Key("b"))
	c, d := a.Join(Keys("c")), a.Join(Keys("d"))
	if got := a.String() + " " + b.String() + " " + c.String() + " " + d.String(); got != "a b a.c a.d" {
		t.Errorf("got %s", got)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"a.b[0].\"c.d\"", `a\.b`, "[0][1]", ".", "\\", `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		again, err := ParsePath(p.String())
		if err != nil {
			t.Fatalf("%q is printed as %s: %v", text, p, err)
		}
		if d := cmp.Diff(p, again); d != "" && strings.ToValidUTF8(text, "") == text {
			t.Fatalf("%q (-want +got)\n%s", text, d)
		}
	})
}
