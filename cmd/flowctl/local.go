package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/internal/local"
)

const localHelp = `Run stand-ins for SQS, DynamoDB and MQTT on this machine until Ctrl-C, for
programs that have no flow yet and for tests. They speak the real protocols, need
no account and no Docker, and keep all that they acknowledged in the folder --data.

Without --sqs, --dynamodb and --mqtt all of them run. SQS and DynamoDB share one
endpoint; clients find it with the variables that are printed. --exec runs a
command with these variables set, and with FLOWCTL_AWS_ENDPOINT and
FLOWCTL_MQTT_URL, by which other flowctl commands find the stand-ins; then it ends
with the command's exit code.`

// localFlags are the flags of local.
type localFlags struct {
	logFlags
	faultFlags
	brokerSettings
	sqs, dynamodb, mqtt bool
	awsAddr, mqttAddr   string
	data                string
	fresh               bool
	durability          string
	exec                string
}

func newLocalCommand() *cobra.Command {
	f := &localFlags{}
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run stand-ins for SQS, DynamoDB and MQTT",
		Long:  localHelp,
		Example: `  flowctl local
  flowctl local --dynamodb --fresh --exec 'npm test'
  flowctl local --mqtt --mqtt-user app --mqtt-password-env BROKER_PASSWORD
  flowctl local --fault 'dynamodb.*:throttle=20%' --fault-seed 7`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runLocal(cmd, f) },
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.sqs, "sqs", false, "run SQS, and only what else is named")
	fl.BoolVar(&f.dynamodb, "dynamodb", false, "run DynamoDB, and only what else is named")
	fl.BoolVar(&f.mqtt, "mqtt", false, "run the MQTT broker, and only what else is named")
	fl.StringVar(&f.awsAddr, "aws-endpoint", "127.0.0.1:4566", "`ADDRESS` of SQS and DynamoDB")
	fl.StringVar(&f.mqttAddr, "mqtt-addr", "127.0.0.1:1883", "`ADDRESS` of the MQTT broker")
	f.brokerSettings.register(cmd)
	fl.StringVar(&f.data, "data", ".flowctl", "the data `FOLDER`")
	fl.BoolVar(&f.fresh, "fresh", false, "drop what is in the data folder first")
	choiceFlag(cmd, &f.durability, "durability", "how sure what is acknowledged is kept; relaxed is faster, and a power cut may lose the last second", "fsync", "relaxed")
	fl.StringVar(&f.exec, "exec", "", "run this shell `COMMAND` against the stand-ins, then stop with its exit code")
	f.faultFlags.register(cmd)
	f.logFlags.register(cmd, "info", "debug", "warn", "error")
	return cmd
}

var localAddressFlags = addressFlags{
	"the AWS endpoint": "--aws-endpoint", "the MQTT broker": "--mqtt-addr", "MQTT over WebSocket": "--mqtt-websocket",
}

// options are what the flags ask for.
func (f *localFlags) options(cmd *cobra.Command) (local.Options, error) {
	if !f.sqs && !f.dynamodb && !f.mqtt {
		f.sqs, f.dynamodb, f.mqtt = true, true, true
	}
	log := f.logger(cmd.ErrOrStderr())
	o := local.Options{Dir: f.data, Fresh: f.fresh, Relaxed: f.durability == "relaxed", NoSQS: !f.sqs, NoDynamoDB: !f.dynamodb, Log: log}
	var err error
	if o.Faults, err = f.injector(cmd, log); err != nil {
		return o, err
	}
	if f.sqs || f.dynamodb {
		o.AWSAddr = f.awsAddr
	} else if cmd.Flags().Changed("aws-endpoint") {
		return o, usageError{errors.New("--aws-endpoint does nothing without SQS and DynamoDB; add --sqs or --dynamodb, or leave out --mqtt")}
	}
	if !f.mqtt {
		return o, f.brokerSettings.checkUnused(cmd)
	}
	o.MQTTAddr = f.mqttAddr
	o.Broker, err = f.brokerSettings.broker()
	return o, err
}

func runLocal(cmd *cobra.Command, f *localFlags) error {
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	local.CollectLess()
	ctx := cmd.Context()
	l, err := local.Start(ctx, o)
	if err != nil {
		return localAddressFlags.explain(err)
	}
	b := localBanner{w: cmd.ErrOrStderr(), local: l, flags: f}
	b.print()
	if f.exec == "" {
		err = l.Run(ctx)
	} else {
		err = runBeside(cmd, l.Run, standInEnv(l.AWSEndpoint(), b.brokerURL()), f.exec)
	}
	err = errors.Join(err, l.Close())
	if context.Cause(ctx) != nil && err == nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "stopped; what was acknowledged is kept in "+f.data)
	}
	return err
}
