package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/internal/host"
)

const invokeHelp = `Send one message through one flow and print the way it took: each node with the
port by which the message left, how long it took and what it gave.

FILE is a JSON object, what expressions read as event, - for standard input:

  {"body": {"areacode": "2331", "name": "John", "seat": "4"}}

Queues, tables and brokers without an address are stand-ins of this one call:
they begin with their seed and are gone afterwards. The exit code is 1 when the
run failed.`

type invokeFlags struct {
	appFlags
	flow, source, event string
	json                bool
	account             bool
	timeout             time.Duration
}

func newInvokeCommand() *cobra.Command {
	f := &invokeFlags{}
	cmd := &cobra.Command{
		Use:   "invoke [PATH] --flow FLOW --event FILE",
		Short: "Send one message through one flow",
		Long:  invokeHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return invoke(cmd, pathArg(args), f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.flow, "flow", "", "the flow to run (required)")
	fl.StringVar(&f.event, "event", "", "file with the event, - for standard input (required)")
	fl.StringVar(&f.source, "source", "", "the source that brings the message, where the flow has several")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.account, "aws", false, "use the real AWS account for queues and tables without an address")
	fl.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long the run may take")
	f.register(cmd, "warn", "debug", "info", "error")
	return cmd
}

func invoke(cmd *cobra.Command, path string, f *invokeFlags) (err error) {
	if f.flow == "" || f.event == "" {
		return usageError{errors.New("invoke needs --flow and --event; see `flowctl invoke --help`")}
	}
	event, err := readEvent(cmd.InOrStdin(), f.event)
	if err != nil {
		return err
	}
	app, err := f.load(path)
	if err != nil {
		return err
	}
	if _, err := app.Plan(f.flow); err != nil {
		return usageError{err}
	}
	data, err := os.MkdirTemp("", "flowctl-invoke-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	journal := &host.Journal{}
	h, err := host.Start(ctx, host.Options{
		App: app, Flows: []string{f.flow}, HTTPAddr: host.Off, MQTTAddr: "127.0.0.1:0", AWSAddr: "127.0.0.1:0", DataDir: data,
		Account: f.account, Sourceless: true, Log: f.logger(cmd.ErrOrStderr()), Recorder: journal,
	})
	if err != nil {
		return runAddressFlags.explain(err)
	}
	defer func() { err = errors.Join(err, h.Close(context.WithoutCancel(ctx))) }()
	inv, err := h.Invoke(ctx, journal, f.flow, f.source, event)
	if err != nil {
		return usageError{err}
	}
	if f.json {
		err = printInvocationJSON(cmd.OutOrStdout(), inv)
	} else {
		err = printInvocation(cmd.OutOrStdout(), inv)
	}
	if err == nil && inv.Err != nil {
		return exitError{exitFailure}
	}
	return err
}

func readEvent(stdin io.Reader, path string) (map[string]any, error) {
	var data []byte
	var err error
	if path == "-" {
		data, err = io.ReadAll(stdin)
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("--event: %w", err)}
	}
	v, err := value.Decode(data)
	if err != nil {
		return nil, usageError{fmt.Errorf("--event %s: %w", path, err)}
	}
	event, ok := v.(map[string]any)
	if !ok {
		return nil, usageError{fmt.Errorf("--event %s: an event is an object such as {\"body\": …}, this is %s", path, value.Kind(v))}
	}
	return event, nil
}

func printInvocation(w io.Writer, inv *host.Invocation) error {
	fmt.Fprintf(w, "flow %s, source %s, run %s\n", inv.Flow, inv.Source, inv.Run)
	var steps strings.Builder
	t := tabwriter.NewWriter(&steps, 0, 0, 2, ' ', 0)
	for _, s := range inv.Steps {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", s.Node, s.Type, portText(s), milliseconds(s.Duration), outcomeText(s))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(steps.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	if r := inv.Response; r != nil {
		fmt.Fprintf(w, "response %d %s\n", r.Status, clip(string(r.Body)))
	}
	if inv.Err != nil {
		fmt.Fprintf(w, "failed (%s): %v\n", engine.ClassOf(inv.Err), inv.Err)
		return nil
	}
	_, err := fmt.Fprintln(w, "done")
	return err
}

func portText(s engine.Step) string {
	if s.Err != nil {
		return "-"
	}
	return "> " + s.Port
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func outcomeText(s engine.Step) string {
	if s.Err != nil {
		return "failed: " + s.Err.Error()
	}
	if s.Output == nil {
		return ""
	}
	text, err := jsonOf(s.Output)
	if err != nil {
		return err.Error()
	}
	return clip(string(text))
}

func clip(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	if r := []rune(s); len(r) > 120 {
		return string(r[:119]) + "…"
	}
	return s
}

// jsonOf prints a node's output, which may be one that builds its fields on
// demand.
func jsonOf(v any) (json.RawMessage, error) {
	if r, ok := v.(interface {
		Fields() (map[string]any, error)
	}); ok {
		m, err := r.Fields()
		if err != nil {
			return nil, err
		}
		v = m
	}
	return value.Append(nil, v)
}

type stepJSON struct {
	Node     string          `json:"node"`
	Type     string          `json:"type"`
	Port     string          `json:"port,omitempty"`
	Output   json.RawMessage `json:"output,omitempty"`
	Error    string          `json:"error,omitempty"`
	Attempts int             `json:"attempts"`
	MS       float64         `json:"ms"`
}

type responseJSON struct {
	Status  int                 `json:"status"`
	Headers map[string][]string `json:"headers,omitempty"`
	Body    string              `json:"body"`
}

type invocationJSON struct {
	Run      string        `json:"run"`
	Flow     string        `json:"flow"`
	Source   string        `json:"source"`
	Steps    []stepJSON    `json:"steps"`
	Response *responseJSON `json:"response,omitempty"`
	Error    string        `json:"error,omitempty"`
	Class    string        `json:"class,omitempty"`
}

func printInvocationJSON(w io.Writer, inv *host.Invocation) error {
	out := invocationJSON{Run: inv.Run, Flow: inv.Flow, Source: inv.Source, Steps: []stepJSON{}}
	for _, s := range inv.Steps {
		j := stepJSON{Node: s.Node, Type: s.Type, Port: s.Port, Attempts: s.Attempts, MS: float64(s.Duration.Microseconds()) / 1000}
		if s.Err != nil {
			j.Error = s.Err.Error()
		} else if s.Output != nil {
			var err error
			if j.Output, err = jsonOf(s.Output); err != nil {
				return err
			}
		}
		out.Steps = append(out.Steps, j)
	}
	if r := inv.Response; r != nil {
		out.Response = &responseJSON{r.Status, r.Header, string(r.Body)}
	}
	if inv.Err != nil {
		out.Error, out.Class = inv.Err.Error(), engine.ClassOf(inv.Err).String()
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
