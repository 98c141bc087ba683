package lambda

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// leastHidden is the length, in bytes, from which a secret is looked for in
// texts: a shorter one is found in half of all words.
const leastHidden = 4

const hidden = "[secret]"

// Redactor takes secrets out of texts by their value, wherever they got in. The
// zero Redactor knows none. It is safe for concurrent use.
type Redactor struct {
	mu       sync.Mutex
	forms    []string
	replacer atomic.Pointer[strings.Replacer]
}

// Hide adds secrets to those that Text takes out, in every form in which a log
// line, a URL or an error message writes them. A secret of less than 4 bytes is
// not looked for.
func (r *Redactor) Hide(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range secrets {
		if len(s) < leastHidden {
			continue
		}
		quoted := strconv.Quote(s)
		for _, form := range []string{s, quoted[1 : len(quoted)-1], inJSON(s, false), inJSON(s, true), url.QueryEscape(s), url.PathEscape(s)} {
			if !slices.Contains(r.forms, form) {
				r.forms = append(r.forms, form)
			}
		}
	}
	if len(r.forms) == 0 {
		return
	}
	// Of two that begin at the same place the longer one goes.
	slices.SortStableFunc(r.forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, form := range r.forms {
		pairs = append(pairs, form, hidden)
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

// inJSON is a text as encoding/json writes it between quotes; log/slog does not
// escape what HTML would take for its own.
func inJSON(s string, html bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if e.Encode(s) != nil {
		return s
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

// Text is text without the secrets.
func (r *Redactor) Text(text string) string {
	if replace := r.replacer.Load(); replace != nil {
		return replace.Replace(text)
	}
	return text
}

// NewLog is the package's NewLog without the secrets, whatever they are the
// value of. What a logger was made with before Hide keeps them.
func (r *Redactor) NewLog(w io.Writer, getenv func(string) string) *slog.Logger {
	return newLog(w, getenv, func(groups []string, a slog.Attr) slog.Attr { return r.attr(lambdaNames(groups, a)) })
}

// ReplaceAttr takes the secrets out of an attribute. It is for
// slog.HandlerOptions, under any handler.
func (r *Redactor) ReplaceAttr(_ []string, a slog.Attr) slog.Attr { return r.attr(a) }

// attr is an attribute without secrets in its value.
func (r *Redactor) attr(a slog.Attr) slog.Attr {
	replace := r.replacer.Load()
	if replace == nil {
		return a
	}
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(replace.Replace(a.Value.String()))
	case slog.KindAny:
		a.Value = redacted(a.Value.Any(), replace)
	}
	return a
}

// redacted is a value as it is, or its text where that holds a secret.
func redacted(v any, replace *strings.Replacer) slog.Value {
	var text string
	switch v := v.(type) {
	case error:
		return slog.StringValue(replace.Replace(v.Error()))
	case slog.Level:
		return slog.AnyValue(v)
	case []byte:
		text = string(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			b = fmt.Append(nil, v)
		}
		text = string(b)
	}
	if clean := replace.Replace(text); clean != text {
		return slog.StringValue(clean)
	}
	return slog.AnyValue(v)
}
