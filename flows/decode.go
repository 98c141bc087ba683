package flows

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
)

// decoder fills one config struct from YAML and keeps what later passes need:
// the expression fields, the wires and where each key stands.
type decoder struct {
	*loader
	fields []*field
	wires  []wire
	// keys and values say where each key and its value stand, by their path.
	keys, values map[string]at
	// misspelt says which key an unknown one was most likely meant to be.
	misspelt map[*yaml.Node]string
	// literals are the paths of texts that are taken as they stand and hold what
	// their author took for an expression.
	literals []string
	// torn says that a wire cannot be read, so that nobody knows what is behind.
	torn bool
	// owner names the thing in messages: "mqtt.out".
	owner string
}

// field is an expression field of a config.
type field struct {
	expr.Field
	path string
	// store puts the compiled field where it belongs, for a field inside a map.
	store func()
}

// wire is a port of a node as the author wrote it.
type wire struct {
	key     string
	wire    *engine.Wire
	targets []at
}

// Entries is a config field that takes a mapping entry by entry, in the order
// of the file.
type Entries interface {
	SetEntry(key, value string) error
}

// slot is a field of a config struct.
type slot struct {
	value    reflect.Value
	tag      reflect.StructTag
	required bool
}

func slotsOf(v reflect.Value) (slots map[string]slot, names []string) {
	slots = map[string]slot{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if key, required := engine.Key(f); key != "" {
			slots[key] = slot{v.Field(i), f.Tag, required}
			names = append(names, key)
		}
	}
	return slots, names
}

// structure decodes a mapping into a struct. skip are keys that somebody else
// decodes.
func (d *decoder) structure(v reflect.Value, a at, path string, skip ...string) {
	if a.node.Kind != yaml.MappingNode {
		d.wrong(a, "wrong-kind", fmt.Sprintf("a mapping is needed here, got %s", kindOf(a.node)), keysHint(v.Type()))
		return
	}
	slots, names := slotsOf(v)
	names = append(slices.Clone(skip), names...)
	given := map[string]bool{}
	for i := 0; i+1 < len(a.node.Content); i += 2 {
		k, val := a.child(a.node.Content[i]), a.child(a.node.Content[i+1])
		key, sure := d.key(k, val, path, names)
		if given[key] {
			continue // reported as repeated
		}
		given[key] = true
		if sure {
			d.keys[join(path, key)], d.values[join(path, key)] = k, val
		}
		s, ours := slots[key]
		switch {
		case !ours, !sure && s.value.Type() != wireType:
			// Going on with a guess is of use for wires only: the nodes behind
			// them are not called unreachable.
		case isEmpty(val.node) && !takesNull(s.value):
			d.torn = d.torn || s.value.Type() == wireType
			d.wrong(k, "empty", fmt.Sprintf("%s has no value", key), "write one behind the colon, or remove the key")
		default:
			d.field(s.value, val, join(path, key), s.tag)
		}
	}
	for _, key := range names {
		if s, ok := slots[key]; ok && s.required && !given[key] && !given[mergeKey] {
			d.wrong(a.anchor(), "missing-key", fmt.Sprintf("%s needs the key %q", d.ownerOf(path), key), fmt.Sprintf("add `%s:`, %s", key, summary(s.tag)))
		}
	}
}

var wireType = reflect.TypeFor[engine.Wire]()

// key is the name of a key, or with sure false the one it was most likely meant
// to be, "" when none is near.
func (d *decoder) key(k, val at, path string, names []string) (name string, sure bool) {
	if name, ok := spaceless(k.node, val.node); ok {
		return name, false // reported already
	}
	if meant, misspelt := d.misspelt[k.node]; misspelt {
		return meant, false
	}
	if name = k.node.Value; slices.Contains(names, name) {
		return name, true
	}
	if name == mergeKey && k.node.Tag == "!!merge" {
		return name, false // reported already
	}
	d.unknownKey(k, path, names)
	return d.misspelt[k.node], false
}

// anchor is the place to report what is missing in a mapping.
func (a at) anchor() at {
	if a.node.Kind == yaml.MappingNode && a.node.Style&yaml.FlowStyle == 0 && len(a.node.Content) > 0 {
		return a.child(a.node.Content[0])
	}
	return a
}

