package flows

import (
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
)

func validatingSchema(t *testing.T, text string) engine.Schema {
	t.Helper()
	l := newLoader(Options{Registry: engine.NewRegistry(nil, nil)})
	root, ok := l.parse(&file{path: "flow.yaml"}, []byte("version: 1\nschemas:\n  S: "+text+"\nflows: {}\n"))
	if !ok {
		t.Fatal(l.found)
	}
	l.app([]at{root}, ".")
	if l.schemaSet.compiled["S"] == nil {
		t.Fatal(l.found)
	}
	return l.schemaSet.field("S")
}

// The validator computes with rationals: 21 numbers of 9 bytes take it a second,
// and a body of 1 MiB an hour and a half.
func TestNumbersTooLongToCheckBreakTheSchema(t *testing.T) {
	s := validatingSchema(t, "{type: array, items: {type: integer, minimum: 0}}")
	for name, tt := range map[string]struct{ body, want string }{
		"a huge exponent":      {`[1` + strings.Repeat(",1e999999", 100_000) + `]`, "1e999999… is too long"},
		"a tiny number":        {`[1` + strings.Repeat(",1E-999999", 100_000) + `]`, "too long"},
		"a million digits":     {`[` + strings.Repeat("7", 1<<20) + `]`, "too long"},
		"deep in an object":    {`[{"a": [1e9999]}]`, "too long"},
		"38 digits are exact":  {`[12345678901234567890123456789012345678]`, ""},
		"a fraction is not":    {`[1234567890123456789012345678901234567.8]`, "want integer"},
		"less than 0 is not":   {`[-12345678901234567890123456789012345678]`, "minimum"},
		"an exponent of three": {`[1e400]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := value.Decode([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			err = s.Validate(v)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Validate gives %v; want %q", err, tt.want)
			}
		})
	}
}

func TestAViolationStaysShortWhateverTheMessage(t *testing.T) {
	s := validatingSchema(t, "{type: array, items: {type: string, format: email}}")
	for name, body := range map[string]string{
		"many":   `[1` + strings.Repeat(",1", 100_000) + `]`,
		"a long": `["` + strings.Repeat("a", 1<<20) + `"]`,
	} {
		v, err := value.Decode([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err == nil || len(err.Error()) > 10_000 {
			t.Errorf("%s: an error of %d bytes; want one of at most 10000", name, len(err.Error()))
		}
	}
}

func TestASchemaWithConditionsMayHaveMoreFields(t *testing.T) {
	s := validatingSchema(t, "{type: object, properties: {kind: {type: string}}, if: {properties: {kind: {const: a}}}, then: {properties: {more: {type: string}}}}")
	if _, ok := s.Type.Field("more"); !ok {
		t.Error("the field of a `then` cannot be read")
	}
}
