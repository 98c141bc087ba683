package sqs

import (
	"fmt"
	"net/http"

	"github.com/flowctl-dev/flowctl/internal/local/awsjson"
)

const (
	// smithyModel is the namespace of the errors that the SQS model declares, coral of those that its framework adds.
	smithyModel = "com.amazonaws.sqs#"
	coral       = "com.amazon.coral.service#"
	// legacy goes before the codes that most modelled errors have in the Query protocol.
	legacy = "AWS.SimpleQueueService."
)

// modelled is an error of the SQS model whose Query code is its name behind the legacy prefix.
func modelled(name, format string, args ...any) *awsjson.Error {
	return &awsjson.Error{Type: smithyModel + name, QueryCode: legacy + name, Message: fmt.Sprintf(format, args...)}
}

// plain is an error of the SQS model whose Query code is its name.
func plain(name, format string, args ...any) *awsjson.Error {
	return &awsjson.Error{Type: smithyModel + name, QueryCode: name, Message: fmt.Sprintf(format, args...)}
}

func queueDoesNotExist() *awsjson.Error {
	return &awsjson.Error{Type: smithyModel + "QueueDoesNotExist", QueryCode: legacy + "NonExistentQueue",
		Message: "The specified queue does not exist."}
}

func queueNameExists(attribute string) *awsjson.Error {
	return &awsjson.Error{Type: smithyModel + "QueueNameExists", QueryCode: "QueueAlreadyExists",
		Message: "A queue already exists with the same name and a different value for attribute " + attribute}
}

func purgeInProgress(queue string) *awsjson.Error {
	e := modelled("PurgeQueueInProgress", "Only one PurgeQueue operation on %s is allowed every 60 seconds.", queue)
	e.Status = http.StatusForbidden
	return e
}

func unsupported(format string, args ...any) *awsjson.Error {
	return modelled("UnsupportedOperation", format, args...)
}

func unknownAttribute(name string) *awsjson.Error {
	return plain("InvalidAttributeName", "Unknown Attribute %s.", name)
}

func invalidAttribute(name, reason string) *awsjson.Error {
	if reason != "" {
		reason = " Reason: " + reason
	}
	return plain("InvalidAttributeValue", "Invalid value for the parameter %s.%s", name, reason)
}

func resourceNotFound(format string, args ...any) *awsjson.Error {
	e := plain("ResourceNotFoundException", format, args...)
	e.Status = http.StatusNotFound
	return e
}

func receiptHandleIsInvalid(format, handle string) *awsjson.Error {
	return plain("ReceiptHandleIsInvalid", format, handle)
}

func overLimit(format string, args ...any) *awsjson.Error {
	e := plain("OverLimit", format, args...)
	e.Status = http.StatusForbidden
	return e
}

func invalidParameter(format string, args ...any) *awsjson.Error {
	return &awsjson.Error{Type: coral + "InvalidParameterValueException", QueryCode: "InvalidParameterValue",
		Message: fmt.Sprintf(format, args...)}
}

// invalidValue is the form that the service uses for most parameters that are out of range.
func invalidValue(value any, parameter, reason string) *awsjson.Error {
	return invalidParameter("Value %v for parameter %s is invalid. Reason: %s", value, parameter, reason)
}

func missingParameter(name string) *awsjson.Error {
	return &awsjson.Error{Type: coral + "MissingRequiredParameterException", QueryCode: "MissingParameter",
		Message: fmt.Sprintf("The request must contain the parameter %s.", name)}
}

func serializationError(message string) *awsjson.Error {
	return &awsjson.Error{Type: coral + "SerializationException", Message: message}
}

// failed tells of an entry's error in a batch's reply.
func failed(id string, e *awsjson.Error) failedEntry {
	return failedEntry{Id: id, SenderFault: e.Status < http.StatusInternalServerError, Code: e.QueryCode, Message: e.Message}
}
