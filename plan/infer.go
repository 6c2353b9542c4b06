package plan

import (
	"slices"
	"strings"

	"github.com/flotilla-sh/flotilla/plan/diff"
	"github.com/flotilla-sh/flotilla/spec"
	"github.com/flotilla-sh/flotilla/state"
	"sigs.k8s.io/yaml"
)

// kind names a kind of object in one cluster.
type kind struct{ Context, Group, Kind string }

type place struct{ Context, Namespace string }

// inferredEdges orders releases by what they bring: a CRD before objects of its
// kind, a Namespace before releases in it; deletions run the other way round. An
// edge that would close a cycle is left out, because a declared order is
// stronger than a guessed one.
func inferredEdges(p *Plan) []Edge {
	return append(infer(p, applied, false), infer(p, deleted, true)...)
}

// applied is what a step brings into the cluster, nil if nothing.
func applied(s Step) *state.Revision {
	if !s.Action.Writes() || s.Action.Deletes() {
		return nil
	}
	return s.After
}

// deleted is what a step removes, nil if nothing. Helm keeps the files of crds/,
// and hooks.
func deleted(s Step) *state.Revision {
	if !s.Action.Deletes() || s.Before == nil {
		return nil
	}
	removed := *s.Before
	removed.CRDs, removed.Hooks = nil, nil
	return &removed
}

func infer(p *Plan, objects func(Step) *state.Revision, reverse bool) []Edge {
	kinds := map[kind]spec.ReleaseID{}
	namespaces := map[place]spec.ReleaseID{}
	for _, s := range p.Steps {
		if rev := objects(s); rev != nil {
			brought(s.Release.ID, rev, kinds, namespaces)
		}
	}
	if len(kinds) == 0 && len(namespaces) == 0 {
		return nil
	}
	g := newGraph(p)
	var edges []Edge
	add := func(from, to spec.ReleaseID, why EdgeKind) {
		if reverse {
			from, to = to, from
		}
		e := Edge{From: Node{Release: from}, To: Node{Release: to}, Kind: why}
		if from != to && !g.reaches(e.To, e.From) && !g.has(e) {
			g.next[g.index[e.From]] = append(g.next[g.index[e.From]], g.index[e.To])
			edges = append(edges, e)
		}
	}
	for _, s := range p.Steps {
		rev := objects(s)
		if rev == nil {
			continue
		}
		id := s.Release.ID
		if from, ok := namespaces[place{id.Context, id.Namespace}]; ok {
			add(from, id, EdgeNamespace)
		}
		for _, doc := range documents(rev) {
			for _, u := range usesOf(id.Context, doc) {
				if from, ok := kinds[u.kind]; ok {
					add(from, id, EdgeCRD)
				}
				if from, ok := namespaces[place{id.Context, u.namespace}]; ok && u.namespace != "" {
					add(from, id, EdgeNamespace)
				}
			}
		}
	}
	return edges
}

// documents are the objects of a revision, with those of its hooks: some charts
// bring their definitions, or use them, in hooks.
func documents(rev *state.Revision) []string {
	docs := diff.Documents(rev.Stream)
	for _, h := range rev.Hooks {
		if slices.ContainsFunc(h.Events, appliedWith) {
			docs = append(docs, diff.Documents([]byte(h.Manifest))...)
		}
	}
	return docs
}

// appliedWith: hooks of other events run when the release is there already, or
// goes.
func appliedWith(event state.HookEvent) bool {
	return slices.Contains([]state.HookEvent{state.HookPreInstall, state.HookPostInstall, state.HookPreUpgrade, state.HookPostUpgrade}, event)
}

// brought records the CRDs and Namespaces among a revision's objects.
func brought(id spec.ReleaseID, rev *state.Revision, kinds map[kind]spec.ReleaseID, namespaces map[place]spec.ReleaseID) {
	docs := documents(rev)
	for _, f := range rev.CRDs {
		docs = append(docs, diff.Documents(f.Data)...)
	}
	for _, doc := range docs {
		for _, u := range usesOf(id.Context, doc) {
			switch u.kind.Kind {
			case "CustomResourceDefinition":
				if k, ok := definedKind(id.Context, u.text); ok {
					kinds[k] = id
				}
			case "Namespace":
				namespaces[place{id.Context, u.name}] = id
			}
		}
	}
}

