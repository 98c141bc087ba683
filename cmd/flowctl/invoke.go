package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/engine/value"
	"github.com/flowctl-dev/flowctl/internal/host"
)

const invokeHelp = `Send one message through one flow and print the way it took: each node with the
port by which the message left, how long it took and what it gave.

FILE is a JSON object, what expressions read as event, - for standard input:

  {"body": {"areacode": "2331", "name": "John", "seat": "4"}}

It may also be an event in the form in which AWS Lambda would hand it to the
packaged flow: a request from API Gateway, a function URL or a load balancer, a
batch of SQS messages, or an event of SNS, S3, EventBridge or a schedule. Every
message in it is run, one after the other, and the reply is printed. For
invoke.in, FILE is the payload, whatever it is.

Queues, tables and brokers without an address are stand-ins of this one call:
they begin with their seed and are gone afterwards. The exit code is 1 when a
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
	fl.StringVar(&f.flow, "flow", "", "the `FLOW` to run (required)")
	fl.StringVar(&f.event, "event", "", "`FILE` with the event, - for standard input (required)")
	fl.StringVar(&f.source, "source", "", "`NAME` of the source that brings the message, where the flow has several")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	fl.BoolVar(&f.account, "aws", false, "use the real AWS account for queues and tables without an address")
	fl.DurationVar(&f.timeout, "timeout", 30*time.Second, "how long the run may take")
	f.register(cmd, "warn", "debug", "info", "error")
	return cmd
}

func invoke(cmd *cobra.Command, path string, f *invokeFlags) (err error) {
	defer func() { err = f.withoutSecrets(err) }()
	if f.flow == "" || f.event == "" {
		return usageError{errors.New("invoke needs --flow and --event; see `flowctl invoke --help`")}
	}
	if f.timeout <= 0 {
		return usageError{fmt.Errorf("--timeout must be positive, it is %s", f.timeout)}
	}
	document, err := readEvent(input(cmd), f.event)
	if err != nil {
		return err
	}
	app, err := f.load(path, f.flow)
	if err != nil {
		return err
	}
	if _, err := app.Plan(f.flow); err != nil {
		return usageError{err}
	}
	data, err := os.MkdirTemp("", "flowctl-invoke-")
	if err != nil {
		return fmt.Errorf("no temporary folder can be made: %w; set TMPDIR to a folder to write to", err)
	}
	defer os.RemoveAll(data)
	journal := &host.Journal{}
	h, err := host.Start(cmd.Context(), host.Options{
		App: app, Flows: []string{f.flow}, HTTPAddr: host.Off, MQTTAddr: "127.0.0.1:0", AWSAddr: "127.0.0.1:0", DataDir: data,
		Account: f.account, Sourceless: true, Log: f.logger(cmd.ErrOrStderr()), Recorder: journal,
	})
	if err != nil {
		return runAddressFlags.explain(err)
	}
	defer func() { err = errors.Join(err, h.Close(context.WithoutCancel(cmd.Context()))) }()
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	failed, err := f.send(ctx, cmd.OutOrStdout(), h, journal, document)
	if err == nil && failed {
		return exitError{exitFailure}
	}
	return err
}

// send hands the document to the flow in the form that it is of, and prints what
// became of it.
func (f *invokeFlags) send(ctx context.Context, w io.Writer, h *host.Host, j *host.Journal, document []byte) (failed bool, err error) {
	p := invokePrinter{w, &f.secrets}
	raw, err := h.Raw(f.flow, f.source, document)
	if err != nil {
		return false, usageError{err}
	}
	if raw {
		call, err := h.Call(ctx, j, f.flow, f.source, document)
		if err != nil {
			return false, usageError{err}
		}
		if f.json {
			return call.Failed(), p.callJSON(call)
		}
		return call.Failed(), p.call(call)
	}
	event, err := f.eventOf(document)
	if err != nil {
		return false, err
	}
	inv, err := h.Invoke(ctx, j, f.flow, f.source, event)
	if err != nil {
		return false, usageError{err}
	}
	if f.json {
		return inv.Err != nil, p.invocationJSON(inv)
	}
	return inv.Err != nil, p.invocation(inv)
}

// readEvent reads a document, which must be JSON.
func readEvent(stdin io.Reader, path string) (document []byte, err error) {
	if path == "-" {
		document, err = io.ReadAll(stdin)
	} else {
		document, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("--event: %w", err)}
	}
	if _, err := value.Decode(document); err != nil {
		return nil, usageError{fmt.Errorf("--event %s: %w", path, err)}
	}
	return document, nil
}

func (f *invokeFlags) eventOf(document []byte) (map[string]any, error) {
	v, err := value.Decode(document)
	if err != nil {
		return nil, err
	}
	event, ok := v.(map[string]any)
	if !ok {
		return nil, usageError{fmt.Errorf("--event %s: an event is an object such as {\"body\": …}, this is %s", f.event, value.Kind(v))}
	}
	return event, nil
}
