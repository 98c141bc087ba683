// Package redact takes secrets out of what people and logs are told.
package redact

import (
	"encoding/json"
	"fmt"
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

// Secrets are taken out of texts by their value, wherever they got in. The zero
// Secrets are none. They are safe for concurrent use.
type Secrets struct {
	mu       sync.Mutex
	forms    []string
	replacer atomic.Pointer[strings.Replacer]
}

// Hide adds values to those that Text takes out, in every form in which a log
// line, a URL or an error message writes them. A secret of less than 4 bytes is
// not looked for.
func (s *Secrets) Hide(values ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range values {
		if len(v) < leastHidden {
			continue
		}
		quoted := strconv.Quote(v)
		for _, form := range []string{v, quoted[1 : len(quoted)-1], inJSON(v, false), inJSON(v, true), url.QueryEscape(v), url.PathEscape(v)} {
			if !slices.Contains(s.forms, form) {
				s.forms = append(s.forms, form)
			}
		}
	}
	if len(s.forms) == 0 {
		return
	}
	// Of two that begin at the same place the longer one goes.
	slices.SortStableFunc(s.forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, form := range s.forms {
		pairs = append(pairs, form, hidden)
	}
	s.replacer.Store(strings.NewReplacer(pairs...))
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
func (s *Secrets) Text(text string) string {
	if replace := s.replacer.Load(); replace != nil {
		return replace.Replace(text)
	}
	return text
}

// ReplaceAttr takes the secrets out of an attribute's value. It is for
// slog.HandlerOptions, under any handler; what a logger was made with before Hide
// keeps them.
func (s *Secrets) ReplaceAttr(_ []string, a slog.Attr) slog.Attr {
	replace := s.replacer.Load()
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
