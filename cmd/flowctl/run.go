package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/internal/host"
	"github.com/flowctl-dev/flowctl/internal/local"
)

const runHelp = `Run an app on this machine until Ctrl-C. PATH is a flow file, or a folder whose
flow.yaml and *.flow.yaml files are one app; without it, it is the current folder.

Queues, tables and brokers that name no outside address are served by stand-ins
on loopback, which speak the real protocols and keep their data in the folder
--data. Nothing else has to be installed or running.

The first Ctrl-C stops taking messages and finishes those under way, for at most
--grace; the second one stops at once.

The command of --exec finds the app by FLOWCTL_HTTP_URL, and the stand-ins by
FLOWCTL_AWS_ENDPOINT, FLOWCTL_MQTT_URL and the variables that AWS SDKs read.`

type runFlags struct {
	appFlags
	faultFlags
	http, mqtt, aws string
	data            string
	fresh           bool
	flows           []string
	grace           time.Duration
	exec            string
	account         bool
}

func newRunCommand() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run [PATH]",
		Short: "Run an app on this machine",
		Long:  runHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runApp(cmd, pathArg(args), f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.http, "http", "127.0.0.1:8080", "`ADDRESS` of the HTTP sources, or off")
	fl.StringVar(&f.mqtt, "mqtt", "127.0.0.1:1883", "`ADDRESS` of the embedded broker, or off")
	fl.StringVar(&f.aws, "aws-endpoint", "127.0.0.1:4566", "`ADDRESS` of the SQS and DynamoDB stand-ins, or off")
	fl.StringVar(&f.data, "data", "", "the stand-ins' data `FOLDER` (default .flowctl beside the flow file)")
	fl.BoolVar(&f.fresh, "fresh", false, "drop what is in the data folder first")
	fl.StringArrayVar(&f.flows, "flow", nil, "run only the flow `NAME`; may be given several times")
	fl.DurationVar(&f.grace, "grace", 20*time.Second, "how long messages under way may take after a stop")
	fl.StringVar(&f.exec, "exec", "", "run this shell `COMMAND` against the running app, then stop with its exit code")
	fl.BoolVar(&f.account, "aws", false, "use the real AWS account for queues and tables without an address")
	f.faultFlags.register(cmd)
	f.appFlags.register(cmd, "info", "debug", "warn", "error")
	return cmd
}

func pathArg(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

func runApp(cmd *cobra.Command, path string, f *runFlags) (err error) {
	defer func() { err = f.withoutSecrets(err) }()
	if f.grace < 0 {
		return usageError{fmt.Errorf("--grace must not be negative, it is %s", f.grace)}
	}
	app, err := f.load(path, f.flows...)
	if err != nil {
		return err
	}
	if f.data == "" {
		f.data = filepath.Join(app.Dir, ".flowctl")
	}
	if _, err := app.Plan(f.flows...); err != nil {
		return usageError{err}
	}
	ctx := cmd.Context()
	log := f.logger(cmd.ErrOrStderr())
	faults, err := f.injector(cmd, log)
	if err != nil {
		return err
	}
	h, err := host.Start(ctx, host.Options{
		App: app, Flows: f.flows, HTTPAddr: f.http, MQTTAddr: f.mqtt, AWSAddr: f.aws,
		DataDir: f.data, Fresh: f.fresh, Account: f.account, Grace: f.grace, Faults: faults, Log: log,
	})
	if err != nil {
		return runAddressFlags.explain(err)
	}
	if h.AWSEndpoint() != "" {
		local.CollectLess()
	}
	var words strings.Builder
	banner{w: &words, app: app, host: h, data: f.data, path: path, now: time.Now()}.print()
	fmt.Fprint(cmd.ErrOrStderr(), f.secrets.Text(words.String()))
	defer context.AfterFunc(ctx, func() {
		fmt.Fprintf(cmd.ErrOrStderr(), "stopping: no more messages are taken; those under way have up to %s. Ctrl-C again stops at once.\n", f.grace)
	})()
	if f.exec == "" {
		err = h.Run(ctx)
		if ctx.Err() != nil && err == nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "stopped; nothing under way was cut off")
		}
	} else {
		err = runBeside(cmd, h.Run, endpoints(h), f.exec)
	}
	return errors.Join(err, h.Close(context.WithoutCancel(ctx)))
}

// endpoints tell a child process where the app's servers are.
func endpoints(h *host.Host) []string {
	var env []string
	if a := h.HTTPAddr(); a != nil {
		env = append(env, "FLOWCTL_HTTP_URL=http://"+local.Reachable(a.String()))
	}
	broker := ""
	if a := h.MQTTAddr(); a != "" {
		broker = "mqtt://" + a
	}
	return append(env, standInEnv(h.AWSEndpoint(), broker)...)
}
