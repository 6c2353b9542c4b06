package view

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flotilla-sh/flotilla/plan"
	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
)

func promoted() Promotion {
	web := spec.ReleaseID{Context: "one", Namespace: "shop", Name: "web"}
	return Promotion{
		From: "dev", To: "prod", Files: []string{"prod.yaml"}, Notes: []string{"also changes a|b of web in eu"},
		Releases: []Promoted{{
			Release: web, Source: web, Chart: "web-2.0.0", Revision: 7, Deployed: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
			Moves: []PromotedMove{
				{Field: "chart version", Now: "1.0.0", To: "2.0.0", Digest: "sha256:ab", File: "prod.yaml", Line: 3},
				{Field: "image.tag", Absent: true, To: "1.20", File: "prod.yaml"},
				{Field: "text", Now: "a|`b`\x07\n<i>", To: "```", File: "x.gotmpl", Line: 9, Hand: "it comes out of a template"},
			},
			Notes: []PromotedNote{{Field: "db.password", Why: "it is a secret: those do not move"}},
		}},
	}
}

func TestPromotionText(t *testing.T) {
	forced, refused := promoted(), promoted()
	web := spec.ReleaseID{Context: "one", Namespace: "shop", Name: "web"}
	refused.Refusals = []string{"the order has stage between them"}
	refused.Releases[0].Refused = []string{"it has drifted"}
	refused.Releases[0].Moves, refused.Notes = refused.Releases[0].Moves[:1], nil
	forced.Releases, forced.Refusals, forced.Reason = refused.Releases, refused.Refusals, "fire"
	forced.Notes = nil
	tests := []struct {
		name string
		of   Promotion
		want string
	}{
		{"what moves, what is for hands, what stays", promoted(), `RELEASE   FIELD          NOW    BECOMES  IN
shop/web  chart version  1.0.0  2.0.0    prod.yaml:3
shop/web  image.tag      -      "1.20"   prod.yaml

To be changed by hand:
  x.gotmpl:9: text, "a|` + "`b`" + `\a\n<i>" -> ` + "```" + `, for shop/web: it comes out of a template

Does not move:
  shop/web db.password: it is a secret: those do not move

Note: also changes a|b of web in eu
Promotion from dev to prod: 2 values in 1 file, 1 by hand.
`},
		{"refused", refused, `RELEASE   FIELD          NOW    BECOMES  IN
shop/web  chart version  1.0.0  2.0.0    prod.yaml:3

Does not move:
  shop/web db.password: it is a secret: those do not move

Refused:
  the order has stage between them
  shop/web: it has drifted

Nothing was promoted from dev to prod; --force --reason TEXT does it all the same.
`},
		{"forced", forced, `RELEASE   FIELD          NOW    BECOMES  IN
shop/web  chart version  1.0.0  2.0.0    prod.yaml:3

Does not move:
  shop/web db.password: it is a secret: those do not move

Forced, because: fire
Against it speaks:
  the order has stage between them
  shop/web: it has drifted

Promotion from dev to prod: 1 value in 1 file.
`},
		{"refused, with nothing to move", Promotion{From: "dev", To: "prod", Releases: []Promoted{{Release: web, Refused: []string{"its revision 3 in dev is failed"}}}},
			"Refused:\n  shop/web: its revision 3 in dev is failed\n\nNothing was promoted from dev to prod; --force --reason TEXT does it all the same.\n"},
		{"nothing but what does not move", Promotion{From: "dev", To: "prod", Releases: []Promoted{{Release: web, Notes: []PromotedNote{{"release", "it is not installed in dev"}}}}},
			"Does not move:\n  shop/web release: it is not installed in dev\n\nNothing to promote: nothing else in the files of prod differs from what runs in dev.\n"},
		{"nothing", Promotion{From: "dev", To: "prod"}, "Nothing to promote: the files of prod say what runs in dev.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, PromotionText(tt.of)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestPromotionMarkdown(t *testing.T) {
	p := promoted()
	p.Plan = &plan.Plan{Steps: []plan.Step{{
		Release: spec.Release{ID: p.Releases[0].Release}, Action: plan.ActionUpgrade,
		Changes: []diff.Change{{Op: diff.OpChange, Object: state.ObjectID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}}},
	}}}
	want := "## Promote `dev` to `prod`\n\n" +
		"| Release | What | Now | Becomes | Where |\n|---|---|---|---|---|\n" +
		"| `shop/web` | `chart version` | `1.0.0` | `2.0.0`<br>`sha256:ab` | `prod.yaml:3` |\n" +
		"| `shop/web` | `image.tag` | `-` | `\"1.20\"` | `prod.yaml` |\n" +
		"| `shop/web` | `text` | ``\"a\\|`b`\\a\\n<i>\"`` | ```` ``` ```` | `x.gotmpl:9`<br>by hand: it comes out of a template |\n\n" +
		"What runs in `dev`:\n\n- `shop/web`: chart `web-2.0.0`, revision 7, deployed and healthy since 2026-05-01T10:00:00Z\n" +
		"\n> also changes a\\|b of web in eu\n" +
		"\nPlan of `prod`: 0 to install, 1 to upgrade, 0 to uninstall, 0 unchanged.\n" +
		"\n<details><summary>upgrade shop/web: 1 object</summary>\n\n- `~` `shop/Deployment/web`\n\n</details>\n"
	if d := cmp.Diff(want, PromotionMarkdown(p)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := PromotionMarkdown(Promotion{From: "dev", To: "prod"}); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestMatrix(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	m := Matrix{Environments: []string{"dev", "stage", "prod", "eu"}, Unseen: []bool{false, false, false, true}}
	m.Fill([]map[string]MatrixCell{
		{
			"web": {Installed: true, Status: "deployed", Chart: "web", Version: "2.0.0", Deployed: now.Add(-90 * time.Minute), Images: []string{"reg:5000/a/web:v2@sha256:" + strings.Repeat("a", 64), "side:1"}, Drift: 2},
			"api": {Installed: true, Status: "failed", Chart: "api", Version: "1.0.0", Deployed: now.Add(-72 * time.Hour), Unready: 1},
		},
		{"web": {Installed: false}},
		{"web": {Installed: true, Status: "pending-install"}},
		nil,
	})
	want := `RELEASE  DEV                           STAGE          PROD             EU
api      1.0.0  3d  failed, not ready  -              -                ?
web      2.0.0  1h  drifted            not installed  pending-install  ?
           web:v2@sha256:aaaaaaaaaaaa
           side:1
`
	if d := cmp.Diff(want, MatrixText(m, now)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for want, unseen := range map[string][]bool{"No environment declares a release.\n": {false}, "No release could be seen.\n": {true}} {
		if got := MatrixText(Matrix{Environments: []string{"dev"}, Unseen: unseen}, now); got != want {
			t.Errorf("without rows: %q, want %q", got, want)
		}
	}
	var out bytes.Buffer
	if err := JSON(&out, MatrixJSON(m, now)); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Type     string
		Unseen   []string
		Releases []struct {
			Name         string
			Environments map[string]struct {
				Version    string
				AgeSeconds int
				Drift      int
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if web := got.Releases[1].Environments["dev"]; got.Type != "promotion-status" || web.Version != "2.0.0" || web.AgeSeconds != 5400 || web.Drift != 2 || len(got.Releases[1].Environments) != 3 || !cmp.Equal(got.Unseen, []string{"eu"}) {
		t.Errorf("in JSON it is %s", out.String())
	}
}
