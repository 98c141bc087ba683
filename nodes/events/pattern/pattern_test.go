package pattern

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var keys = []string{"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}

func decoded(t testing.TB, text string) map[string]any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v.(map[string]any)
}

// terminated is the event that the user guide explains patterns with.
const terminated = `{"version": "0", "id": "6a7e8feb", "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
	"account": "111122223333", "time": "2017-12-22T18:43:48Z", "region": "us-west-1",
	"resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1", "arn:aws:ec2:us-west-1:123456789012:instance/i-2"],
	"detail": {"instance-id": "i-1", "state": "terminated", "count": 35, "price": 9.99, "big": 3018446744073709551615, "empty": "", "none": null,
		"ok": true, "ip": "10.0.0.17", "file": "dir/sub/Cat.PNG", "slash": "a*b\\c", "list": [], "tags": ["red", "green"],
		"items": [{"sku": "a", "size": 1}, {"sku": "b", "size": 2}], "nested": {"deep": {"x": [[1, 2], [3]]}}}}`

func TestMatchFollowsTheDocumentation(t *testing.T) {
	event := decoded(t, terminated)
	for _, c := range []struct {
		about, pattern string
		want           bool
	}{
		{"a value", `{"source": ["aws.ec2"]}`, true},
		{"another value", `{"source": ["aws.s3"]}`, false},
		{"case counts", `{"source": ["AWS.ec2"]}`, false},
		{"one of several values", `{"detail": {"state": ["running", "terminated"]}}`, true},
		{"all fields must fit", `{"source": ["aws.ec2"], "detail": {"state": ["running"]}}`, false},
		{"one element of a list is enough", `{"resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-2"]}`, true},
		{"no element of a list", `{"resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-3"]}`, false},
		{"a field that is not there", `{"detail": {"colour": ["red"]}}`, false},
		{"a text is no number", `{"account": [111122223333]}`, false},
		{"a number", `{"detail": {"count": [35]}}`, true},
		{"a number in another form", `{"detail": {"count": [3.5e1]}}`, true},
		{"a number beyond 2^64", `{"detail": {"big": [3018446744073709551615]}}`, true},
		{"a number is no text", `{"detail": {"count": ["35"]}}`, false},
		{"true", `{"detail": {"ok": [true]}}`, true},
		{"true is not false", `{"detail": {"ok": [false]}}`, false},
		{"null", `{"detail": {"none": [null]}}`, true},
		{"an empty text is not null", `{"detail": {"empty": [null]}}`, false},
		{"an empty text", `{"detail": {"empty": [""]}}`, true},
		{"null is no value that is missing", `{"detail": {"colour": [null]}}`, false},
		{"a list in a list", `{"detail": {"nested": {"deep": {"x": [3]}}}}`, true},
		{"an object is no leaf", `{"detail": [{"exists": true}]}`, false},

		{"prefix", `{"time": [{"prefix": "2017-12-22"}]}`, true},
		{"another prefix", `{"time": [{"prefix": "2018"}]}`, false},
		{"prefix of a number", `{"detail": {"count": [{"prefix": "3"}]}}`, false},
		{"prefix in any case", `{"detail": {"file": [{"prefix": {"equals-ignore-case": "DIR/"}}]}}`, true},
		{"suffix", `{"detail": {"file": [{"suffix": ".PNG"}]}}`, true},
		{"suffix in another case", `{"detail": {"file": [{"suffix": ".png"}]}}`, false},
		{"suffix in any case", `{"detail": {"file": [{"suffix": {"equals-ignore-case": ".png"}}]}}`, true},
		{"equals in any case", `{"detail": {"state": [{"equals-ignore-case": "TERMINATED"}]}}`, true},

		{"anything but another", `{"detail": {"state": [{"anything-but": "initializing"}]}}`, true},
		{"anything but itself", `{"detail": {"state": [{"anything-but": "terminated"}]}}`, false},
		{"anything but several", `{"detail": {"state": [{"anything-but": ["stopped", "terminated"]}]}}`, false},
		{"anything but numbers", `{"detail": {"count": [{"anything-but": [100, 200]}]}}`, true},
		{"anything but its number", `{"detail": {"count": [{"anything-but": 35.0}]}}`, false},
		{"anything but, of a field that is not there", `{"detail": {"colour": [{"anything-but": "red"}]}}`, false},
		{"anything but a prefix", `{"region": [{"anything-but": {"prefix": "us-"}}]}`, false},
		{"anything but prefixes", `{"region": [{"anything-but": {"prefix": ["eu-", "ap-"]}}]}`, true},
		{"anything but a suffix", `{"detail": {"file": [{"anything-but": {"suffix": ".PNG"}}]}}`, false},
		{"anything but in any case", `{"detail": {"state": [{"anything-but": {"equals-ignore-case": ["Terminated", "x"]}}]}}`, false},
		{"anything but a wildcard", `{"detail": {"file": [{"anything-but": {"wildcard": "*/lib/*"}}]}}`, true},
		{"anything but, of a list with another", `{"detail": {"tags": [{"anything-but": "red"}]}}`, true},

		{"numeric =", `{"detail": {"count": [{"numeric": ["=", 35]}]}}`, true},
		{"numeric range", `{"detail": {"count": [{"numeric": [">", 0, "<=", 35]}]}}`, true},
		{"numeric open end", `{"detail": {"count": [{"numeric": [">", 0, "<", 35]}]}}`, false},
		{"numeric at least", `{"detail": {"price": [{"numeric": [">=", 9.99]}]}}`, true},
		{"numeric more", `{"detail": {"price": [{"numeric": [">", 9.99]}]}}`, false},
		{"numeric less", `{"detail": {"price": [{"numeric": ["<", 10]}]}}`, true},
		{"numeric of a text", `{"account": [{"numeric": [">", 0]}]}`, false},

		{"an address in a block", `{"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}`, true},
		{"an address outside", `{"detail": {"ip": [{"cidr": "10.0.1.0/24"}]}}`, false},
		{"an address of the other family", `{"detail": {"ip": [{"cidr": "2001:db8::/32"}]}}`, false},
		{"no address", `{"detail": {"state": [{"cidr": "0.0.0.0/0"}]}}`, false},

		{"exists", `{"detail": {"state": [{"exists": true}]}}`, true},
		{"null exists", `{"detail": {"none": [{"exists": true}]}}`, true},
		{"does not exist", `{"detail": {"colour": [{"exists": false}]}}`, true},
		{"does exist", `{"detail": {"state": [{"exists": false}]}}`, false},
		{"an empty list has no leaf", `{"detail": {"list": [{"exists": false}]}}`, true},
		{"does not exist below what does not", `{"detail": {"colour": {"hue": [{"exists": false}]}}}`, true},
		{"does not exist, or is", `{"detail": {"state": [{"exists": false}, "terminated"]}}`, true},
		{"exists in one of a list", `{"detail": {"items": {"sku": [{"exists": false}]}}}`, false},

		{"wildcard", `{"detail": {"file": [{"wildcard": "dir/*.PNG"}]}}`, true},
		{"wildcard for nothing", `{"source": [{"wildcard": "aws.ec2*"}]}`, true},
		{"wildcard that does not fit", `{"detail": {"file": [{"wildcard": "*/lib/*"}]}}`, false},
		{"wildcard whose ends overlap", `{"detail": {"state": [{"wildcard": "terminat*inated"}]}}`, false},
		{"wildcard without an asterisk", `{"source": [{"wildcard": "aws.ec"}]}`, false},
		{"wildcard that means an asterisk and a backslash", `{"detail": {"slash": [{"wildcard": "a\\*b\\\\*"}]}}`, true},

		{"$or, the first", `{"$or": [{"source": ["aws.ec2"]}, {"source": ["aws.s3"]}]}`, true},
		{"$or, none", `{"$or": [{"source": ["aws.s4"]}, {"source": ["aws.s3"]}]}`, false},
		{"$or beside a field", `{"region": ["eu-west-1"], "$or": [{"source": ["aws.ec2"]}, {"source": ["aws.s3"]}]}`, false},
		{"$or inside", `{"detail": {"$or": [{"count": [{"numeric": ["<", 3]}]}, {"state": ["terminated"], "ok": [true]}]}}`, true},
		{"$or in $or", `{"$or": [{"$or": [{"source": ["a"]}, {"region": ["us-west-1"]}]}, {"source": ["b"]}]}`, true},

		{"an object in a list", `{"detail": {"items": {"sku": ["b"], "size": [2]}}}`, true},
		{"no one object in a list", `{"detail": {"items": {"sku": ["a"], "size": [2]}}}`, false},
	} {
		t.Run(c.about, func(t *testing.T) {
			p, problems := Parse(decoded(t, c.pattern), Policy{Keys: keys, Subject: "an event"})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if got := p.Match(event); got != c.want {
				t.Errorf("%s: %v, want %v", c.pattern, got, c.want)
			}
		})
	}
}

func TestParseTellsAllThatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct{ pattern, field, message string }{
		{`{}`, "", "an empty pattern"},
		{`{"detail": {}}`, "detail", "an empty pattern"},
		{`{"sources": ["a"]}`, "sources", `an event has no field "sources"`},
		{`{"source": "a"}`, "source", "a pattern has lists of values, this is a string"},
		{`{"source": []}`, "source", "an empty list fits nothing"},
		{`{"source": [["a"]]}`, "source[0]", "a list in a list"},
		{`{"detail": {"a": [{"prefixx": "a"}]}}`, "detail.a[0]", `there is no operator "prefixx"`},
		{`{"detail": {"a": ["x", {"prefix": 1}]}}`, "detail.a[1].prefix", "prefix takes a text, this is an integer"},
		{`{"detail": {"a": [{"prefix": {"suffix": "a"}}]}}`, "detail.a[0].prefix", "prefix takes a text, or equals-ignore-case inside"},
		{`{"detail": {"a": [{"prefix": {"equals-ignore-case": 1}}]}}`, "detail.a[0].prefix.equals-ignore-case", "prefix takes a text"},
		{`{"detail": {"a": [{"prefix": "a", "suffix": "b"}]}}`, "detail.a[0]", "an operator stands alone"},
		{`{"detail": {"a": [{}]}}`, "detail.a[0]", "an operator stands alone"},
		{`{"detail": {"a": [{"exists": "yes"}]}}`, "detail.a[0].exists", "exists takes true or false"},
		{`{"detail": {"a": [{"numeric": 5}]}}`, "detail.a[0].numeric", "numeric takes an operator and a number"},
		{`{"detail": {"a": [{"numeric": [5, "="]}]}}`, "detail.a[0].numeric[1]", "numeric compares with a number"},
		{`{"detail": {"a": [{"numeric": ["<", 5, ">", 1]}]}}`, "detail.a[0].numeric[0]", `"<" cannot stand here`},
		{`{"detail": {"a": [{"numeric": ["=", 5, "<", 6]}]}}`, "detail.a[0].numeric[0]", `"=" cannot stand here`},
		{`{"detail": {"a": [{"numeric": [">", 5, "<=", 5]}]}}`, "detail.a[0].numeric", "no number is in this range"},
		{`{"detail": {"a": [{"numeric": ["=", 6000000000]}]}}`, "detail.a[0].numeric[1]", "from -5e9 to 5e9"},
		{`{"detail": {"a": [{"cidr": "10.0.0.1"}]}}`, "detail.a[0].cidr", "cidr takes a block"},
		{`{"detail": {"a": [{"wildcard": "a**b"}]}}`, "detail.a[0].wildcard", "two asterisks in a row"},
		{`{"detail": {"a": [{"wildcard": "a\\b"}]}}`, "detail.a[0].wildcard", `a \ stands before`},
		{`{"detail": {"a": [{"wildcard": 1}]}}`, "detail.a[0].wildcard", "wildcard takes a text"},
		{`{"detail": {"a": [{"anything-but": ["x", 1]}]}}`, "detail.a[0].anything-but[1]", "anything-but takes texts or numbers"},
		{`{"detail": {"a": [{"anything-but": []}]}}`, "detail.a[0].anything-but", "fits everything"},
		{`{"detail": {"a": [{"anything-but": true}]}}`, "detail.a[0].anything-but", "anything-but takes texts or numbers"},
		{`{"detail": {"a": [{"anything-but": {"numeric": ["=", 1]}}]}}`, "detail.a[0].anything-but.numeric", `anything-but cannot take "numeric"`},
		{`{"detail": {"a": [{"anything-but": {"prefix": []}}]}}`, "detail.a[0].anything-but.prefix", "fits everything"},
		{`{"$or": [{"source": ["a"]}]}`, "$or", "$or takes a list of two patterns"},
		{`{"$or": [{"source": ["a"]}, "b"]}`, "$or[1]", "$or takes patterns"},
		{`{"$or": [{"source": ["a"]}, {"sauce": ["b"]}]}`, "$or[1].sauce", `no field "sauce"`},
	} {
		_, problems := Parse(decoded(t, c.pattern), Policy{Keys: keys, Subject: "an event"})
		if len(problems) != 1 || problems[0].Field != c.field || !strings.Contains(problems[0].Message, c.message) {
			t.Errorf("%s: %+v, want one of %s with %q", c.pattern, problems, c.field, c.message)
		}
	}
}

func TestTheWordThatWasMeantIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"detailtype": ["x"]}`:                     `did you mean "detail-type"?`,
		`{"colour": ["x"]}`:                         "it has version, id,",
		`{"detail": {"a": [{"sufix": "x"}]}}`:       `did you mean "suffix"?`,
		`{"detail": {"a": [{"begins-with": "x"}]}}`: "there are anything-but, prefix,",
	} {
		_, problems := Parse(decoded(t, text), Policy{Keys: keys, Subject: "an event"})
		if len(problems) != 1 || !strings.HasPrefix(problems[0].Hint, want) {
			t.Errorf("%s: %+v, want the hint %q", text, problems, want)
		}
	}
}

func TestAFilterPolicyIsFlat(t *testing.T) {
	flat := Policy{Flat: true, Subject: "a set of attributes"}
	p, problems := Parse(decoded(t, `{"kind": ["order", {"prefix": "bulk-"}], "size": [{"numeric": [">", 3]}]}`), flat)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if !p.Match(map[string]any{"kind": "bulk-1", "size": 4}) || p.Match(map[string]any{"kind": "bulk-1"}) {
		t.Error("the policy does not say what it should")
	}
	if _, problems := Parse(decoded(t, `{"kind": {"a": ["b"]}}`), flat); len(problems) != 1 || problems[0].Field != "kind" {
		t.Errorf("problems %+v", problems)
	}
}

func TestDeepPatternsAreRefused(t *testing.T) {
	deep := map[string]any{"x": []any{"y"}}
	for range 2 * maxDepth {
		deep = map[string]any{"x": deep}
	}
	if _, problems := Parse(deep, Policy{}); len(problems) != 1 || !strings.Contains(problems[0].Message, "nests deeper") {
		t.Errorf("problems %v", problems)
	}
}

// FuzzMatch looks that no pattern and no event make the package fail, that
// matching does not depend on the run, and that a pattern of an event's own
// leaves fits it.
func FuzzMatch(f *testing.F) {
	f.Add(`{"detail": {"state": [{"anything-but": {"wildcard": "a*b"}}, {"exists": false}]}}`, terminated)
	f.Add(`{"$or": [{"a": [{"numeric": [">", 0, "<", 5]}]}, {"b": [{"cidr": "10.0.0.0/8"}]}]}`, `{"a": 3, "b": "10.1.1.1"}`)
	f.Add(`{"a": {"b": [null, true, 1.5, ""]}}`, `{"a": [{"b": [[1.5]]}, {"b": null}]}`)
	f.Fuzz(func(t *testing.T, pattern, event string) {
		e, err := value.Decode([]byte(event))
		if err != nil {
			return
		}
		m, ok := e.(map[string]any)
		if !ok {
			return
		}
		if own := leaves(m, 0); len(own) > 0 {
			p, problems := Parse(own, Policy{})
			if len(problems) > 0 || !p.Match(m) {
				t.Errorf("%s does not fit a pattern of its own leaves %v: %v", event, own, problems)
			}
		}
		v, err := value.Decode([]byte(pattern))
		if err != nil {
			return
		}
		if o, ok := v.(map[string]any); ok {
			if p, problems := Parse(o, Policy{Keys: keys}); len(problems) == 0 {
				if first, again := p.Match(m), p.Match(m); first != again {
					t.Error("the same event matched only once")
				}
			}
		}
	})
}

// leaves is a pattern that asks for each text, boolean and null of an event.
func leaves(m map[string]any, depth int) map[string]any {
	out := map[string]any{}
	for name, v := range m {
		if name == or || depth > maxDepth/2 {
			continue
		}
		switch v := v.(type) {
		case nil, bool, string:
			out[name] = []any{v}
		case map[string]any:
			if inner := leaves(v, depth+1); len(inner) > 0 {
				out[name] = inner
			}
		}
	}
	return out
}

func TestGlobs(t *testing.T) {
	for text, want := range map[string][]string{"": {""}, "a": {"a"}, "*": {"", ""}, "a*b": {"a", "b"}, `\**`: {"*", ""}} {
		if got, err := globs(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