func (d *decoder) unknownKey(k at, path string, names []string) {
	hint := expr.Nearest(k.node.Value, names)
	if hint == "" {
		hint = "it takes " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
	}
	d.misspelt[k.node] = expr.Closest(k.node.Value, names)
	d.wrong(k, "unknown-key", fmt.Sprintf("%s has no key %q", d.ownerOf(path), k.node.Value), hint)
}

// ownerOf names what stands at a path, for messages: "retry of log".
func (d *decoder) ownerOf(path string) string {
	if path == "" {
		return d.owner
	}
	return path + " of " + d.owner
}

// integer is the integer at a path; given is false when none was written there.
func (d *decoder) integer(path string) (n int, given bool) {
	a, ok := d.values[path]
	if !ok || a.node.Kind != yaml.ScalarNode {
		return 0, false
	}
	n, given = constant(a.node).(int)
	return n, given
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// summary is the first sentence of a field's documentation, to stand inside
// another one.
func summary(tag reflect.StructTag) string {
	doc, _, _ := strings.Cut(tag.Get("doc"), ". ")
	doc = strings.TrimSuffix(doc, ".")
	if len(doc) > 1 && doc[1] >= 'a' && doc[1] <= 'z' || strings.HasPrefix(doc, "A ") {
		doc = strings.ToLower(doc[:1]) + doc[1:]
	}
	return doc
}

func keysHint(t reflect.Type) string {
	var names []string
	for i := range t.NumField() {
		if k, _ := engine.Key(t.Field(i)); k != "" {
			names = append(names, k)
		}
	}
	return "it has the keys " + strings.Join(names, ", ")
}

func isEmpty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && constant(n) == nil }

// takesNull: only a value of any type may be null.
func takesNull(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(*expr.Value[any])
	return ok
}

// field decodes one value into a config field.
func (d *decoder) field(v reflect.Value, a at, path string, tag reflect.StructTag) {
	switch p := v.Addr().Interface().(type) {
	case expr.Field:
		if t := d.tree(a); t != nil {
			p.Set(t)
			d.fields = append(d.fields, &field{Field: p, path: path})
			d.places(a, path)
			if !holdsExpression(a.node.Value) {
				d.enum(a, tag)
			}
		}
		return
	case *engine.Wire:
		w := wire{key: path, wire: p, targets: d.targets(a)}
		for _, t := range w.targets {
			if slices.Contains(p.Targets, t.node.Value) {
				d.wrong(t, "duplicate-name", fmt.Sprintf("the wire names %s a second time, and each message would go there twice", t.node.Value), "name it once")
				continue
			}
			p.Targets = append(p.Targets, t.node.Value)
		}
		d.wires = append(d.wires, w)
		return
	case engine.Reference:
		d.reference(p, a)
		return
	case *engine.Schema:
		d.schemaField(p, a)
		return
	case Entries:
		d.entries(p, a, tag)
		return
	case encoding.TextUnmarshaler:
		d.text(p, a)
		return
	}
	d.byKind(v, a, path, tag)
}

func (d *decoder) byKind(v reflect.Value, a at, path string, tag reflect.StructTag) {
	switch v.Kind() {
	case reflect.Struct:
		d.structure(v, a, path)
	case reflect.Slice:
		d.slice(v, a, path, tag)
	case reflect.Map:
		d.mapping(v, a, path)
	case reflect.String:
		if s, ok := d.scalar(a, "a text"); ok {
			_, choice := tag.Lookup("enum")
			if str, isText := s.(string); isText || choice {
				if v.SetString(str); !choice && holdsExpression(str) && lastKey(path) != "doc" {
					d.literals = append(d.literals, path)
				}
				d.enum(a, tag)
				return
			}
			d.wrong(a, "wrong-kind", fmt.Sprintf("a text is needed here, got %s", kindOf(a.node)), fmt.Sprintf("put it in quotes: %q", a.node.Value))
		}
	case reflect.Bool:
		if b, ok := constant(a.node).(bool); ok && a.node.Kind == yaml.ScalarNode {
			v.SetBool(b)
			return
		}
		d.wrong(a, "wrong-kind", fmt.Sprintf("true or false is needed here, got %s", kindOf(a.node)), booleanHint(a))
	case reflect.Int:
		if n, ok := constant(a.node).(int); ok && a.node.Kind == yaml.ScalarNode {
			v.SetInt(int64(n))
			return
		}
		d.wrong(a, "wrong-kind", fmt.Sprintf("an integer is needed here, got %s", kindOf(a.node)), numberHint(a))
	case reflect.Float64:
		if f, ok := number(constant(a.node)); ok && a.node.Kind == yaml.ScalarNode {
			v.SetFloat(f)
			return
		}
		d.wrong(a, "wrong-kind", fmt.Sprintf("a number is needed here, got %s", kindOf(a.node)), numberHint(a))
	default:
		panic(fmt.Sprintf("config field %s of %s has type %s, which the loader cannot decode", path, d.owner, v.Type()))
	}
}

