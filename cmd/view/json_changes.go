package view

import (
	"strings"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/state"
)

type jsonChange struct {
	Op        diff.Op     `json:"op"` // a move is an add and a remove that name each other
	Group     string      `json:"group,omitempty"`
	Kind      string      `json:"kind"`
	Namespace string      `json:"namespace,omitempty"`
	Name      string      `json:"name"`
	Hook      bool        `json:"hook,omitempty"`
	Before    string      `json:"before,omitempty"`
	After     string      `json:"after,omitempty"`
	Diff      string      `json:"diff,omitempty"` // the differing lines with --context lines around them
	MovedFrom *jsonObject `json:"movedFrom,omitempty"`
	MovedTo   *jsonObject `json:"movedTo,omitempty"`
}

type jsonObject struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

func objectOf(id state.ObjectID) jsonObject { return jsonObject(id) }

func objectsOf(ids []state.ObjectID) []jsonObject {
	list := make([]jsonObject, 0, len(ids))
	for _, id := range ids {
		list = append(list, objectOf(id))
	}
	return list
}

// jsonFold is a set of version labels that changes alike in several objects.
type jsonFold struct {
	Labels  []jsonLabel  `json:"labels"`
	Objects []jsonObject `json:"objects"`           // that differ in nothing else; changes has none of them
	Others  int          `json:"others,omitempty"`  // objects among the changes that have them, too
	NewPods []jsonObject `json:"newPods,omitempty"` // those of both whose pods are replaced
}

type jsonLabel struct {
	Key    string `json:"key"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// jsonHidden counts the changes that are suppressed as a whole.
type jsonHidden struct {
	Kinds  []string `json:"kinds,omitempty"`
	ByKind int      `json:"byKind,omitempty"`
	ByLine int      `json:"byLine,omitempty"`
}

func hiddenOf(s diff.Shown) *jsonHidden {
	if s.Hidden() == 0 {
		return nil
	}
	return &jsonHidden{Kinds: s.HiddenKinds, ByKind: s.ByKind, ByLine: s.ByLine}
}

func foldsOf(folds []diff.Fold) []jsonFold {
	var list []jsonFold
	for _, f := range folds {
		j := jsonFold{Objects: objectsOf(f.Objects), Others: f.Others, NewPods: objectsOf(f.Pods)}
		for _, l := range f.Labels {
			j.Labels = append(j.Labels, jsonLabel(l))
		}
		list = append(list, j)
	}
	return list
}

func changesOf(items []diff.Item, opts PlanOptions) []jsonChange {
	var list []jsonChange
	for _, i := range items {
		c := jsonChange{Op: i.Op, Group: i.Object.Group, Kind: i.Object.Kind, Namespace: i.Object.Namespace, Name: i.Object.Name, Hook: i.Hook}
		if !opts.Names {
			c.Before, c.After = i.Texts()
			c.Diff = unified(i, opts.Context)
		}
		if i.Op != diff.OpMove {
			list = append(list, c)
			continue
		}
		from, to := objectOf(i.From), objectOf(i.Object)
		list = append(list, jsonChange{Op: diff.OpRemove, Group: i.From.Group, Kind: i.From.Kind, Namespace: i.From.Namespace, Name: i.From.Name,
			Hook: i.Hook, Before: c.Before, MovedTo: &to})
		c.Op, c.Before, c.MovedFrom = diff.OpAdd, "", &from
		list = append(list, c)
	}
	return list
}

// unified writes the lines of an object that changes or moves as diff -u does,
// without headers; "..." stands for lines that are left out. Of an object that
// comes or goes the whole text says as much.
func unified(i diff.Item, context int) string {
	if i.Op == diff.OpAdd || i.Op == diff.OpRemove {
		return ""
	}
	var b strings.Builder
	for _, l := range i.Unified(context) {
		if l.Kind == diff.LineGap {
			b.WriteString("...\n")
			continue
		}
		b.WriteString(string(rune(l.Kind)) + " " + l.Text + "\n")
	}
	return b.String()
}
