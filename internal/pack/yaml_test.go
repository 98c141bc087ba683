package pack

import (
	"reflect"
	"testing"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// read reads YAML back: Maps as map[string]any, functions as {"!Name": arg}.
func read(t *testing.T, n *yaml.Node) any {
	t.Helper()
	if n.Kind == yaml.DocumentNode {
		return read(t, n.Content[0])
	}
	var v any
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			if _, twice := m[n.Content[i].Value]; twice {
				t.Errorf("the key %q stands twice", n.Content[i].Value)
			}
			m[n.Content[i].Value] = read(t, n.Content[i+1])
		}
		v = m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, read(t, c))
		}
		v = list
	default:
		if n.ShortTag()[:2] == "!!" {
			if err := n.Decode(&v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		v = n.Value
	}
	if tag := n.ShortTag(); tag[:2] != "!!" {
		return map[string]any{tag: v}
	}
	return v
}

func readBack(t *testing.T, m Map) map[string]any {
	t.Helper()
	text := writeYAML(m)
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		t.Fatalf("%v\n%.2000s", err, text)
	}
	return read(t, &n).(map[string]any)
}

func TestTemplateIsReadAsItWasMeant(t *testing.T) {
	long := []any{"a rather long text that fills the line", "and another one that goes beyond the end", "and a third one, to be sure of it all"}
	got := readBack(t, Map{
		{Key: "Text", Value: "POST /orders/{id}", Note: "a note\nof two lines"},
		{Key: "Number", Value: 12}, {Key: "Yes", Value: true},
		{Key: "Map", Value: Map{{Key: "yes", Value: "on"}, {Key: "Empty", Value: Map{}}, {Key: "None", Value: []any{}}}},
		{Key: "List", Value: []any{"x", 1, Map{{Key: "a", Value: []any{"b", Map{{Key: "c", Value: "d", Note: "inside"}}}}, {Key: "e", Value: Map{{Key: "f", Value: "g"}}}}, []any{"y", Map{{Key: "z", Value: 1}}}}},
		{Key: "Long", Value: long},
		{Key: "Tree", Value: map[string]any{"b": 1.5, "a": []any{nil, int64(3), float64(4), map[string]any{"x": true}}}},
		{Key: "Short", Value: piece(1, ":", ref("P"))},
		{Key: "Deep", Value: ifElse("C", Map{{Key: "k", Value: getAtt("R", "Arn")}}, []any{noValue, subWith("${N}-x", Map{{Key: "N", Value: sub("${AWS::StackName}")}})})},
		{Key: "Strings", Value: []string{"", "12", "1e3", "0x1f", "2010-09-09", "null", "~", "a: b", "a #b", "'", "- x", "*", "&a", "!x", "%", "@", "`", "{", "[", "? ", "a\nb", "\ttab", " lead", "trail ", "é", "\u2028", "\x7f", "😀", ":", "a:", "::", "=", "<<", ".5", "Y", "No"}},
	})
	want := map[string]any{
		"Text": "POST /orders/{id}", "Number": 12, "Yes": true,
		"Map":   map[string]any{"yes": "on", "Empty": map[string]any{}, "None": []any{}},
		"List":  []any{"x", 1, map[string]any{"a": []any{"b", map[string]any{"c": "d"}}, "e": map[string]any{"f": "g"}}, []any{"y", map[string]any{"z": 1}}},
		"Long":  long,
		"Tree":  map[string]any{"b": 1.5, "a": []any{nil, 3, 4, map[string]any{"x": true}}},
		"Short": map[string]any{"!Select": []any{1, map[string]any{"!Split": []any{":", map[string]any{"!Ref": "P"}}}}},
		"Deep": map[string]any{"!If": []any{"C", map[string]any{"k": map[string]any{"!GetAtt": "R.Arn"}}, []any{map[string]any{"!Ref": "AWS::NoValue"},
			map[string]any{"!Sub": []any{"${N}-x", map[string]any{"N": map[string]any{"!Sub": "${AWS::StackName}"}}}}}}},
		"Strings": []any{"", "12", "1e3", "0x1f", "2010-09-09", "null", "~", "a: b", "a #b", "'", "- x", "*", "&a", "!x", "%", "@", "`", "{", "[", "? ", "a\nb", "\ttab", " lead", "trail ", "é", "\u2028", "\x7f", "😀", ":", "a:", "::", "=", "<<", ".5", "Y", "No"},
	}
	for key := range want {
		if !reflect.DeepEqual(got[key], want[key]) {
			t.Errorf("%s is read as %#v, want %#v", key, got[key], want[key])
		}
	}
}

func FuzzTextsOfATemplate(f *testing.F) {
	for _, s := range []string{"", "yes", "a: b", "é\u0085", "12", "x:", "AWS::Region", "/a/{b}", "a - b", "\"", "\U0010ffff", "\ufeff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || len(s) > 250 {
			t.Skip("flow files are UTF-8, and YAML has no keys of more than 1024 characters")
		}
		got := readBack(t, Map{{Key: "A", Value: s}, {Key: "K" + s, Value: []any{s, s}}, {Key: "F", Value: Intrinsic{"If", []any{s, s, ref(s)}}}})
		want := map[string]any{"A": s, "K" + s: []any{s, s}, "F": map[string]any{"!If": []any{s, s, map[string]any{"!Ref": s}}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v", s, got)
		}
	})
}
