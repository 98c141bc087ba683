package lambda

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/flowctl-dev/flowctl/internal/redact"
)

// NewLog makes the log of a function. getenv gives its environment, of which
// AWS_LAMBDA_LOG_FORMAT (JSON, which is the default, or Text) and
// AWS_LAMBDA_LOG_LEVEL (TRACE, DEBUG, INFO, WARN, ERROR or FATAL; INFO by
// default) are obeyed. Every line that belongs to an invocation carries its
// requestId and traceId, and cold_start if it is the process's first. The keys
// timestamp, level and message are those that Lambda filters by. The secrets are
// taken out, whatever they are the value of.
func NewLog(w io.Writer, getenv func(string) string, secrets *redact.Secrets) *slog.Logger {
	o := &slog.HandlerOptions{
		Level: levelOf(getenv("AWS_LAMBDA_LOG_LEVEL")),
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			return secrets.ReplaceAttr(groups, lambdaNames(groups, a))
		},
	}
	var h slog.Handler = slog.NewJSONHandler(w, o)
	if strings.EqualFold(getenv("AWS_LAMBDA_LOG_FORMAT"), "Text") {
		h = slog.NewTextHandler(w, o)
	}
	return slog.New(invocationHandler{h})
}

// Levels beyond those of slog.
const (
	levelTrace = slog.LevelDebug - 4
	levelFatal = slog.LevelError + 4
)

func levelOf(name string) slog.Level {
	switch strings.ToUpper(name) {
	case "TRACE":
		return levelTrace
	case "DEBUG":
		return slog.LevelDebug
	case "WARN":
		return slog.LevelWarn
	case "ERROR":
		return slog.LevelError
	case "FATAL":
		return levelFatal
	}
	return slog.LevelInfo
}

func lambdaNames(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		a.Key = "timestamp"
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		switch a.Value.Any() {
		case levelTrace:
			a.Value = slog.StringValue("TRACE")
		case levelFatal:
			a.Value = slog.StringValue("FATAL")
		}
	}
	return a
}

type coldKey struct{}

// ColdStart marks the context of a process's first invocation.
func ColdStart(ctx context.Context) context.Context { return context.WithValue(ctx, coldKey{}, true) }

// invocationHandler adds to a line what its context tells of the invocation.
type invocationHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h invocationHandler) Handle(ctx context.Context, r slog.Record) error {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		r = r.Clone()
		r.AddAttrs(slog.String("requestId", lc.AwsRequestID))
		if trace := traceOf(ctx); trace != "" {
			r.AddAttrs(slog.String("traceId", trace))
		}
		if ctx.Value(coldKey{}) != nil {
			r.AddAttrs(slog.Bool("cold_start", true))
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h invocationHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return invocationHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h invocationHandler) WithGroup(name string) slog.Handler {
	return invocationHandler{h.Handler.WithGroup(name)}
}

// traceOf is the trace id in the X-Ray header that came with an invocation,
// Root=ID;Parent=…;Sampled=….
func traceOf(ctx context.Context) string {
	header, _ := ctx.Value("x-amzn-trace-id").(string) // the key is aws-lambda-go's
	for field := range strings.SplitSeq(header, ";") {
		if id, ok := strings.CutPrefix(strings.TrimSpace(field), "Root="); ok {
			return id
		}
	}
	return ""
}
