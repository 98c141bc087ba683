package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/flows"
	"github.com/flowctl-dev/flowctl/internal/local"
	"github.com/flowctl-dev/flowctl/internal/local/store"
	"github.com/flowctl-dev/flowctl/internal/redact"
	"github.com/flowctl-dev/flowctl/nodes"
)

// appFlags choose an app's settings and what is logged, for all commands that
// run one.
type appFlags struct {
	logFlags
	envFile string
	set     []string
	// secrets are the values of the app's secret settings once it is loaded.
	secrets redact.Secrets
}

// register adds the flags; the first of the levels is the default.
func (f *appFlags) register(cmd *cobra.Command, levels ...string) {
	cmd.Flags().StringVar(&f.envFile, "env-file", "", "`FILE` of KEY=VALUE lines for settings that the environment does not give")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "give a setting its value, as `KEY=VALUE`; goes before the environment")
	f.logFlags.register(cmd, levels...)
}

// load reads the app of which the named flows are to run, all if none is named;
// its diagnostics are the error.
func (f *appFlags) load(path string, named ...string) (*flows.App, error) {
	env, err := f.env()
	if err != nil {
		return nil, err
	}
	app, found, err := flows.Load(path, flows.Options{Registry: nodes.All(), Env: env, NeedEnv: true, Flows: named})
	if err != nil {
		return nil, usageError{err}
	}
	if len(found) > 0 {
		return nil, found
	}
	for _, s := range app.Settings {
		if s.Secret {
			f.secrets.Hide(s.Value)
		}
	}
	return app, f.checkSet(app)
}

// logger writes to w as the flags say, without the secrets of the app that was
// loaded: a packaged function does not show them either, whatever a log node is
// told to write.
func (f *appFlags) logger(w io.Writer) *slog.Logger { return f.loggerWith(w, f.secrets.ReplaceAttr) }

// withoutSecrets is err without the secrets of the app that was loaded.
func (f *appFlags) withoutSecrets(err error) error {
	if err == nil || f.secrets.Text(err.Error()) == err.Error() {
		return err
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && errors.Join(joined.Unwrap()...).Error() == err.Error() {
		var each []error
		for _, e := range joined.Unwrap() {
			each = append(each, f.withoutSecrets(e))
		}
		return errors.Join(each...)
	}
	return redactedError{err, f.secrets.Text(err.Error())}
}

// redactedError is an error with another text.
type redactedError struct {
	err  error
	text string
}

func (e redactedError) Error() string { return e.text }
func (e redactedError) Unwrap() error { return e.err }

// checkSet refuses a --set that no flow can read, which is a misspelt one. The
// value is not told: it may be a secret.
func (f *appFlags) checkSet(app *flows.App) error {
	var names []string
	for _, s := range app.Settings {
		names = append(names, s.Name)
	}
	for _, s := range f.set {
		name, _, _ := strings.Cut(s, "=")
		if slices.Contains(names, name) {
			continue
		}
		hint := expr.Nearest(name, names)
		switch {
		case len(names) == 0:
			hint = "it declares none under env"
		case hint == "":
			hint = "it has " + strings.Join(names, ", ")
		}
		return usageError{fmt.Errorf("--set %s: the app has no such setting; %s", name, hint)}
	}
	return nil
}

// given are the values of --set.
func (f *appFlags) given() (map[string]string, error) {
	set := map[string]string{}
	for _, s := range f.set {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("--set %s: write KEY=VALUE", k)}
		}
		if k == "" {
			return nil, usageError{errors.New("--set without a name before the =; write KEY=VALUE")}
		}
		set[k] = v
	}
	return set, nil
}

// env looks a setting up: --set, then the environment, then --env-file.
func (f *appFlags) env() (func(string) (string, bool), error) {
	set, err := f.given()
	if err != nil {
		return nil, err
	}
	fromFile := map[string]string{}
	if f.envFile != "" {
		if fromFile, err = readEnvFile(f.envFile); err != nil {
			return nil, err
		}
	}
	return func(name string) (string, bool) {
		if v, ok := set[name]; ok {
			return v, true
		}
		if v, ok := os.LookupEnv(name); ok {
			return v, true
		}
		v, ok := fromFile[name]
		return v, ok
	}, nil
}

// readEnvFile reads KEY=VALUE lines. Empty lines, lines that begin with # and
// an `export` in front are passed over; a value in quotes loses them.
func readEnvFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("--env-file: %w", err)}
	}
	out := map[string]string{}
	n := 0
	// Editors on Windows put a byte order mark in front of the first name.
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, v, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if k = strings.TrimSpace(k); !ok || k == "" {
			return nil, usageError{fmt.Errorf("%s:%d: this is not KEY=VALUE", path, n)}
		}
		out[k] = unquote(strings.TrimSpace(v))
	}
	return out, nil
}

func unquote(v string) string {
	if len(v) >= 2 && (v[0] == '"' || v[0] == '\'') && v[len(v)-1] == v[0] {
		return v[1 : len(v)-1]
	}
	return v
}

// addressFlags name the flags that move servers, for the error of a port in
// use.
type addressFlags map[string]string

var runAddressFlags = addressFlags{"HTTP": "--http", "the AWS endpoint": "--aws-endpoint", "the MQTT broker": "--mqtt"}

func (f addressFlags) explain(err error) error {
	var a *local.AddrError
	switch {
	case errors.Is(err, store.ErrDamaged):
		return fmt.Errorf("%w; --fresh drops it and begins anew", err)
	case !errors.As(err, &a):
		return err
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s cannot listen on %s: another process does already; stop it, or choose another address with %s HOST:PORT (port 0 takes a free one)", a.What, a.Addr, f[a.What])
	}
	// Each layer names the address once more; the innermost says what is wrong.
	reason := a.Err
	if op := (*net.OpError)(nil); errors.As(reason, &op) {
		reason = op.Err
	}
	return fmt.Errorf("%s cannot listen on %q: %w; choose another address with %s HOST:PORT", a.What, a.Addr, reason, f[a.What])
}
