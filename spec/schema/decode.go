package schema

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Decode reads the text of one part of a state file. Documents of the part are
// merged, lists appended. The state is what could be read; the error joins a
// *Mistake for everything that could not.
func Decode(text []byte, at Locate) (*State, error) {
	docs, err := Parse(text, at)
	if err != nil {
		return &State{}, err
	}
	out := &State{}
	d := &decoder{at: at, fields: map[reflect.Type]map[string]int{}}
	for _, doc := range docs {
		var one State
		d.structure(&one, doc, "")
		Merge(out, &one, AppendLists)
	}
	return out, errors.Join(d.mistakes...)
}

type decoder struct {
	at       Locate
	mistakes []error
	fields   map[reflect.Type]map[string]int // of the structs met so far
}

func (d *decoder) report(n *yaml.Node, field string, err error) {
	d.mistakes = append(d.mistakes, &Mistake{Pos: d.at(n.Line, n.Column), Field: field, Err: err})
}

func (d *decoder) wrong(n *yaml.Node, field, want string) {
	d.report(n, field, fmt.Errorf("expected %s, found %s", want, Kind(n)))
}

// structure reads a map into the struct that dst points to. The struct may
// have a field named Pos, which gets the place of the map.
func (d *decoder) structure(dst any, n *yaml.Node, field string) {
	v := reflect.ValueOf(dst).Elem()
	line, col := n.Line, n.Column
	n = Resolve(n)
	if f := v.FieldByName("Pos"); f.IsValid() {
		f.Set(reflect.ValueOf(d.at(line, col)))
	}
	if IsNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.wrong(n, field, "a map")
		return
	}
	known := d.known(v.Type())
	for _, p := range Pairs(n, func(key *yaml.Node, err error) { d.report(key, field, err) }) {
		key := Resolve(p.Key)
		path := key.Value
		if field != "" {
			path = field + "." + key.Value
		}
		i, ok := known[key.Value]
		if !ok {
			d.report(p.Key, path, unknownKey(key.Value, known))
			continue
		}
		d.value(v.Field(i).Addr().Interface(), p.Value, path)
	}
}

// value reads a node into what dst points to.
func (d *decoder) value(dst any, n *yaml.Node, field string) {
	n0 := n
	n = Resolve(n)
	if IsNull(n) {
		return // null means not given, whatever the type
	}
	if c, ok := dst.(custom); ok {
		c.read(d, n0, field)
		return
	}
	v := reflect.ValueOf(dst).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		before := len(d.mistakes)
		d.value(target.Interface(), n, field)
		if len(d.mistakes) == before {
			v.Set(target)
		}
	case reflect.Struct:
		d.structure(dst, n0, field)
	case reflect.Slice:
		d.list(v, n, field)
	case reflect.Map:
		d.table(v, n, field)
	case reflect.String:
		v.SetString(d.text(n, field))
	case reflect.Bool:
		v.SetBool(d.truth(n, field))
	case reflect.Int:
		v.SetInt(d.number(n, field))
	case reflect.Interface:
		if data := d.plain(n); data != nil {
			v.Set(reflect.ValueOf(data))
		}
	default:
		d.report(n, field, fmt.Errorf("key of the unexpected kind %s", v.Kind()))
	}
}

func (d *decoder) list(v reflect.Value, n *yaml.Node, field string) {
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, field, "a list")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.value(out.Index(i).Addr().Interface(), c, field+"["+strconv.Itoa(i)+"]")
	}
	v.Set(out)
}

func (d *decoder) table(v reflect.Value, n *yaml.Node, field string) {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, field, "a map")
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, p := range Pairs(n, func(key *yaml.Node, err error) { d.report(key, field, err) }) {
		elem := reflect.New(v.Type().Elem())
		key := Resolve(p.Key).Value
		if elem.Elem().Kind() == reflect.Struct {
			d.structure(elem.Interface(), p.Value, field+"."+key)
		} else {
			d.value(elem.Interface(), p.Value, field+"."+key)
		}
		out.SetMapIndex(reflect.ValueOf(key), elem.Elem())
	}
	v.Set(out)
}

// text reads a string. As with helmfile's decoder any scalar is one, so that
// name: 123 and namespace: true work.
func (d *decoder) text(n *yaml.Node, field string) string {
	n = Resolve(n)
	if n.Kind != yaml.ScalarNode || IsNull(n) {
		d.wrong(n, field, "a string")
		return ""
	}
	return n.Value
}

// truth reads a boolean, with the words of YAML 1.1 that helmfile's decoder
// takes.
func (d *decoder) truth(n *yaml.Node, field string) bool {
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!str" || slices.Contains(oldWords(), n.Value) {
		switch strings.ToLower(n.Value) {
		case "true", "yes", "y", "on":
			return true
		case "false", "no", "n", "off":
			return false
		}
	}
	d.wrong(n, field, "true or false")
	return false
}

func oldWords() []string {
	return []string{"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"}
}

func (d *decoder) number(n *yaml.Node, field string) int64 {
	var i int
	var f float64
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!float" && n.Decode(&f) == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f) // 5.0, which helmfile's decoder takes, too
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&i) != nil {
		d.wrong(n, field, "a whole number")
		return 0
	}
	return int64(i)
}

func (d *decoder) plain(n *yaml.Node) any {
	return Value(n, func(n *yaml.Node, err error) { d.report(n, "", err) })
}

// known maps the keys of a struct to its fields.
func (d *decoder) known(t reflect.Type) map[string]int {
	if out := d.fields[t]; out != nil {
		return out
	}
	out := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			out[name] = i
		}
	}
	d.fields[t] = out
	return out
}
