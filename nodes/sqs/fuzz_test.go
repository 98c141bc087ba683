package sqs

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/flowctl-dev/flowctl/engine"
)

// FuzzCheckText compares what may be sent with what an XML parser takes: the rule of SQS is that of XML 1.0.
func FuzzCheckText(f *testing.F) {
	for _, seed := range []string{"", "plain", "tab\t\r\n", "\x00", "\x1f", "\x7f", "\ufffe", "\uffff", "\ufffd", "\xff", "a\xed\xa0\x80", "\U0010ffff", "💡"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		err := checkText("the body", s)
		var escaped strings.Builder
		replaced := strings.NewReplacer("&", "", "<", "", "]]>", "").Replace(s)
		escaped.WriteString("<a>" + replaced + "</a>")
		var out struct {
			Text string `xml:",chardata"`
		}
		legal := utf8.ValidString(s) && xml.Unmarshal([]byte(escaped.String()), &out) == nil
		if (err == nil) != legal {
			t.Errorf("%q: %v, an XML parser takes it: %t", s, err, legal)
		}
		if err != nil && engine.ClassOf(err) != engine.Permanent {
			t.Errorf("%q: %s", s, engine.ClassOf(err))
		}
	})
}

func FuzzQueueURL(f *testing.F) {
	for _, seed := range []string{"https://sqs.eu-west-1.amazonaws.com/1/q", "http://localhost:9324/0/q", "", "::", "https://x.queue.amazonaws.com/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, at string) {
		options, err := optionsFor(at, "eu-west-1")
		if err == nil && !strings.Contains(strings.ToLower(at), "http") {
			t.Errorf("%q was taken, with %d options", at, len(options))
		}
	})
}

// FuzzDelivery: whatever the service sends, every field can be read.
func FuzzDelivery(f *testing.F) {
	f.Add(`{"a":1}`, "1772366400123", "3", "g")
	f.Add(`{`, "-1", "x", "")
	f.Add("", "99999999999999999999", "0", "\x00")
	f.Fuzz(func(t *testing.T, body, at, count, group string) {
		d := &Delivery{MessageID: "m", Body: body, System: map[string]string{"SentTimestamp": at, "ApproximateReceiveCount": count, "MessageGroupId": group}}
		for _, format := range []string{formatJSON, formatText, formatBytes} {
			m, err := (&In{Format: format}).Message(d)
			if err != nil {
				t.Fatal(err)
			}
			if all, err := m.Env.Event.Fields(); err != nil || len(all) != len(eventFields) {
				t.Errorf("%v, %v", all, err)
			}
			if m.Attempt < 1 {
				t.Errorf("attempt %d", m.Attempt)
			}
		}
	})
}
