package lambda

import (
	"encoding/json"
	"io"
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
		for _, form := range []string{s, quoted[1 : len(quoted)-1], inJSON(s), url.QueryEscape(s), url.PathEscape(s)} {
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

// inJSON is a text as encoding/json and log/slog write it between quotes.
func inJSON(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
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

// Writer takes the secrets out of whole lines on their way to w. A secret that
// is written in two pieces is not found.
func (r *Redactor) Writer(w io.Writer) io.Writer { return redacting{r, w} }

type redacting struct {
	*Redactor
	to io.Writer
}

// Write implements io.Writer.
func (w redacting) Write(line []byte) (int, error) {
	replace := w.replacer.Load()
	if replace == nil {
		return w.to.Write(line)
	}
	if _, err := replace.WriteString(w.to, string(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
