// Package envelope reads the forms in which Amazon SNS, Amazon S3 and Amazon
// EventBridge hand on their messages, alone or inside another service's.
//
// What it returns shares no memory with what it read.
package envelope

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
)

// CodeWrong is the code of the error about a document that is not of the form
// that was asked for. It is permanent.
const CodeWrong = "wrong_event"

// Wrong says that a document is not what was asked for.
func Wrong(format string, args ...any) error {
	return engine.Fail(engine.Permanent, CodeWrong, fmt.Sprintf(format, args...), nil)
}

// decode reads a document of a form; what names it with its article.
func decode(data []byte, into any, what string) error {
	if err := json.Unmarshal(data, into); err != nil {
		return engine.Fail(engine.Permanent, CodeWrong, "it is not "+what, err)
	}
	return nil
}

// instant is a time as an expression reads it, null for none.
func instant(text string) any {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil
	}
	return t.UTC()
}

// orNull is a text, null where there is none.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// document is a JSON value that is decoded when somebody looks inside.
func document(raw json.RawMessage) *value.Doc {
	if len(raw) == 0 {
		raw = json.RawMessage("null")
	}
	return value.NewDoc(raw)
}
