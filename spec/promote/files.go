package promote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/spec/origin"
	"github.com/flotilla-sh/flotilla/spec/promote/edit"
)

// Placed is a move with its place.
type Placed struct {
	Release spec.Release
	Move
	Place
}

// File is a file that changes.
type File struct {
	Path          string
	Before, After []byte
}

// Edit makes the moves that can be made in the texts of their files, and writes
// nothing. Moves that cannot be made after all come back as ones to make by hand;
// the others have the lines in which their values stand afterwards.
func Edit(moves []Placed) ([]File, []Placed, error) {
	out := slices.Clone(moves)
	byFile := map[string][]int{}
	for i, m := range out {
		if m.Hand == "" {
			byFile[m.File] = append(byFile[m.File], i)
		}
	}
	var files []File
	for _, path := range slices.Sorted(maps.Keys(byFile)) {
		before, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		f := File{Path: path, Before: before}
		if f.After, err = editOne(before, out, byFile[path]); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		if string(f.After) != string(f.Before) {
			files = append(files, f)
		}
	}
	return files, out, nil
}

// editOne makes the moves of one file. One that cannot be made is left out, and
// it begins anew.
func editOne(text []byte, moves []Placed, which []int) ([]byte, error) {
	for {
		var changes []edit.Change
		var made []int
		for _, i := range which {
			m := &moves[i]
			if m.Hand != "" {
				continue
			}
			if j := slices.IndexFunc(changes, func(c edit.Change) bool {
				return c.Doc == m.Doc && c.Path.String() == m.Place.Path.String() && !origin.Equal(c.Value, m.Place.To)
			}); j >= 0 {
				m.Hand = fmt.Sprintf("%s takes the same value for %s, and it would have to be another one", moves[made[j]].Release.ID.Name, moves[made[j]].Field())
				continue
			}
			changes = append(changes, edit.Change{Doc: m.Doc, Path: m.Place.Path, Value: m.Place.To})
			made = append(made, i)
		}
		out, done, failed, err := set(text, changes)
		if failed < 0 {
			for j, i := range made {
				moves[i].Line = done[j].Line
			}
			return out, err
		}
		moves[made[failed]].Hand = err.Error()
	}
}

// set makes changes, with what an anchor shares where nothing else will do: the
// state is loaded again afterwards, which tells whether that changed too much.
func set(text []byte, changes []edit.Change) (out []byte, done []edit.Done, failed int, err error) {
	for {
		out, done, err = edit.Set(text, changes...)
		if err == nil {
			return out, done, -1, nil
		}
		var one *edit.ChangeError
		if !errors.As(err, &one) {
			return nil, nil, -1, err
		}
		var shared *edit.SharedError
		if errors.As(err, &shared) && !changes[one.Change].Along {
			changes[one.Change].Along = true
			continue
		}
		return nil, nil, one.Change, one.Err
	}
}

// Surprise is a value that would change, or not change, although it should not.
type Surprise struct {
	Environment string
	Release     spec.ReleaseID
	Field       string
}

// String words a surprise without its value.
func (s Surprise) String() string {
	return fmt.Sprintf("%s of %s in %s", s.Field, s.Release, s.Environment)
}

// Surprises compares what an environment's files say before and after an edit.
// Whatever differs and is no move of that release is a surprise, and so is a
// value that did not come out as it should. Moves are those of this environment.
func Surprises(ctx context.Context, before, after *spec.Spec, moves []Placed) ([]Surprise, error) {
	if len(before.Releases) != len(after.Releases) {
		return []Surprise{{Environment: before.Environment, Field: "the list of releases"}}, nil
	}
	var out []Surprise
	for i, b := range before.Releases {
		a := after.Releases[i]
		var own []Placed
		for _, m := range moves {
			if m.Release.Index == i {
				own = append(own, m)
			}
		}
		fields, err := surprises(ctx, sides{before, after}, pair{b, a}, own)
		if err != nil {
			return nil, err
		}
		for _, field := range fields {
			out = append(out, Surprise{Environment: before.Environment, Release: b.ID, Field: field})
		}
	}
	return out, nil
}

type sides struct{ before, after *spec.Spec }

type pair struct{ before, after spec.Release }

