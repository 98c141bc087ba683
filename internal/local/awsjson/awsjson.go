// Package awsjson is the AWS JSON 1.0 front of the local stand-ins: one HTTP handler, so one port, for all services.
//
// The protocol: POST / with X-Amz-Target "SERVICE.OPERATION" and a JSON object as the body; 200 with a JSON object, or
// an error status with {"__type": ..., "message": ...}. See the Smithy "AWS JSON 1.0 protocol" specification.
package awsjson

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// MaxBody bounds a request's body in bytes: SQS's 1 MiB fits when all of it is \u escapes.
const MaxBody = 24 << 20

// maxDynamoDBBody is DynamoDB's own bound.
const maxDynamoDBBody = 16 << 20

// Service is one AWS service behind the front. Call may be called by many goroutines at once.
type Service interface {
	// Target is the part of X-Amz-Target before the dot, such as "AmazonSQS" or "DynamoDB_20120810".
	Target() string
	// Relatives are the targets of neighbouring services whose operations Call knows by name, if only to refuse them. They
	// are not named among the services that are served.
	Relatives() []string
	// Host is the host name of the service itself, such as "sqs.us-east-1.amazonaws.com".
	Host() string
	// Has tells whether there is such an operation. Call has an error for the others.
	Has(op string) bool
	// Call runs an operation and gives the whole JSON reply. ctx ends when the client goes away or the server stops. An
	// error that is not an *Error is logged and becomes a 500 whose text tells nothing of the inside; http.ErrAbortHandler
	// closes the connection without a reply.
	Call(ctx context.Context, op string, body []byte) ([]byte, error)
}

// Error is an error reply of a service.
type Error struct {
	// Status is the HTTP status; 0 means 400.
	Status int
	// Type is the whole __type, such as "com.amazonaws.sqs#QueueDoesNotExist".
	Type string
	// Message is the text for people.
	Message string
	// QueryCode is what a client of the older Query protocol knows the error by. When not empty it goes out as the header
	// x-amzn-query-error: "CODE;Sender", or ";Receiver" for a status of 500 and above.
	QueryCode string
	// Fields are further members of the error's body.
	Fields map[string]any
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Type, e.Message) }

func (e *Error) status() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

func (e *Error) body() ([]byte, error) {
	members := map[string]any{"__type": e.Type}
	if e.Message != "" {
		members[e.messageMember()] = e.Message
	}
	for name, value := range e.Fields {
		members[name] = value
	}
	return json.Marshal(members)
}

// messageMember is where the services put an error's text: the framework's own two, which come before an operation sees
// the request, spell it with a capital.
func (e *Error) messageMember() string {
	switch _, name, _ := strings.Cut(e.Type, "#"); name {
	case "SerializationException", "AccessDeniedException":
		return "Message"
	}
	return "message"
}
