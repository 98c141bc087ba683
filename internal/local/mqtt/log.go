package mqtt

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// natsLog hands nats-server's warnings and errors to slog and remembers why it gave up, which it tells its log only.
type natsLog struct {
	log *slog.Logger

	mu           sync.Mutex
	fatalMessage string
	errorMessage string
}

func (l *natsLog) fatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatalMessage
}

func (l *natsLog) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errorMessage
}

// Noticef drops what nats-server says of its ordinary life, but not that it disconnects a client.
func (l *natsLog) Noticef(format string, v ...any) {
	if strings.Contains(format, "Slow Consumer Detected") {
		l.Warnf(format, v...)
	}
}

// Debugf and Tracef drop what nats-server says of its ordinary life.
func (l *natsLog) Debugf(string, ...any) {}
func (l *natsLog) Tracef(string, ...any) {}

func (l *natsLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Maximum payloads over") { // backendPayload is a little more than is advised
		return
	}
	l.log.Warn("mqtt broker", "message", fmt.Sprintf(format, v...))
}

func (l *natsLog) Errorf(format string, v ...any) {
	msg := fmt.Sprintf(format, v...)
	l.mu.Lock()
	l.errorMessage = msg
	l.mu.Unlock()
	// A client that is gone without a goodbye is news to its own log, not a fault of the broker.
	if strings.Contains(msg, "connection reset by peer") || strings.Contains(msg, "broken pipe") {
		l.log.Debug("mqtt broker", "message", msg)
		return
	}
	l.log.Error("mqtt broker", "message", msg)
}

// Fatalf must not end the process: it is the user's, not the broker's.
func (l *natsLog) Fatalf(format string, v ...any) {
	msg := fmt.Sprintf(format, v...)
	l.mu.Lock()
	l.fatalMessage = msg
	l.mu.Unlock()
	l.log.Error("mqtt broker", "message", msg)
}
