package conformance

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local"
)

// names are what a running case has given names to.
type names map[string]string

var placeholder = regexp.MustCompile(`\$\{([^}=]+)\}`)

// fill replaces the placeholders of a request or an expected reply.
func (n names) fill(text, url string) (string, error) {
	var missing []string
	filled := placeholder.ReplaceAllStringFunc(text, func(p string) string {
		name := p[2 : len(p)-1]
		kind, arg, _ := strings.Cut(name, ":")
		switch kind {
		case "url":
			return url + "/" + local.Account + "/" + arg
		case "arn":
			return "arn:aws:sqs:" + local.Region + ":" + local.Account + ":" + arg
		case "table":
			return "arn:aws:dynamodb:" + local.Region + ":" + local.Account + ":table/" + arg
		}
		if count, char, ok := strings.Cut(strings.TrimPrefix(name, "x"), "*"); ok {
			if times, err := strconv.Atoi(count); err == nil {
				return strings.Repeat(char, times)
			}
		}
		value, ok := n[name]
		if !ok {
			missing = append(missing, name)
		}
		quoted, _ := json.Marshal(value) // of a string, which never fails
		return string(quoted[1 : len(quoted)-1])
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("nothing is called %s", missing)
	}
	return filled, nil
}

// matches says where got lacks what want asks for, "" when nowhere, and keeps what want names.
func (n names) matches(path string, want, got any) string {
	switch want := want.(type) {
	case nil:
		if got != nil {
			return fmt.Sprintf("%s is %s and should not be there", path, compact(got))
		}
		return ""
	case string:
		if name, ok := strings.CutPrefix(want, "${="); ok {
			text, isText := got.(string)
			if !isText {
				return fmt.Sprintf("%s is %s, want a text", path, compact(got))
			}
			n[strings.TrimSuffix(name, "}")] = text
			return ""
		}
		if want == "*" && got != nil {
			return ""
		}
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, member := range sortedKeys(want) {
			if wrong := n.matches(path+"."+member, want[member], object[member]); wrong != "" {
				return wrong
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			break
		}
		for i := range want {
			if wrong := n.matches(fmt.Sprintf("%s[%d]", path, i), want[i], list[i]); wrong != "" {
				return wrong
			}
		}
		return ""
	}
	if w, g := compact(want), compact(got); w != g {
		return fmt.Sprintf("%s is %s, want %s", path, g, w)
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// check says what is wrong with an outcome, "" when nothing, and names what the step names in it.
func (n names) check(s step, o outcome, url string) string {
	if s.code != o.code {
		want := s.code
		if want == "" {
			want = "success"
		}
		return fmt.Sprintf("%s, want %s %s", o, want, s.message)
	}
	message, err := n.fill(s.message, url)
	if err != nil {
		return err.Error()
	}
	if prefix, cut := strings.CutSuffix(message, "..."); message != "" && o.message != message && (!cut || !strings.HasPrefix(o.message, prefix)) {
		return fmt.Sprintf("message\n\t%s\nwant\n\t%s", o.message, message)
	}
	if s.reply == "" {
		return ""
	}
	want, err := n.expected(s.reply, url)
	if err != nil {
		return err.Error()
	}
	return n.matches("reply", want, map[string]any(o.body))
}

func (n names) expected(reply, url string) (map[string]any, error) {
	filled, err := n.fill(reply, url)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(filled))
	d.UseNumber()
	var want map[string]any
	if err := d.Decode(&want); err != nil {
		return nil, fmt.Errorf("expected reply: %w in %s", err, filled)
	}
	return want, nil
}

func TestRepliesAreMatched(t *testing.T) {
	got := map[string]any{"a": "x", "list": []any{json.Number("1")}, "o": map[string]any{"b": true}}
	for want, wrong := range map[string]string{
		`{}`:                       "",
		`{"a":"*","o":{}}`:         "",
		`{"a":"${=name}"}`:         "",
		`{"list":[1]}`:             "",
		`{"c":null}`:               "",
		`{"c":"*"}`:                `reply.c is null, want "*"`,
		`{"a":null}`:               `reply.a is "x" and should not be there`,
		`{"list":[]}`:              `reply.list is [1], want []`,
		`{"o":{"b":false}}`:        `reply.o.b is true, want false`,
		`{"list":["${=name}"]}`:    `reply.list[0] is 1, want a text`,
		`{"a":"${unknown}"}`:       `nothing is called [unknown]`,
		`{"a":"${url:q}"}`:         `reply.a is "x", want "U/000000000000/q"`,
		`{"a":"${x3*y}${arn:q}-"}`: `reply.a is "x", want "yyyarn:aws:sqs:us-east-1:000000000000:q-"`,
	} {
		if w := (names{}).check(step{reply: want}, outcome{body: got}, "U"); w != wrong {
			t.Errorf("%s: %q, want %q", want, w, wrong)
		}
	}
	n := names{}
	if n.check(step{reply: `{"a":"${=it}"}`}, outcome{body: got}, ""); n["it"] != "x" {
		t.Errorf("named %v", n)
	}
}
