package events

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/nodes/events/envelope"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// invoked is a source with the config it was made of.
type invoked struct {
	engine.Invoked
	config any
}

// made is a source called "in".
func made(t testing.TB, kind *engine.Kind, config any) invoked {
	t.Helper()
	if found := slices.Concat(kind.Check(config), kind.Verify(config)); len(found) > 0 {
		t.Fatalf("found %+v", found)
	}
	return invoked{enginetest.Source(t, kind, config, nil).(engine.Invoked), config}
}

// one is the one message of an event.
func one(t testing.TB, s invoked, payload string) *engine.Message {
	t.Helper()
	all, err := s.Messages([]byte(payload))
	if err != nil || len(all) != 1 {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	return all[0]
}

// wantEvent compares what expressions read; a document is compared by its text.
func wantEvent(t testing.TB, kind *engine.Kind, s invoked, m *engine.Message, want map[string]any) {
	t.Helper()
	got, err := m.Env.Event.Fields()
	if err != nil {
		t.Fatal(err)
	}
	got = maps.Clone(got)
	for name, v := range got {
		if doc, ok := v.(*value.Doc); ok {
			got[name] = string(doc.Raw())
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("event %v, want %v", got, want)
	}
	if typed := kind.Event(s.config).FieldNames(); !slices.Equal(typed, value.Keys(got)) {
		t.Errorf("fields %v are typed, there are %v", typed, value.Keys(got))
	}
}

func wantRefusal(t testing.TB, s invoked, payload, want string) {
	t.Helper()
	all, err := s.Messages([]byte(payload))
	if err == nil || len(all) > 0 || engine.CodeOf(err) != envelope.CodeWrong || engine.ClassOf(err) != engine.Permanent ||
		!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "the event is none for in (") {
		t.Errorf("%s: %v, %v; want a refusal with %q", payload, all, err, want)
	}
}

func wantInvalidBody(t testing.TB, s invoked, payload, want string) {
	t.Helper()
	_, err := s.Messages([]byte(payload))
	if err == nil || engine.CodeOf(err) != "invalid_body" || engine.ClassOf(err) != engine.Permanent || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want invalid_body with %q", payload, err, want)
	}
}

// wantFinding wants one finding of a field; want "" is none at all.
func wantFinding(t testing.TB, found []engine.Finding, field, want string) {
	t.Helper()
	if want == "" {
		if len(found) > 0 {
			t.Errorf("found %+v, want nothing", found)
		}
		return
	}
	if len(found) != 1 || found[0].Field != field || !strings.Contains(found[0].Message, want) {
		t.Errorf("found %+v, want one of %q with %q", found, field, want)
	}
}

// order is a schema that asks for an id.
var order = engine.Schema{Name: "Order", Type: expr.Object(map[string]expr.Type{"id": expr.Any}), Validate: func(v any) error {
	if m, ok := v.(map[string]any); !ok || m["id"] == nil {
		return errors.New("id is missing")
	}
	return nil
}}
