package dynamodb

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

type shapeKind uint8

const (
	stringShape shapeKind = iota
	integerShape
	longShape
	booleanShape
	blobShape
	listShape
	mapShape
	structShape
	anyShape // of members that are refused as a whole
)

// shape is the model of a request member: its type and its constraints. Requests are checked against the shape of
// their operation before anything else looks at them, so that later code finds the types it expects.
type shape struct {
	kind   shapeKind
	class  string // the name of a structure in the service's model
	fields []field
	elem   *shape
	enum   []string
	// pattern constrains a string; low and high the length of a string, list or map, or the value of a number.
	pattern   *regexp.Regexp
	low, high *int64
	// key constrains the keys of a map.
	key *shape
	// echo shows a value in an error where the service does not show it as it does others.
	echo func(any) string
	// keysLast says that bad keys of a map are reported only when nothing before them is wrong.
	keysLast bool
	// ofTable says that the string names a table: its ARN does too, and the service finds the string empty before it
	// looks at the other constraints.
	ofTable bool
}

type field struct {
	name     string
	shape    *shape
	required bool
}

func (s shape) atLeast(n int64) *shape { s.low = &n; return &s }
func (s shape) atMost(n int64) *shape  { s.high = &n; return &s }

func (s shape) withKeys(k *shape) *shape { s.key = k; return &s }

func oneOf(values ...string) *shape { return &shape{kind: stringShape, enum: values} }
func listOf(elem *shape) *shape     { return &shape{kind: listShape, elem: elem} }
func mapOf(elem *shape) *shape      { return &shape{kind: mapShape, elem: elem} }
func structOf(class string, fields ...field) *shape {
	return &shape{kind: structShape, class: class, fields: fields}
}
func optional(n string, s *shape) field  { return field{name: n, shape: s} }
func mandatory(n string, s *shape) field { return field{name: n, shape: s, required: true} }

var (
	text    = &shape{kind: stringShape}
	integer = &shape{kind: integerShape}
	long    = &shape{kind: longShape}
	boolean = &shape{kind: booleanShape}
	blob    = &shape{kind: blobShape}

	attributeValue = newAttributeValueShape()
	attributeMap   = mapOf(attributeValue)
)

func newAttributeValueShape() *shape {
	s := structOf("AttributeValue",
		optional("S", text), optional("N", text), optional("B", blob), optional("BOOL", boolean), optional("NULL", boolean),
		optional("SS", listOf(text)), optional("NS", listOf(text)), optional("BS", listOf(blob)),
	)
	s.fields = append(s.fields, optional("L", listOf(s)), optional("M", mapOf(s)))
	return s
}

// javaType is the type as the service names it in errors, which come from its Java classes.
func (s *shape) javaType() string {
	switch s.kind {
	case stringShape:
		return "java.lang.String"
	case integerShape:
		return "java.lang.Integer"
	case longShape:
		return "java.lang.Long"
	case booleanShape:
		return "java.lang.Boolean"
	case blobShape:
		return "java.nio.ByteBuffer"
	case listShape:
		return "java.util.List<" + s.elem.javaType() + ">"
	case mapShape:
		return "java.util.Map<java.lang.String, " + s.elem.javaType() + ">"
	}
	return "com.amazonaws.dynamodb.v20120810." + s.class
}

// place says where a value stands; the service words some errors by it.
type place uint8

const (
	asMember  place = iota // of a structure
	asElement              // of a list or map
)

// typed checks that v, decoded JSON, has the types of the shape. Members that the shape does not have are dropped, as
// the service does, and null is the same as absent.
func (s *shape) typed(v any, at place) error {
	if s.kind == anyShape {
		return nil
	}
	if _, isList := v.([]any); isList && s.kind != listShape {
		if s.kind == mapShape {
			return malformed("Unrecognized collection type %s", s.javaType())
		}
		return malformed("Unrecognized collection type class %s", s.javaType())
	}
	if _, isObject := v.(map[string]any); isObject && s.kind != mapShape && s.kind != structShape {
		return malformed("Start of structure or map found where not expected")
	}
	switch v := v.(type) {
	case []any:
		return s.typedList(v)
	case map[string]any:
		if s.kind == mapShape {
			return s.typedMap(v)
		}
		return s.typedStruct(v)
	}
	return s.typedScalar(v, at)
}

// castFailure is what the service says of a scalar in the place of a list or map inside another one.
const castFailure = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class " +
	"(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"