func surprises(ctx context.Context, s sides, r pair, moves []Placed) ([]string, error) {
	if r.before.ID != r.after.ID {
		return []string{"the name"}, nil
	}
	var out []string
	version := func(m Placed) bool { return m.Kind == KindVersion }
	if at := slices.IndexFunc(moves, version); at >= 0 {
		if r.after.Chart.Version != fmt.Sprint(moves[at].Move.To) {
			out = append(out, string(KindVersion))
		}
	} else if r.before.Chart.Version != r.after.Chart.Version {
		out = append(out, string(KindVersion))
	}
	if r.before.Chart.Ref != r.after.Chart.Ref || r.before.Installed != r.after.Installed || r.before.Enabled != r.after.Enabled {
		out = append(out, "the chart, or whether it is installed")
	}
	was, err := all(ctx, s.before, r.before)
	if err != nil {
		return nil, err
	}
	is, err := all(ctx, s.after, r.after)
	if err != nil {
		return nil, err
	}
	for _, m := range moves {
		if m.Kind == KindVersion {
			continue
		}
		field := m.Field()
		if v, ok := is[field]; !ok || !origin.Equal(v, m.Move.To) && !setTo(v, m.Move.To) {
			out = append(out, field)
		}
		delete(was, field)
		delete(is, field)
	}
	return append(out, differing(was, is)...), nil
}

// setTo reports whether a text of set stands for a value.
func setTo(v, want any) bool {
	text, ok := v.(setText)
	return ok && string(text) == fmt.Sprint(want)
}

// setText is what an entry of set says, which Helm has not read yet.
type setText string

// all gives every value of a release by its path, and what sets say above them.
func all(ctx context.Context, s *spec.Spec, r spec.Release) (map[string]any, error) {
	tree, err := s.ValuesOf(ctx, r)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	flatten(tree, nil, out)
	for _, set := range r.Set {
		name := set.Name
		if p, err := origin.ParsePath(name); err == nil && len(p) > 0 {
			name = p.String()
		}
		out[name] = setText(set.Value)
	}
	return out, nil
}

func flatten(v any, path origin.Path, out map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 && len(path) > 0 {
			out[path.String()] = v
		}
		for key, e := range v {
			flatten(e, path.With(origin.Key(key)), out)
		}
	case []any:
		if len(v) == 0 {
			out[path.String()] = v
		}
		for i, e := range v {
			flatten(e, path.With(origin.Index(i)), out)
		}
	default:
		out[path.String()] = v
	}
}

func differing(a, b map[string]any) []string {
	found := map[string]bool{}
	for _, both := range [][2]map[string]any{{a, b}, {b, a}} {
		for field, v := range both[0] {
			if other, ok := both[1][field]; !ok || !origin.Equal(v, other) {
				found[field] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Write puts the changed files in their places: all of them, or none. Each keeps
// its mode, and a link stays one. A file that is not what it was when it was
// edited is an error, and nothing is written.
func Write(files []File) error {
	type made struct{ path, temporary string }
	var all []made
	drop := func() error {
		var errs []error
		for _, m := range all {
			errs = append(errs, os.Remove(m.temporary))
		}
		return errors.Join(errs...)
	}
	for _, f := range files {
		path, err := filepath.EvalSymlinks(f.Path)
		if err == nil {
			var temporary string
			if temporary, err = beside(path, f); err == nil {
				all = append(all, made{path, temporary})
				continue
			}
		}
		return errors.Join(fmt.Errorf("writing %s: nothing was changed: %w", f.Path, err), drop())
	}
	for i, m := range all {
		if err := os.Rename(m.temporary, m.path); err != nil {
			errs := []error{fmt.Errorf("writing %s: %w", m.path, err)}
			for j := range i { // put back what is there already
				errs = append(errs, os.WriteFile(all[j].path, files[j].Before, 0o600)) // its mode stays
			}
			all = all[i:]
			return errors.Join(append(errs, drop())...)
		}
	}
	return nil
}

// ErrMoved says that somebody else has changed a file meanwhile.
var ErrMoved = errors.New("the file has changed meanwhile: promote again")

// beside writes a file's new text next to it.
func beside(path string, f File) (temporary string, err error) {
	now, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if string(now) != string(f.Before) {
		return "", ErrMoved
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	to, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return "", err
	}
	_, err = to.Write(f.After)
	if err == nil {
		err = to.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = to.Sync()
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return "", errors.Join(err, os.Remove(to.Name()))
	}
	return to.Name(), nil
}
