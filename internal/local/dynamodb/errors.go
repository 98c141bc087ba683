package dynamodb

import (
	"fmt"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

// The error types of the wire protocol come from three models: the service's own and two of the framework below it.
const (
	typePrefix        = "com.amazonaws.dynamodb.v20120810#"
	typeValidation    = "com.amazon.coral.validate#ValidationException"
	typeSerialization = "com.amazon.coral.service#SerializationException"
	typeAccessDenied  = "com.amazon.coral.service#AccessDeniedException"
	typeUnknown       = "com.amazon.coral.service#UnknownOperationException"
)

const invalidParameters = "One or more parameter values were invalid: "

// invalid is a ValidationException.
func invalid(format string, args ...any) error {
	return &awsjson.Error{Type: typeValidation, Message: message(format, args)}
}

// invalidParameter is a ValidationException with the service's usual beginning.
func invalidParameter(format string, args ...any) error {
	return &awsjson.Error{Type: typeValidation, Message: invalidParameters + message(format, args)}
}

// malformed is a SerializationException: the request has not the types of the operation's model.
func malformed(format string, args ...any) error {
	return &awsjson.Error{Type: typeSerialization, Message: message(format, args)}
}

// failure is an error of the service's own model.
func failure(name, format string, args ...any) *awsjson.Error {
	return &awsjson.Error{Type: typePrefix + name, Message: message(format, args)}
}

func message(format string, args []any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// asInvalid makes a ValidationException of an error of the packages below, whose texts are the service's own.
func asInvalid(err error) error {
	if err == nil {
		return nil
	}
	return invalid("%s", err)
}

func tableNotFound() error {
	return failure("ResourceNotFoundException", "Requested resource not found")
}

func namedTableNotFound(name string) error {
	return failure("ResourceNotFoundException", "Requested resource not found: Table: %s not found", name)
}

const conditionFailedMessage = "The conditional request failed"