func (s *shape) typedScalar(v any, at place) error {
	switch s.kind {
	case structShape:
		if at == asElement {
			return malformed("Unexpected value type in payload")
		}
		return malformed("Unexpected field type")
	case listShape, mapShape:
		if at == asElement {
			return malformed(castFailure)
		}
		return malformed("Unexpected field type")
	case blobShape:
		t, ok := v.(string)
		if !ok {
			return malformed("only base-64-encoded strings are convertible to bytes")
		}
		return checkBase64(t)
	}
	kind := strings.TrimPrefix(s.javaType(), "java.lang.")
	switch v := v.(type) {
	case string:
		if s.kind != stringShape {
			return malformed("STRING_VALUE cannot be converted to %s", kind)
		}
	case bool:
		if s.kind != booleanShape {
			return malformed("%s_VALUE cannot be converted to %s", strings.ToUpper(strconv.FormatBool(v)), kind)
		}
	case json.Number:
		if s.kind != stringShape && s.kind != booleanShape {
			return nil
		}
		if strings.ContainsAny(v.String(), ".eE") {
			return malformed("DECIMAL_VALUE cannot be converted to %s", kind)
		}
		return malformed("NUMBER_VALUE cannot be converted to %s", kind)
	}
	return nil
}

func checkBase64(t string) error {
	if len(t)%4 != 0 {
		return malformed("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(t))
	}
	for _, c := range t {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", c) {
			return malformed("Invalid Base64 character: '%c'", c)
		}
	}
	if _, err := base64.StdEncoding.Strict().DecodeString(t); err != nil {
		return malformed("Invalid last non-pad Base64 character dectected")
	}
	return nil
}

func (s *shape) typedList(list []any) error {
	for _, e := range list {
		if e == nil {
			continue
		}
		if err := s.elem.typed(e, asElement); err != nil {
			return err
		}
	}
	return nil
}

// typedMap reports the error of the first bad key in the order of names, so that it is always the same.
func (s *shape) typedMap(m map[string]any) error {
	var first string
	var failed error
	for name, e := range m {
		if e == nil {
			delete(m, name)
			continue
		}
		if err := s.elem.typed(e, asElement); err != nil && (failed == nil || name < first) {
			first, failed = name, err
		}
	}
	return failed
}

func (s *shape) typedStruct(m map[string]any) error {
	for name, e := range m {
		if e == nil || s.field(name) == nil {
			delete(m, name)
			continue
		}
		if len(m) == 1 { // as attribute values are
			return s.field(name).typedIn(m, e)
		}
	}
	for _, f := range s.fields {
		e, ok := m[f.name]
		if !ok {
			continue
		}
		if err := f.typedIn(m, e); err != nil {
			return err
		}
	}
	return nil
}

// textBooleans are the texts that the service takes for a boolean, in any case.
var textBooleans = map[string]bool{"true": true, "1": true, "yes": true, "false": false, "0": false, "no": false}

// typedIn checks the member e of a structure, and puts a boolean in the place of a text that stands for one.
func (f *field) typedIn(m map[string]any, e any) error {
	t, isText := e.(string)
	if f.shape.kind != booleanShape || !isText {
		return f.shape.typed(e, asMember)
	}
	b, ok := textBooleans[strings.ToLower(t)]
	if !ok {
		return malformed("Unexpected token received from parser")
	}
	m[f.name] = b
	return nil
}

func (s *shape) field(name string) *field {
	for i := range s.fields {
		if s.fields[i].name == name {
			return &s.fields[i]
		}
	}
	return nil
}

// maxViolations is how many broken constraints one error lists.
const maxViolations = 10

// unconstrained says that no value of the right type breaks a constraint. Lists do not count: they must not hold null.
func (s *shape) unconstrained() bool {
	return s == attributeValue || s == attributeMap || s.kind == anyShape
}

