package conformance

import (
	"cmp"
	"encoding/json"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// volatile are the members that are new in every run: ids, handles, times.
var volatile = map[string]bool{
	"MessageId": true, "ReceiptHandle": true, "SequenceNumber": true, "SentTimestamp": true, "ApproximateFirstReceiveTimestamp": true,
	"CreatedTimestamp": true, "LastModifiedTimestamp": true, "StartedTimestamp": true, "NextToken": true, "TaskHandle": true,
	"TableId": true, "CreationDateTime": true, "LastUpdateToPayPerRequestDateTime": true, "LastIncreaseDateTime": true,
	"LastDecreaseDateTime": true, "LastUpdateDateTime": true, "LatestStreamArn": true, "LatestStreamLabel": true, "KMSMasterKeyArn": true,
	"Address": true,
}

// uuidText is an id where a member may have a name of the user's instead.
var uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// unordered are the lists whose order the services do not promise. Responses of BatchGetItem have the tables' names.
var unordered = map[string]bool{
	"SS": true, "NS": true, "BS": true, "QueueUrls": true, "queueUrls": true, "Tags": true, "AttributeDefinitions": true,
	"GlobalSecondaryIndexes": true, "LocalSecondaryIndexes": true, "NonKeyAttributes": true, "things": true, "others": true,
}

// normalise gives a reply in which two servers that do the same are the same. The member is its name in its parent.
func normalise(v any, member, url string) any {
	if volatile[member] && v != nil {
		return "<" + member + ">"
	}
	switch v := v.(type) {
	case string:
		if uuidText.MatchString(v) {
			return "<id>"
		}
		return strings.ReplaceAll(v, url, "http://HOST")
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			// A member of null is one that is not there.
			if value != nil {
				out[name] = normalise(value, name, url)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = normalise(e, "", url)
		}
		if unordered[member] {
			slices.SortFunc(out, func(a, b any) int { return cmp.Compare(compact(a), compact(b)) })
		}
		return out
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	}
	return v
}

// difference is a place where two servers' outcomes of one step are not the same. The texts are JSON; "" is a member
// that is not there.
type difference struct{ path, ours, theirs string }

// compare gives the differences of two outcomes of the same request.
func compare(ours, theirs outcome) []difference {
	if ours.code != theirs.code {
		return []difference{{"outcome", summary(ours), summary(theirs)}}
	}
	var found []difference
	note := func(path, a, b string) {
		if a != b {
			found = append(found, difference{path, a, b})
		}
	}
	if ours.status != theirs.status {
		note("status", compact(ours.status), compact(theirs.status))
	}
	note("x-amzn-query-error", ours.query, theirs.query)
	note("message", cut(ours.message), cut(theirs.message))
	differ("reply", any(ours.body), any(theirs.body), note)
	return found
}

// summary is an outcome for people: success, or the error without the parts that change.
func summary(o outcome) string {
	if o.code == "" {
		return "success"
	}
	return o.code + ": " + cut(o.message)
}

// differ notes where two normalised values are not the same.
func differ(path string, a, b any, note func(path, a, b string)) {
	if x, ok := a.(map[string]any); ok {
		if y, ok := b.(map[string]any); ok {
			for _, name := range union(x, y) {
				differ(path+"."+name, x[name], y[name], note)
			}
			return
		}
	}
	if x, ok := a.([]any); ok {
		if y, ok := b.([]any); ok && len(x) == len(y) {
			for i := range x {
				differ(path+"[]", x[i], y[i], note)
			}
			return
		}
	}
	if reflect.DeepEqual(a, b) {
		return
	}
	if equalNumbers(a, b) {
		path += " as written"
	}
	note(path, shown(a), shown(b))
}

// equalNumbers tells of two texts whether they are the same number.
func equalNumbers(a, b any) bool {
	x, isText := a.(string)
	y, isTextToo := b.(string)
	if !isText || !isTextToo {
		return false
	}
	m, ok := new(big.Rat).SetString(x)
	n, okToo := new(big.Rat).SetString(y)
	return ok && okToo && m.Cmp(n) == 0
}

func union(a, b map[string]any) []string {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	return sortedKeys(names)
}

func shown(v any) string {
	if v == nil {
		return ""
	}
	return cut(compact(v))
}

// cut bounds a text for a line of the golden file.
func cut(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

func TestOutcomesAreCompared(t *testing.T) {
	reply := func(text string) outcome {
		o := outcome{status: 200}
		if err := json.Unmarshal([]byte(text), &o.body); err != nil {
			t.Fatal(err)
		}
		o.body = normalise(o.body, "", "U").(map[string]any)
		return o
	}
	for _, c := range []struct {
		ours, theirs outcome
		want         []difference
	}{
		{reply(`{"a":1,"SS":["x","y"],"MessageId":"1"}`), reply(`{"a":1.0,"SS":["y","x"],"MessageId":"2","none":null}`), nil},
		{reply(`{"a":"U/x"}`), reply(`{"a":"http://HOST/x"}`), nil},
		{reply(`{"l":[1,2]}`), reply(`{"l":[2,1]}`), []difference{{"reply.l[]", "1", "2"}, {"reply.l[]", "2", "1"}}},
		{reply(`{"N":"1.0"}`), reply(`{"N":"1"}`), []difference{{"reply.N as written", `"1.0"`, `"1"`}}},
		{reply(`{"l":[1],"o":{"b":true}}`), reply(`{"l":[],"o":{}}`), []difference{{"reply.l", "[1]", "[]"}, {"reply.o.b", "true", ""}}},
		{outcome{status: 400, code: "A", message: "m"}, outcome{status: 403, code: "A", message: "n", query: "q"},
			[]difference{{"status", "400", "403"}, {"x-amzn-query-error", "", "q"}, {"message", "m", "n"}}},
		{outcome{status: 400, code: "A", message: "m"}, reply(`{}`), []difference{{"outcome", "A: m", "success"}}},
	} {
		if got := compare(c.ours, c.theirs); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v and %v differ in %q, want %q", c.ours, c.theirs, got, c.want)
		}
	}
}
