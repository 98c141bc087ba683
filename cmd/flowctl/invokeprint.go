package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/internal/host"
	"github.com/flowctl-dev/flowctl/internal/lambda"
	"github.com/flowctl-dev/flowctl/internal/redact"
)

// invokePrinter prints what became of a message, without the secrets that its
// nodes read. What the flow answered is printed as it is: the flow is asked for it.
type invokePrinter struct {
	w       io.Writer
	secrets *redact.Secrets
}

// call prints the way of each message of an event and the reply.
func (p invokePrinter) call(call *host.Call) error {
	fmt.Fprintln(p.w, call.Kind.Name())
	if len(call.Runs) == 0 && call.Err == nil {
		fmt.Fprintln(p.w, "nothing was run")
	}
	for _, r := range call.Runs {
		if err := p.invocation(r); err != nil {
			return err
		}
	}
	if call.Err != nil {
		text, err := json.Marshal(p.functionError(call.Err))
		if err == nil {
			_, err = fmt.Fprintf(p.w, "error %s\n", text)
		}
		return err
	}
	_, err := fmt.Fprintf(p.w, "reply %s\n", call.Reply)
	return err
}

// callJSON is a Call for programs.
type callJSON struct {
	Kind  string             `json:"kind"`
	Runs  []*invocationJSON  `json:"runs"`
	Reply json.RawMessage    `json:"reply,omitempty"`
	Error *functionErrorJSON `json:"error,omitempty"`
}

// functionErrorJSON is a failed invocation as Lambda passes it on to who called
// the function.
type functionErrorJSON struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (p invokePrinter) functionError(err error) *functionErrorJSON {
	var failed *lambda.Error
	if errors.As(err, &failed) {
		return &functionErrorJSON{failed.Code, p.secrets.Text(failed.Message)}
	}
	return &functionErrorJSON{engine.CodeOf(err), p.secrets.Text(err.Error())}
}

func (p invokePrinter) callJSON(call *host.Call) error {
	out := callJSON{Kind: string(call.Kind), Runs: []*invocationJSON{}}
	for _, r := range call.Runs {
		inv, err := p.invocationOf(r)
		if err != nil {
			return err
		}
		out.Runs = append(out.Runs, inv)
	}
	if call.Err != nil {
		out.Error = p.functionError(call.Err)
	} else {
		out.Reply = call.Reply
	}
	return p.json(out)
}

func (p invokePrinter) invocation(inv *host.Invocation) error {
	fmt.Fprintf(p.w, "flow %s, source %s, run %s\n", inv.Flow, inv.Source, inv.Run)
	var steps strings.Builder
	t := tabwriter.NewWriter(&steps, 0, 0, 2, ' ', 0)
	for _, s := range inv.Steps {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", s.Node, s.Type, portText(s), milliseconds(s.Duration), p.outcome(s))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(steps.String()) {
		fmt.Fprintln(p.w, strings.TrimRight(line, " \n"))
	}
	if r := inv.Response; r != nil {
		fmt.Fprintf(p.w, "response %d %s\n", r.Status, clip(string(r.Body)))
	}
	if inv.Err != nil {
		fmt.Fprintf(p.w, "failed (%s): %s\n", engine.ClassOf(inv.Err), p.secrets.Text(inv.Err.Error()))
		return nil
	}
	_, err := fmt.Fprintln(p.w, "done")
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

func (p invokePrinter) outcome(s engine.Step) string {
	if s.Err != nil {
		return "failed: " + p.secrets.Text(s.Err.Error())
	}
	if s.Output == nil {
		return ""
	}
	text, err := p.output(s.Output)
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

// output is a node's output as JSON, without the secrets.
func (p invokePrinter) output(v any) (json.RawMessage, error) {
	text, err := jsonOf(v)
	if err != nil {
		return nil, err
	}
	clean := p.secrets.Text(string(text))
	if !json.Valid([]byte(clean)) { // a secret was a number, or a part of one
		return json.Marshal(clean)
	}
	return json.RawMessage(clean), nil
}

// jsonOf is a node's output as JSON; it may be one that builds its fields on
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

func (p invokePrinter) invocationJSON(inv *host.Invocation) error {
	out, err := p.invocationOf(inv)
	if err != nil {
		return err
	}
	return p.json(out)
}

func (p invokePrinter) json(v any) error {
	e := json.NewEncoder(p.w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (p invokePrinter) invocationOf(inv *host.Invocation) (*invocationJSON, error) {
	out := &invocationJSON{Run: inv.Run, Flow: inv.Flow, Source: inv.Source, Steps: []stepJSON{}}
	for _, s := range inv.Steps {
		j := stepJSON{Node: s.Node, Type: s.Type, Port: s.Port, Attempts: s.Attempts, MS: float64(s.Duration.Microseconds()) / 1000}
		if s.Err != nil {
			j.Error = p.secrets.Text(s.Err.Error())
		} else if s.Output != nil {
			var err error
			if j.Output, err = p.output(s.Output); err != nil {
				return nil, err
			}
		}
		out.Steps = append(out.Steps, j)
	}
	if r := inv.Response; r != nil {
		out.Response = &responseJSON{r.Status, r.Header, string(r.Body)}
	}
	if inv.Err != nil {
		out.Error, out.Class = p.secrets.Text(inv.Err.Error()), engine.ClassOf(inv.Err).String()
	}
	return out, nil
}
