package fault

import (
	"context"
	"net/http"
	"strings"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

// Wrap puts the faults of the rules in front of an AWS stand-in. Without an
// Injector, and for a service that rules cannot be about, it gives the service
// itself.
func (i *Injector) Wrap(inner awsjson.Service) awsjson.Service {
	if i == nil {
		return inner
	}
	for name, s := range services {
		if s.target == inner.Target() {
			return &faulty{Service: inner, injector: i, name: name}
		}
	}
	return inner
}

// faulty is an AWS stand-in that fails on demand.
type faulty struct {
	awsjson.Service
	injector *Injector
	name     string
	copies   copies
}

// Call implements awsjson.Service. http.ErrAbortHandler is the error of a
// connection to be closed without an answer.
func (f *faulty) Call(ctx context.Context, operation string, body []byte) ([]byte, error) {
	d := f.injector.decide(f.name, operation)
	if err := f.injector.wait(ctx, d.delay); err != nil {
		return nil, err
	}
	switch d.kind {
	case Throttle:
		return nil, throttled(f.name, operation)
	case Error:
		return nil, failed(f.name)
	case Drop:
		return nil, http.ErrAbortHandler
	}
	reply, err := f.call(ctx, operation, body, d)
	if d.kind == DropReply && ctx.Err() == nil {
		return nil, http.ErrAbortHandler
	}
	return reply, err
}

func (f *faulty) call(ctx context.Context, operation string, body []byte, d decision) ([]byte, error) {
	if f.name != "sqs" {
		return f.Service.Call(ctx, operation, body)
	}
	switch operation {
	case "ReceiveMessage":
		return f.receive(ctx, body, d.again)
	case "PurgeQueue", "DeleteQueue":
		f.copies.forget(queueOf(body))
	}
	return f.Service.Call(ctx, operation, body)
}

// throttled is the service's own error for being asked too often. DynamoDB
// blames the table's capacity for operations on items (Developer Guide, "Error
// handling with DynamoDB") and the rate for those on tables.
func throttled(service, operation string) error {
	const dynamodb = "com.amazonaws.dynamodb.v20120810#"
	switch {
	case service == "sqs":
		return &awsjson.Error{Type: "com.amazonaws.sqs#RequestThrottled", Status: http.StatusForbidden, QueryCode: "RequestThrottled",
			Message: "Rate exceeded"}
	case onItems(operation):
		return &awsjson.Error{Type: dynamodb + "ProvisionedThroughputExceededException",
			Message: "The level of configured provisioned throughput for the table was exceeded. " +
				"Consider increasing your provisioning level with the UpdateTable API."}
	}
	return &awsjson.Error{Type: dynamodb + "ThrottlingException", Message: "Rate of requests exceeds the allowed throughput."}
}

func onItems(operation string) bool {
	return strings.HasSuffix(operation, "Item") || strings.HasSuffix(operation, "Items") || operation == "Query" || operation == "Scan"
}

func failed(service string) error {
	if service == "dynamodb" {
		return &awsjson.Error{Type: "com.amazonaws.dynamodb.v20120810#InternalServerError", Status: http.StatusInternalServerError,
			Message: "Internal server error"}
	}
	return &awsjson.Error{Type: "InternalFailure", Status: http.StatusInternalServerError, QueryCode: "InternalFailure",
		Message: "We encountered an internal error. Please try again."}
}