func definedKind(context, doc string) (kind, bool) {
	var crd struct {
		Spec struct {
			Group string `json:"group"`
			Names struct {
				Kind string `json:"kind"`
			} `json:"names"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(doc), &crd); err != nil || crd.Spec.Names.Kind == "" {
		return kind{}, false
	}
	return kind{context, crd.Spec.Group, crd.Spec.Names.Kind}, true
}

// use is one object: of which kind it is, and where it lives.
type use struct {
	kind            kind
	namespace, name string // namespace: empty where the object does not say
	text            string
}

// usesOf are the objects of a document, one or those of a List. The first look
// reads lines without parsing them: every document of a plan is looked at, few
// matter.
func usesOf(context, doc string) []use {
	k, namespace, sure := skim(context, doc)
	isList := strings.HasSuffix(k.Kind, "List")
	if !isList && sure && k.Kind != "Namespace" {
		return []use{{kind: k, namespace: namespace, text: doc}}
	}
	var o map[string]any
	if yaml.Unmarshal([]byte(doc), &o) != nil {
		return []use{{kind: k, text: doc}} // whoever applies it tells
	}
	items, _ := o["items"].([]any)
	if !isList || items == nil {
		id := diff.Identify(o, "")
		return []use{{kind: k, namespace: id.Namespace, name: id.Name, text: doc}}
	}
	var all []use
	for _, item := range items {
		o, _ := item.(map[string]any)
		text, err := yaml.Marshal(o)
		if o == nil || err != nil {
			continue
		}
		id := diff.Identify(o, "")
		all = append(all, use{kind: kind{context, id.Group, id.Kind}, namespace: id.Namespace, name: id.Name, text: string(text)})
	}
	return all
}

// skim reads the top-level apiVersion and kind lines, and the namespace among the
// lines of metadata; not sure: metadata is written in another way.
func skim(context, doc string) (k kind, namespace string, sure bool) {
	k.Context, sure = context, true
	within, indent := false, ""
	for line := range strings.Lines(doc) {
		text := strings.TrimLeft(line, " ")
		space := line[:len(line)-len(text)]
		switch v, isKey := strings.CutPrefix(text, "namespace:"); {
		case strings.TrimSpace(text) == "" || text[0] == '#':
		case space == "":
			within, indent = strings.HasPrefix(text, "metadata:"), ""
			sure = sure && (!within || scalar(strings.TrimPrefix(text, "metadata:")) == "")
			k.read(text)
		case within && indent == "":
			indent = space
			fallthrough
		case within && isKey && space == indent:
			if isKey {
				namespace = scalar(v)
			}
		}
	}
	return k, namespace, sure
}

func (k *kind) read(line string) {
	if v, ok := strings.CutPrefix(line, "kind:"); ok {
		k.Kind = scalar(v)
	}
	if v, ok := strings.CutPrefix(line, "apiVersion:"); ok {
		if group, _, found := strings.Cut(scalar(v), "/"); found {
			k.Group = group
		}
	}
}

func scalar(v string) string {
	v, _, _ = strings.Cut(v, " #")
	return strings.Trim(strings.TrimSpace(v), `"'`)
}

func (g *graph) has(e Edge) bool {
	for _, n := range g.next[g.index[e.From]] {
		if n == g.index[e.To] {
			return true
		}
	}
	return false
}

func (g *graph) reaches(from, to Node) bool {
	goal := g.index[to]
	seen := make([]bool, len(g.nodes))
	stack := []int{g.index[from]}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if i == goal {
			return true
		}
		if seen[i] {
			continue
		}
		seen[i] = true
		stack = append(stack, g.next[i]...)
	}
	return false
}
