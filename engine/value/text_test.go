package value

import (
	"testing"
	"time"
)

func TestTextIsWhatStandsInsideAText(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{"a", "a"},
		{2.50, "2.5"},
		{true, "true"},
		{[]byte("a"), "a"},
		{90 * time.Second, "1m30s"},
		{NewDoc([]byte(`"a"`)), "a"},
		{NewDoc([]byte(`{ "a": 1 }`)), `{ "a": 1 }`},
		{[]any{"a"}, `["a"]`},
	} {
		if got, err := Text(tt.v); err != nil || got != tt.want {
			t.Errorf("Text(%v) = %q, %v; want %q", tt.v, got, err, tt.want)
		}
	}
	for _, v := range []any{nil, NewDoc([]byte("null")), NewDoc([]byte("{oops"))} {
		if got, err := Text(v); err == nil {
			t.Errorf("Text(%v) = %q; want an error", v, got)
		}
	}
}
