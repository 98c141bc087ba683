package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Error is every error of this package. It names the broker by scheme, host and port and never holds credentials.
type Error struct {
	Op     string // what was tried: "configure", "connect", "publish", "subscribe"
	Broker string
	Err    error

	retryable bool
}

func (e *Error) Error() string {
	if e.Broker == "" {
		return fmt.Sprintf("mqtt %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("mqtt %s, broker %s: %v", e.Op, e.Broker, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Retryable says whether the same call may succeed later: true for a broker that is down, slow or out of reach, false
// for wrong topics, refused credentials and certificates that do not verify. A publish that failed retryably may have
// reached the broker all the same.
func (e *Error) Retryable() bool { return e.retryable }

var (
	// ErrClosed is wrapped by the error of a call on a Client after Close.
	ErrClosed = errors.New("the client is closed")

	// ErrTimeout is wrapped when one of the Config's timeouts passed.
	ErrTimeout = errors.New("timed out")

	// ErrConnectionLost is wrapped when the connection broke before the broker answered.
	ErrConnectionLost = errors.New("connection lost before the broker answered")
)

// handshakeRefused is an HTTP answer that is no upgrade to WebSocket.
type handshakeRefused struct {
	status string
	code   int
}

func (h *handshakeRefused) Error() string {
	return "the server answered the WebSocket handshake with " + h.status
}

func (h *handshakeRefused) permanent() bool {
	return h.code >= 300 && h.code < 500 && h.code != 408 && h.code != 429
}

// connectError makes the error of a failed connect, in words of the cause and classified.
func connectError(broker string, err error) *Error {
	e := &Error{Op: "connect", Broker: broker, Err: err, retryable: true}
	var refused *handshakeRefused
	switch {
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		e.Err = fmt.Errorf("%w: %w", ErrTimeout, stripPaho(err))
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword):
		e.Err, e.retryable = fmt.Errorf("the broker refuses user name or password: %w", err), false
	case errors.Is(err, packets.ErrorRefusedNotAuthorised):
		e.Err, e.retryable = fmt.Errorf("the broker does not let this client in: %w", err), false
	case errors.Is(err, packets.ErrorRefusedIDRejected), errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		e.Err, e.retryable = fmt.Errorf("the broker refuses the connection: %w", err), false
	case errors.As(err, &refused):
		e.retryable = !refused.permanent()
	case isTLSFailure(err):
		e.Err, e.retryable = fmt.Errorf("TLS: %w", stripPaho(err)), false
	default:
		e.Err = stripPaho(err)
	}
	return e
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

func isTLSFailure(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		op           *net.OpError
		authority    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		invalid      x509.CertificateInvalidError
		badFile      *tlsFileError
	)
	if errors.As(err, &op) && op.Op == "remote error" { // an alert, whose type crypto/tls keeps to itself
		return true
	}
	return errors.As(err, &verification) || errors.As(err, &record) ||
		errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid) || errors.As(err, &badFile)
}

// stripPaho drops the "network Error : " that paho puts before the cause.
func stripPaho(err error) error {
	if multi, ok := err.(interface{ Unwrap() []error }); ok {
		for _, inner := range multi.Unwrap() {
			if inner != nil && !errors.Is(inner, packets.ErrorNetworkError) {
				return inner
			}
		}
	}
	if err != nil && strings.HasPrefix(err.Error(), packets.ErrorNetworkError.Error()) {
		return errors.New("the broker closed the connection instead of answering")
	}
	return err
}
