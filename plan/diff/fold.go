package diff

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/state"
)

// Fold is a set of version labels that change alike in several objects.
type Fold struct {
	Labels  []Label          // sorted by key
	Objects []state.ObjectID // that differ in nothing else
	Others  int              // objects that also differ elsewhere: their Items name the labels
	Pods    []state.ObjectID // those of both with such a label in a pod template, so that their pods are replaced
}

// Label is a label that changes.
type Label struct{ Key, Before, After string }

// foldedMark stands in both texts where a folded label's value was. It is no
// value of a label, which is at most 63 characters long, and YAML does not quote
// it.
const foldedMark = "told-once-for-all-objects-of-the-release-and-so-left-out-of-the-lines-here"

// version is how charts write their name and version into the label chart.
var version = regexp.MustCompile(`^.+-v?\d+\.\d+`)

// churns says whether a label that changes from one value to the other tells
// nothing but that there is another version of the chart or of its application.
// The keys without a domain are those of charts from before Helm 3, whose
// values have to look it.
func churns(key, before, after string) bool {
	switch key {
	case "helm.sh/chart", "app.kubernetes.io/version":
		return true
	case "chart":
		return version.MatchString(before) && version.MatchString(after)
	case "heritage":
		return before == "Tiller" && after == "Helm"
	default:
		return false
	}
}

// fold takes the version labels out of the objects that change, and the objects
// with no other difference out of the items. Equal sets of labels make one
// fold, in the order of the first object that has it.
func fold(items []Item) ([]Item, []Fold) {
	var kept []Item
	var folds []Fold
	index := map[string]int{}
	for _, i := range items {
		labels, pods := i.withoutLabels()
		if len(labels) == 0 {
			kept = append(kept, i)
			continue
		}
		key := fmt.Sprintf("%q", labels)
		at, known := index[key]
		if !known {
			at = len(folds)
			index[key] = at
			folds = append(folds, Fold{Labels: labels})
		}
		f := &folds[at]
		if pods {
			f.Pods = append(f.Pods, i.Object)
		}
		if !i.Same() || i.Op == OpMove {
			f.Others++
			kept = append(kept, i)
			continue
		}
		f.Objects = append(f.Objects, i.Object)
	}
	return kept, folds
}

// withoutLabels replaces the version labels in the texts of an item and gives
// them, and whether one is in a pod template. A text that is not the YAML it
// would be written as is left alone.
func (i *Item) withoutLabels() (labels []Label, pods bool) {
	if i.Op != OpChange && i.Op != OpMove {
		return nil, false
	}
	before, after := parsed(i.before), parsed(i.after)
	if before == nil || after == nil {
		return nil, false
	}
	f := folder{found: map[Label]bool{}, job: text(after, "kind") == "Job" && !i.Hook}
	f.walk(nil, before, after)
	if len(f.found) == 0 {
		return nil, false
	}
	var err error
	if i.before, err = canonical(before); err != nil {
		return nil, false
	}
	if i.after, err = canonical(after); err != nil {
		return nil, false
	}
	labels = slices.SortedFunc(maps.Keys(f.found), func(a, b Label) int {
		return strings.Compare(a.Key+"\x00"+a.Before+"\x00"+a.After, b.Key+"\x00"+b.Before+"\x00"+b.After)
	})
	for _, l := range labels {
		if !slices.Contains(i.Labels, l.Key) {
			i.Labels = append(i.Labels, l.Key)
		}
	}
	return labels, f.pods
}

// parsed reads a text of ours; nil for one that would not be written the same.
func parsed(text string) object {
	var o object
	if err := decode(text, &o); err != nil {
		return nil
	}
	if again, err := canonical(o); err != nil || again != text {
		return nil
	}
	return o
}

// folder walks both sides of an object at once. What a server refuses to change
// is no noise: labels in the claims of a StatefulSet, and in the template of a
// Job, unless that is a hook, which is made anew.
type folder struct {
	found map[Label]bool
	pods  bool
	job   bool
}

func (f *folder) walk(path []string, before, after any) {
	switch b := before.(type) {
	case object:
		a, ok := after.(object)
		if !ok {
			return
		}
		if len(path) > 1 && path[len(path)-1] == "labels" && path[len(path)-2] == "metadata" {
			f.labels(path, b, a)
			return
		}
		for key := range b {
			if key == "volumeClaimTemplates" || f.job && key == "template" {
				continue
			}
			f.walk(append(path, key), b[key], a[key])
		}
	case []any:
		a, _ := after.([]any)
		for n := range min(len(a), len(b)) {
			f.walk(path, b[n], a[n])
		}
	}
}

func (f *folder) labels(path []string, before, after object) {
	for key, value := range before {
		b, isText := value.(string)
		a, both := after[key].(string)
		if !isText || !both || a == b || !printable(b+a) || !churns(key, b, a) {
			continue
		}
		f.found[Label{key, b, a}] = true
		f.pods = f.pods || len(path) > 2 && path[len(path)-3] == "template"
		before[key], after[key] = foldedMark, foldedMark
	}
}

// withoutFolded drops the lines whose label is told in a fold.
func withoutFolded(lines []Line) []Line {
	return slices.DeleteFunc(lines, func(l Line) bool {
		return l.Kind == LineSame && strings.HasSuffix(l.Text, foldedMark)
	})
}
