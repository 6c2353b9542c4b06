package promote

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/schema"
)

// Image is a reference to an image, taken apart.
type Image struct {
	Repository string // with its registry
	Tag        string
	Digest     string // sha256:...
}

// String puts the reference together.
func (i Image) String() string {
	s := i.Repository
	if i.Tag != "" {
		s += ":" + i.Tag
	}
	if i.Digest != "" {
		s += "@" + i.Digest
	}
	return s
}

// ParseImage takes a reference apart; ok is false of a text that is none.
func ParseImage(ref string) (Image, bool) {
	if strings.Contains(ref, "//") || !regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9./:_-]*(@[a-z0-9]+:[0-9a-fA-F]{32,})?$`).MatchString(ref) {
		return Image{}, false
	}
	var i Image
	rest, digest, _ := strings.Cut(ref, "@")
	i.Digest, i.Repository = digest, rest
	if at := strings.LastIndexByte(rest, ':'); at > strings.LastIndexByte(rest, '/') {
		i.Repository, i.Tag = rest[:at], rest[at+1:]
	}
	return i, i.Repository != "" && !strings.HasSuffix(i.Repository, "/")
}

// Images lists what manifests run: the references under keys called image, and
// those called so at their end, in objects of any kind. Each is there once, in
// order.
func Images(manifests ...[]byte) ([]Image, error) {
	found := map[Image]bool{}
	var walk func(v any, key string)
	walk = func(v any, key string) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(e, k)
			}
		case []any:
			for _, e := range v {
				walk(e, key)
			}
		case string:
			if i, ok := ParseImage(v); ok && imageKey(key) && (i.Tag != "" || i.Digest != "") {
				found[i] = true
			}
		}
	}
	for _, text := range manifests {
		docs, err := schema.Parse(text, schema.InFile("manifest"))
		if err != nil {
			return nil, fmt.Errorf("reading the images of a stored manifest: %w", err)
		}
		for _, doc := range docs {
			walk(schema.Value(doc, func(*schema.Node, error) {}), "")
		}
	}
	all := make([]Image, 0, len(found))
	for i := range found {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b Image) int { return strings.Compare(a.String(), b.String()) })
	return all, nil
}

func imageKey(key string) bool { return key == "image" || strings.HasSuffix(key, "Image") }

// image reports whether a path is that of a tag, a digest or a whole reference.
func (c *comparison) image(path origin.Path, f, t entry) bool {
	last, above := keyAt(path, 1), keyAt(path, 2)
	switch {
	case last == "":
		return false
	case last == "tag" || last == "digest":
		return imageKey(above) || c.repository(path) != ""
	case last == "imageTag" || last == "imageDigest" || strings.HasSuffix(last, "ImageTag"):
		return true
	case imageKey(last):
		for _, e := range []entry{f, t} {
			text, isText := e.v.(string)
			if i, ok := ParseImage(text); isText && ok && i.Tag+i.Digest != "" {
				return true
			}
		}
	}
	return false
}

// keyAt gives the key that many steps before the end; empty: none.
func keyAt(path origin.Path, back int) string {
	if len(path) < back {
		return ""
	}
	return path[len(path)-back].Key
}

// repository gives the repository that belongs to a tag: of what runs, or else
// of what the target says.
func (c *comparison) repository(path origin.Path) string {
	at := path[:len(path)-1].With(origin.Key("repository"))
	for _, tree := range []map[string]any{c.from.Values, c.to.Final} {
		if v, ok := origin.Lookup(tree, at); ok {
			text, _ := v.(string)
			return text
		}
	}
	return ""
}

// leafImage decides about a tag, a digest or a whole reference that differs.
func (c *comparison) leafImage(f, t entry, path origin.Path, allowed bool) {
	field := path.String()
	if imageKey(keyAt(path, 1)) {
		c.reference(f, t, path)
		return
	}
	digest := strings.HasSuffix(strings.ToLower(keyAt(path, 1)), "digest")
	if digest && (!f.ok || f.v == nil || f.v == "") {
		return // see digests
	}
	if !f.ok || f.v == nil || f.v == "" {
		tag, why := c.runningTag(c.repository(path))
		if why != "" {
			c.note(field, why)
			return
		}
		f = entry{v: tag, ok: true}
		if origin.Equal(f.v, t.v) {
			return
		}
	}
	if !t.ok {
		if v, ok := origin.Lookup(c.to.Final, path); ok && v != "" && origin.Equal(v, f.v) && c.from.Version == c.to.Version {
			return // the chart says the same
		}
	}
	text := fmt.Sprint(f.v)
	runs := slices.ContainsFunc(c.from.Images, func(i Image) bool {
		same := i.Tag == text
		if digest {
			same = i.Digest == text
		}
		return same && called(i.Repository, c.repository(path))
	})
	if !runs && !allowed {
		c.note(field, fmt.Sprintf("no object of %s runs an image with what it says", c.from.Environment))
		return
	}
	c.moves = append(c.moves, Move{Kind: KindImage, Path: path, Was: t.v, Had: t.ok, To: f.v})
}

// called reports whether two repositories hold the same image: registries and
// folders may differ between environments, the last part of the name does not.
func called(a, b string) bool {
	return b == "" || a[strings.LastIndexByte(a, '/')+1:] == b[strings.LastIndexByte(b, '/')+1:]
}

// runningTag finds the one tag of a repository that the source runs.
func (c *comparison) runningTag(repository string) (tag, why string) {
	if repository == "" {
		return "", fmt.Sprintf("%s does not set it, and without a repository nobody can tell which image it is", c.from.Environment)
	}
	for _, i := range c.from.Images {
		if !called(i.Repository, repository) || i.Tag == "" {
			continue
		}
		if tag != "" && tag != i.Tag {
			return "", fmt.Sprintf("%s does not set it, and runs more than one tag of %s", c.from.Environment, repository)
		}
		tag = i.Tag
	}
	if tag == "" {
		return "", fmt.Sprintf("%s does not set it, and runs no tag of %s", c.from.Environment, repository)
	}
	return tag, ""
}

// reference decides about a whole reference: the tag and the digest move, the
// repository is the target's own.
func (c *comparison) reference(f, t entry, path origin.Path) {
	field := path.String()
	fromText, _ := f.v.(string)
	from, ok := ParseImage(fromText)
	toText, _ := t.v.(string)
	to, had := ParseImage(toText)
	switch {
	case !ok || !f.ok:
		c.note(field, fmt.Sprintf("%s does not set it", c.from.Environment))
	case !slices.Contains(c.from.Images, from):
		c.note(field, fmt.Sprintf("no object of %s runs an image with what it says", c.from.Environment))
	case had && !called(from.Repository, to.Repository):
		c.note(field, fmt.Sprintf("%s runs another image there", c.from.Environment))
	default:
		if had {
			from.Repository = to.Repository
		}
		if from.String() != toText {
			c.moves = append(c.moves, Move{Kind: KindImage, Path: path, Was: t.v, Had: t.ok, To: from.String()})
		}
	}
}

// digests empties the digest of a target whose tag moves where the source runs
// by the tag alone: an old digest would win over the new tag.
func (c *comparison) digests() {
	for _, m := range slices.Clone(c.moves) {
		if m.Kind != KindImage || keyAt(m.Path, 1) != "tag" {
			continue
		}
		at := m.Path[:len(m.Path)-1].With(origin.Key("digest"))
		now, ok := origin.Lookup(c.to.User, at)
		is, _ := origin.Lookup(c.from.Values, at)
		if ok && now != nil && now != "" && (is == nil || is == "") {
			c.moves = append(c.moves, Move{Kind: KindImage, Path: at, Was: now, Had: true, To: ""})
		}
	}
}