// violations collects the broken constraints of v, which is at this path of the request.
func (s *shape) violations(path string, v any, found *[]string) {
	if s.unconstrained() {
		return
	}
	add := func(constraint string, args ...any) {
		if len(*found) < maxViolations {
			*found = append(*found, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: ", s.quoted(v), path)+fmt.Sprintf(constraint, args...))
		}
	}
	if !s.keysLast || len(*found) == 0 {
		s.violated(v, add)
	}
	s.innerViolations(path, v, found)
}

func (s *shape) innerViolations(path string, v any, found *[]string) {
	switch v := v.(type) {
	case map[string]any:
		if s.kind == structShape {
			s.structViolations(path, v, found)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if s.key != nil && s.elem.kind == listShape {
				s.elem.innerViolations(path+"."+name+".member", v[name], found) // its own are named at the map
				continue
			}
			s.elem.violations(path+"."+name+".member", v[name], found)
		}
	case []any:
		for i, e := range v {
			at := fmt.Sprintf("%s.%d.member", path, i+1)
			if e == nil && len(*found) < maxViolations {
				*found = append(*found, notNull(at))
				continue
			}
			s.elem.violations(at, e, found)
		}
	}
}

func (s *shape) structViolations(path string, v map[string]any, found *[]string) {
	for _, f := range s.fields {
		value, ok := v[f.name]
		if !ok && !f.required || ok && f.shape.unconstrained() {
			continue
		}
		name := strings.ToLower(f.name[:1]) + f.name[1:]
		if path != "" {
			name = path + "." + name
		}
		switch {
		case ok:
			f.shape.violations(name, value, found)
		case len(*found) < maxViolations:
			*found = append(*found, notNull(name))
		}
	}
}

func notNull(path string) string {
	return fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", path)
}

// violated reports the constraints that v itself breaks.
func (s *shape) violated(v any, add func(string, ...any)) {
	t, isText := v.(string)
	if s.ofTable && isText {
		if t == "" {
			add("Member must have length greater than or equal to 1")
			return
		}
		t = tableName(t)
		v = t
	}
	if s.enum != nil && !slices.Contains(s.enum, t) {
		add("Member must satisfy enum value set: [%s]", strings.Join(s.enum, ", "))
	}
	if s.pattern != nil && isText && !s.pattern.MatchString(t) {
		add("Member must satisfy regular expression pattern: %s", strings.TrimSuffix(strings.TrimPrefix(s.pattern.String(), "^(?:"), ")$"))
	}
	measure, what := measured(v)
	if s.low != nil && measure < *s.low {
		add("Member must have %s greater than or equal to %d", what, *s.low)
	}
	if s.high != nil && measure > *s.high {
		add("Member must have %s less than or equal to %d", what, *s.high)
	}
	if m, ok := v.(map[string]any); ok && s.key != nil {
		s.keyViolations(m, add)
		s.valueViolations(m, add)
	}
}

// valueViolations reports the bounds of lists that are the values of a map, which are named at the map.
func (s *shape) valueViolations(m map[string]any, add func(string, ...any)) {
	if s.elem.kind != listShape {
		return
	}
	for _, v := range m {
		if n, _ := measured(v); n < *s.elem.low || n > *s.elem.high {
			add("Map value must satisfy constraint: [Member must have length less than or equal to %d, Member must have length greater than or equal to %d]",
				*s.elem.high, *s.elem.low)
			return
		}
	}
}

func (s *shape) keyViolations(m map[string]any, add func(string, ...any)) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		broken := false
		s.key.violated(name, func(string, ...any) { broken = true })
		if broken {
			add("Map keys must satisfy constraint: [Member must have length less than or equal to %d, Member must have length greater than or equal to %d, Member must satisfy regular expression pattern: %s]",
				*s.key.high, *s.key.low, namePattern)
			return
		}
	}
}

// measured is what low and high bound: the value of a number, the length of anything else.
func measured(v any) (int64, string) {
	switch v := v.(type) {
	case json.Number:
		return wholeNumber(v), "value"
	case string:
		return int64(utf8.RuneCountInString(v)), "length"
	case []any:
		return int64(len(v)), "length"
	case map[string]any:
		return int64(len(v)), "length"
	}
	return 0, "length"
}

// wholeNumber is the number cut to an integer, as the service reads a fraction where it expects an integer.
func wholeNumber(n json.Number) int64 {
	if i, err := n.Int64(); err == nil {
		return i
	}
	f, _ := n.Float64()
	return int64(f)
}

// quoted shows a value in a constraint's error.
func (s *shape) quoted(v any) string {
	show := shown
	if s.echo != nil {
		show = s.echo
	}
	return "'" + show(v) + "'"
}

func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = shown(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, name+"="+shown(v[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return ""
}

func decode(body string) (any, error) {
	if v, ok := decodePlain(body); ok {
		return v, nil
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		if strings.Contains(err.Error(), "exceeded max depth") { // which is 10,000: no value goes that deep
			return nil, invalid("%v", item.ErrNesting)
		}
		return nil, malformed("The request body is not JSON: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, malformed("The request body has data behind its JSON object")
	}
	return v, nil
}

// check reads a request body and checks it against the shape of its operation.
func (s *shape) check(body []byte) (request, error) {
	v, err := decode(string(body))
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, malformed("Unexpected value type in payload")
	}
	if err := s.typed(object, asElement); err != nil {
		return nil, err
	}
	return object, nil
}

// constrained checks the constraints of the request's members and lists all that are broken.
func (s *shape) constrained(r request) error {
	var found []string
	s.structViolations("", r, &found)
	return broken(found)
}

func broken(found []string) error {
	switch len(found) {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: %s", found[0])
	}
	return invalid("%d validation errors detected: %s", len(found), strings.Join(found, "; "))
}