// booleanHint knows the words for booleans of YAML 1.1.
func booleanHint(a at) string {
	if a.node.Kind != yaml.ScalarNode {
		return ""
	}
	switch strings.ToLower(a.node.Value) {
	case "true", "yes", "on", "y":
		return "write true"
	case "false", "no", "off", "n":
		return "write false"
	}
	return ""
}

func numberHint(a at) string {
	if a.node.Kind == yaml.ScalarNode && a.isQuoted() && decimalNumber.MatchString(a.node.Value) {
		return "remove the quotes"
	}
	return ""
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// scalar is the constant at a node, or a report that it is none.
func (d *decoder) scalar(a at, want string) (any, bool) {
	if a.node.Kind != yaml.ScalarNode {
		d.wrong(a, "wrong-kind", fmt.Sprintf("%s is needed here, got %s", want, kindOf(a.node)), "")
		return nil, false
	}
	return constant(a.node), true
}

// holdsExpression reports whether an author meant an expression.
func holdsExpression(text string) bool { return strings.Contains(text, "${{") }

func lastKey(path string) string { return path[strings.LastIndex(path, ".")+1:] }

const notEvaluated = "is taken as it stands, and an expression in it would not be evaluated"

// refuseLiterals reports the literals of which the type's own checks, which know
// better what to write there, have said nothing.
func (d *decoder) refuseLiterals() {
	for _, path := range d.literals {
		k := d.keys[path]
		v, ok := d.values[path]
		if !ok {
			v = k // an element of a list
		}
		if !d.bad[k.node] {
			d.wrong(v, "expression", "this text "+notEvaluated, "write the text itself")
		}
	}
}

// textKey refuses an expression where the name of an entry stands.
func (d *decoder) textKey(k at, hint string) {
	if holdsExpression(k.node.Value) {
		d.wrong(k, "expression", "a key "+notEvaluated, hint)
	}
}

// enum checks a constant against the values its tag lists.
func (d *decoder) enum(a at, tag reflect.StructTag) {
	list, ok := tag.Lookup("enum")
	if !ok || a.node.Kind != yaml.ScalarNode {
		return
	}
	values := strings.Split(list, ",")
	if slices.Contains(values, a.node.Value) {
		return
	}
	hint := expr.Nearest(a.node.Value, values)
	if hint == "" {
		hint = "write one of " + strings.Join(values, ", ")
	}
	d.wrong(a, "bad-value", fmt.Sprintf("%s is not possible here", kindOf(a.node)), hint)
}

func (d *decoder) text(p encoding.TextUnmarshaler, a at) {
	want := "a text"
	switch p.(type) {
	case *engine.Duration:
		want = "a duration such as 30s"
	case *engine.Size:
		want = "a size such as 64KiB"
	}
	if _, ok := d.scalar(a, want); !ok {
		return
	}
	if err := p.UnmarshalText([]byte(a.node.Value)); err != nil {
		msg, hint, _ := strings.Cut(err.Error(), "; ")
		d.wrong(a, "bad-value", msg, hint)
	}
}

func (d *decoder) entries(p Entries, a at, tag reflect.StructTag) {
	if a.node.Kind != yaml.MappingNode {
		d.wrong(a, "wrong-kind", fmt.Sprintf("a mapping is needed here, got %s", kindOf(a.node)), summary(tag))
		return
	}
	for i := 0; i+1 < len(a.node.Content); i += 2 {
		k, v := a.child(a.node.Content[i]), a.child(a.node.Content[i+1])
		if _, ok := d.scalar(v, "a text"); !ok {
			continue
		}
		if err := p.SetEntry(k.node.Value, v.node.Value); err != nil {
			msg, hint, _ := strings.Cut(err.Error(), "; ")
			d.wrong(v, "bad-value", msg, hint)
		}
	}
}

// slice takes a list, or one element where people would write it alone.
func (d *decoder) slice(v reflect.Value, a at, path string, tag reflect.StructTag) {
	items := a.node.Content
	if a.node.Kind != yaml.SequenceNode {
		_, isValue := reflect.New(v.Type().Elem()).Interface().(expr.Field)
		if v.Type().Elem().Kind() == reflect.Struct && a.node.Kind != yaml.MappingNode && !isValue {
			d.torn = true // wires may be among what is missing
			d.wrong(a, "wrong-kind", fmt.Sprintf("a list is needed here, got %s", kindOf(a.node)), "begin each element with `- `")
			return
		}
		if k := v.Type().Elem().Kind(); a.node.Kind == yaml.MappingNode && k == reflect.String {
			d.wrong(a, "wrong-kind", "a list is needed here, got a mapping", "write [A, B]")
			return
		}
		items = []*yaml.Node{a.node}
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		p := path + "[" + strconv.Itoa(i) + "]"
		d.keys[p] = a.child(item)
		d.field(v.Index(i), a.child(item), p, tag)
	}
}

func (d *decoder) mapping(v reflect.Value, a at, path string) {
	if a.node.Kind != yaml.MappingNode {
		d.wrong(a, "wrong-kind", fmt.Sprintf("a mapping is needed here, got %s", kindOf(a.node)), "write NAME: VALUE for each entry")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(a.node.Content); i += 2 {
		k, item := a.child(a.node.Content[i]), a.child(a.node.Content[i+1])
		d.textKey(k, "write the name itself")
		p := join(path, k.node.Value)
		d.keys[p] = k
		element := reflect.New(v.Type().Elem())
		before := len(d.fields)
		d.field(element.Elem(), item, p, "")
		key := reflect.ValueOf(k.node.Value)
		v.SetMapIndex(key, element.Elem())
		for _, f := range d.fields[before:] {
			f.store = func() { v.SetMapIndex(key, element.Elem()) }
		}
	}
}

// places keeps where the keys and elements inside a value stand.
func (d *decoder) places(a at, path string) {
	for i, c := range a.node.Content {
		switch {
		case a.node.Kind == yaml.SequenceNode:
			p := path + "[" + strconv.Itoa(i) + "]"
			d.keys[p] = a.child(c)
			d.places(a.child(c), p)
		case a.node.Kind == yaml.MappingNode && i%2 == 0:
			p := join(path, c.Value)
			d.keys[p] = a.child(c)
			d.places(a.child(a.node.Content[i+1]), p)
		}
	}
}

// tree reads a value that may hold expressions.
func (d *decoder) tree(a at) *expr.Tree {
	t := &expr.Tree{Origin: a, Where: a.where()}
	switch a.node.Kind {
	case yaml.ScalarNode:
		t.Const = constant(a.node)
		if s, ok := t.Const.(string); ok {
			t.Kind, t.Text = expr.KindText, s
		}
	case yaml.SequenceNode:
		t.Kind = expr.KindList
		for _, c := range a.node.Content {
			if item := d.tree(a.child(c)); item != nil {
				t.Items = append(t.Items, item)
			}
		}
	case yaml.MappingNode:
		t.Kind = expr.KindObject
		for i := 0; i+1 < len(a.node.Content); i += 2 {
			d.textKey(a.child(a.node.Content[i]), `write the whole object as an expression: "${{ {(event.body.key): event.body.value} }}"`)
			if item := d.tree(a.child(a.node.Content[i+1])); item != nil {
				t.Keys = append(t.Keys, a.node.Content[i].Value)
				t.Items = append(t.Items, item)
			}
		}
	default:
		return nil // an alias, reported already
	}
	return t
}

// targets are the node names of a wire: one, or a list.
func (d *decoder) targets(a at) []at {
	switch {
	case a.node.Kind == yaml.SequenceNode:
		var out []at
		for _, c := range a.node.Content {
			out = append(out, d.targets(a.child(c))...)
		}
		if len(a.node.Content) == 0 {
			d.torn = true
			d.wrong(a, "empty", "a wire to nowhere", "name a node, or remove the key")
		}
		return out
	case a.node.Kind == yaml.ScalarNode && a.node.Value != "" && constant(a.node) != nil:
		return []at{a}
	}
	d.torn = true
	d.wrong(a, "wrong-kind", fmt.Sprintf("the name of a node is needed here, got %s", kindOf(a.node)), "write one name or a list of names")
	return nil
}
