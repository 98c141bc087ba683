package awsclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/flowctl-dev/flowctl/engine"
)

// Classify tells what an error of an SDK call means to a flow: whether the same
// call may succeed later, and a stable code.
//
//	throttled      retryable  the service asks to slow down
//	unavailable    retryable  status 5xx
//	timeout        retryable  an attempt or the whole call had no answer in time
//	unreachable    retryable  no connection, or it broke
//	stopped        retryable  the caller gave up
//	credentials    retryable  none found, or expired: they may be renewed
//	clock          retryable  the request's time was refused
//	access_denied  permanent  the account's policy says no
//	not_found      permanent  the queue or table does not exist
//	tls            permanent  the server's certificate is not accepted
//
// Any other error that the service lays at the caller's door is permanent, one
// at its own retryable; the code is the service's own, as in
// conditional_check_failed. Errors that are not known are retryable, so that
// nothing is given up by mistake.
func Classify(err error) (class engine.Class, code string) {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return classifyAPI(err, api)
	}
	switch {
	case isTimeout(err):
		return engine.Retryable, "timeout"
	case errors.Is(err, context.Canceled):
		return engine.Retryable, "stopped"
	case isCertificate(err):
		return engine.Permanent, "tls"
	case isCredentials(err):
		return engine.Retryable, "credentials"
	case brokenOff(err), isNetwork(err):
		return engine.Retryable, "unreachable"
	}
	if status := statusOf(err); status >= 500 {
		return engine.Retryable, "unavailable"
	}
	return engine.Retryable, "error"
}

// known are the error codes of the services, in either spelling, that mean the
// same everywhere.
var known = map[string]struct {
	class engine.Class
	code  string
}{
	"OverLimit":                   {engine.Retryable, "throttled"},
	"KmsThrottled":                {engine.Retryable, "throttled"},
	"ReplicatedWriteConflict":     {engine.Retryable, "throttled"},
	"RequestTimeout":              {engine.Retryable, "timeout"},
	"ExpiredToken":                {engine.Retryable, "credentials"},
	"TokenRefreshRequired":        {engine.Retryable, "credentials"},
	"RequestExpired":              {engine.Retryable, "clock"},
	"RequestTimeTooSkewed":        {engine.Retryable, "clock"},
	"RequestInTheFuture":          {engine.Retryable, "clock"},
	"AccessDenied":                {engine.Permanent, "access_denied"},
	"KmsAccessDenied":             {engine.Permanent, "access_denied"},
	"NotAuthorized":               {engine.Permanent, "access_denied"},
	"UnrecognizedClient":          {engine.Permanent, "access_denied"},
	"InvalidClientTokenId":        {engine.Permanent, "access_denied"},
	"InvalidSignature":            {engine.Permanent, "access_denied"},
	"SignatureDoesNotMatch":       {engine.Permanent, "access_denied"},
	"MissingAuthenticationToken":  {engine.Permanent, "access_denied"},
	"IncompleteSignature":         {engine.Permanent, "access_denied"},
	"QueueDoesNotExist":           {engine.Permanent, "not_found"},
	"NonExistentQueue":            {engine.Permanent, "not_found"},
	"ResourceNotFound":            {engine.Permanent, "not_found"},
	"TableNotFound":               {engine.Permanent, "not_found"},
	"IdempotentParameterMismatch": {engine.Permanent, "idempotent_parameter_mismatch"},
	"TransactionConflict":         {engine.Retryable, "transaction_conflict"},
	"ConditionalCheckFailed":      {engine.Permanent, "conditional_check_failed"},
	"ItemCollectionSizeLimit":     {engine.Permanent, "item_collection_size_limit"},
	"LimitExceeded":               {engine.Retryable, "throttled"},
	"TransactionInProgress":       {engine.Retryable, "throttled"},
	"QueueDeletedRecently":        {engine.Retryable, "queue_deleted_recently"},
}

func classifyAPI(err error, api smithy.APIError) (engine.Class, string) {
	name := plainCode(api.ErrorCode())
	if k, ok := known[name]; ok {
		return k.class, k.code
	}
	status := statusOf(err)
	switch {
	case retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err).Bool(), status == http.StatusTooManyRequests:
		return engine.Retryable, "throttled"
	case status >= 500, api.ErrorFault() == smithy.FaultServer:
		return engine.Retryable, "unavailable"
	case status == http.StatusRequestTimeout:
		return engine.Retryable, "timeout"
	case api.ErrorFault() == smithy.FaultClient, status >= 400:
		return engine.Permanent, snake(name)
	}
	return engine.Retryable, snake(name)
}

// ClassifyCode is Classify for an entry of a batch, of which only the service's
// code is known and whether it blames the sender.
func ClassifyCode(code string, senderFault bool) (engine.Class, string) {
	fault := smithy.FaultServer
	if senderFault {
		fault = smithy.FaultClient
	}
	return Classify(&smithy.GenericAPIError{Code: code, Fault: fault})
}

// plainCode takes off what the services put around a code:
// AWS.SimpleQueueService.NonExistentQueue, com.amazonaws…#X, XException.
func plainCode(code string) string {
	if i := strings.LastIndexAny(code, ".#"); i >= 0 {
		code = code[i+1:]
	}
	return strings.TrimSuffix(code, "Exception")
}

func snake(name string) string {
	var out strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	if out.Len() == 0 {
		return "error"
	}
	return out.String()
}

func statusOf(err error) int {
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// brokenOff reports an answer that ended before it was complete.
func brokenOff(err error) bool {
	if _, ok := errors.AsType[*AttemptTimeoutError](err); ok {
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func isNetwork(err error) bool {
	if _, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok
}

func isCertificate(err error) bool {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// isCredentials recognizes what the SDK gives no type for.
func isCredentials(err error) bool {
	text := err.Error()
	return strings.Contains(text, "get identity:") || strings.Contains(text, "failed to refresh cached credentials")
}

// Fail makes an error of a flow from an error of an SDK call. doing says in a
// few words what was tried and on what, such as `sending to the queue "orders"`.
// The text is the service's own, without the SDK's chain of wrappings; the
// chain stays reachable with errors.As.
func Fail(doing string, err error) error {
	class, code := Classify(err)
	return engine.Fail(class, code, doing, &brief{text(err, code), err})
}

// sdkUnknown is the SDK's code, and text, for an error answer that names none.
const sdkUnknown = "UnknownError"

// wordless tells of such an answer, as something before the service gives it.
func wordless(status int) string {
	said := fmt.Sprintf("the answer is %d %s and says nothing more", status, http.StatusText(status))
	if status >= 500 {
		return said
	}
	return said + ", which is not how the service answers; look whether its address is right"
}

type brief struct {
	text string
	err  error
}

func (b *brief) Error() string { return b.text }

func (b *brief) Unwrap() error { return b.err }

func text(err error, code string) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if status := statusOf(err); api.ErrorCode() == sdkUnknown && status != 0 {
			return wordless(status)
		}
		said := api.ErrorMessage()
		if said == "" {
			said = "no further text"
		}
		request := ""
		if r, ok := errors.AsType[interface {
			error
			ServiceRequestID() string
		}](err); ok && r.ServiceRequestID() != "" {
			request = ", request " + r.ServiceRequestID()
		}
		return fmt.Sprintf("%s (%s%s)", said, api.ErrorCode(), request)
	}
	if t, ok := errors.AsType[*AttemptTimeoutError](err); ok {
		return t.Error()
	}
	switch code {
	case "credentials":
		return "no AWS credentials could be had; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`: " + err.Error()
	case "stopped":
		return "stopped"
	}
	return err.Error()
}
