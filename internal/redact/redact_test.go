package redact

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func jsonHandler(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, o) }
func textHandler(w io.Writer, o *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, o) }

func TestSecretsAreTakenOutOfTextsInEveryForm(t *testing.T) {
	values := []string{`p@ss "word"\1`, "canary-Ü&<x>", "line\nbreak", "prefix", "prefix-longer"}
	s := &Secrets{}
	if got := s.Text("prefix"); got != "prefix" {
		t.Errorf("without a secret it changed %q", got)
	}
	s.Hide("", "abc") // too short to be told from words
	if got := s.Text("abc"); got != "abc" {
		t.Errorf("%q", got)
	}
	s.Hide(values...)
	s.Hide(values[0])
	for format, handler := range map[string]func(io.Writer, *slog.HandlerOptions) slog.Handler{"JSON": jsonHandler, "text": textHandler} {
		var out strings.Builder
		log := slog.New(handler(&out, &slog.HandlerOptions{ReplaceAttr: s.ReplaceAttr}))
		for _, v := range values {
			log.Info("the value is "+v, "value", v, "error", errors.New("mqtt://user:"+v+"@host"), "any", map[string]string{"k": v}, "bytes", []byte(v), "group", slog.GroupValue(slog.String("k", v)))
		}
		got := out.String()
		for _, v := range values {
			for _, form := range []string{v, inJSON(v, false), inJSON(v, true)} {
				if strings.Contains(got, form) {
					t.Errorf("%s: the log shows %q:\n%s", format, form, got)
				}
			}
		}
		if strings.Count(got, hidden) < 6*len(values) || strings.Contains(got, hidden+"-longer") {
			t.Errorf("%s:\n%s", format, got)
		}
	}
	if got := s.Text("a canary-%C3%9C%26%3Cx%3E b prefix-longer c"); got != "a "+hidden+" b "+hidden+" c" {
		t.Errorf("%q", got)
	}
}

func FuzzARedactedTextHoldsNoSecret(f *testing.F) {
	f.Add("hunter22", "the password hunter22 was refused")
	f.Add("aaaa", "aaaaaaaaa")
	f.Add("[sec", "[sec[sec")
	f.Fuzz(func(t *testing.T, secret, text string) {
		if len(secret) < leastHidden || strings.Contains(hidden, secret) || strings.ContainsAny(secret, "[]") {
			t.Skip() // what stands for a secret may complete another one
		}
		s := &Secrets{}
		s.Hide(secret)
		if got := s.Text(text + secret + text); strings.Contains(got, secret) {
			t.Errorf("%q in %q: %q", secret, text, got)
		}
		var out strings.Builder
		slog.New(jsonHandler(&out, &slog.HandlerOptions{ReplaceAttr: s.ReplaceAttr})).Info(text+secret, "v", secret)
		var line struct{ V string }
		if err := json.Unmarshal([]byte(out.String()), &line); err != nil || line.V != hidden {
			t.Errorf("%q is logged as %q, %v", secret, line.V, err)
		}
	})
}
