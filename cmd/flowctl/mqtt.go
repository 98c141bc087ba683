package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

const mqttHelp = `Look into an MQTT broker, by default the one that ` + "`flowctl run`" + ` embeds.

The password of --username, or of a user in the URL, is read from the environment
variable FLOWCTL_MQTT_PASSWORD, unless the URL has it: mqtt://user:password@host.`

func newMQTTCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mqtt",
		Short: "Subscribe and publish at an MQTT broker",
		Long:  mqttHelp,
	}
	cmd.AddCommand(newMQTTSubCommand(), newMQTTPubCommand())
	return cmd
}

const (
	defaultBroker   = "mqtt://127.0.0.1:1883"
	brokerEnv       = "FLOWCTL_MQTT_URL"
	passwordEnv     = "FLOWCTL_MQTT_PASSWORD"
	mqttCloseWithin = 2 * time.Second
	qosUsage        = "quality of service, a `NUMBER`: 0, 1 or 2"
)

// brokerFlags are the flags that say which broker, common to all mqtt commands.
type brokerFlags struct {
	url      string
	username string
	tls      client.TLSConfig
}

func (f *brokerFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.url, "url", "u", "", "the broker's `URL`: mqtt://, mqtts://, ws:// or wss:// (default $"+brokerEnv+", else "+defaultBroker+")")
	flags.StringVar(&f.username, "username", "", "user `NAME`; the password is read from "+passwordEnv)
	flags.StringVar(&f.tls.CAFile, "ca", "", "PEM `FILE` of the authorities to trust instead of the system's")
	flags.StringVar(&f.tls.CertFile, "cert", "", "PEM `FILE` of the client certificate")
	flags.StringVar(&f.tls.KeyFile, "key", "", "PEM `FILE` of the client certificate's key")
	flags.BoolVar(&f.tls.Insecure, "insecure", false, "do not verify the broker's certificate")
}

// config is the client's configuration; what it warns of goes to the command's
// standard error.
func (f *brokerFlags) config(cmd *cobra.Command) client.Config {
	cfg := client.Config{
		URL:      cmp.Or(f.url, os.Getenv(brokerEnv), defaultBroker),
		Username: f.username,
		Log:      slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if u, err := url.Parse(cfg.URL); err == nil && u.User != nil && cfg.Username == "" {
		if _, given := u.User.Password(); !given {
			cfg.Username, u.User = u.User.Username(), nil
			cfg.URL = u.String()
		}
	}
	if cfg.Username != "" {
		cfg.Password = os.Getenv(passwordEnv)
	}
	if f.tls != (client.TLSConfig{}) {
		cfg.TLS = &f.tls
	}
	return cfg
}

// withBroker connects, so that a broker that is not there is told at once, runs
// work and says goodbye.
func withBroker(ctx context.Context, cfg client.Config, work func(*client.Client) error) error {
	c, err := client.New(cfg)
	if err != nil {
		return usageError{err}
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.Background(), mqttCloseWithin)
		defer cancel()
		_ = c.Close(bounded)
	}()
	if err := c.Connect(ctx); err != nil {
		return explainBroker(err)
	}
	return explainBroker(work(c))
}

// explainBroker adds what to do to the errors that have a usual cause.
func explainBroker(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w\nis `flowctl run` running? Start it in another terminal, or name another broker with --url", err)
	}
	return err
}

const subHelp = `Print the messages of one or more topic filters, one a line, until Ctrl-C.
+ stands for one level of a topic, # for all the rest; quote filters with #.

With --count the command ends after so many messages. With --timeout it ends when
that time is over, which is a failure if --count was not reached.`

// subFlags are the flags of mqtt sub.
type subFlags struct {
	broker   brokerFlags
	qos      uint8
	count    int
	timeout  time.Duration
	verbose  bool
	output   string
	retained string
}

func newMQTTSubCommand() *cobra.Command {
	var f subFlags
	cmd := &cobra.Command{
		Use:   "sub TOPIC...",
		Short: "Print what is published",
		Long:  subHelp,
		Example: `  flowctl mqtt sub 'testtopic/#' -v
  flowctl mqtt sub orders/new --count 1 --timeout 10s --output json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return mqttSub(cmd, args, f) },
	}
	f.broker.add(cmd)
	flags := cmd.Flags()
	flags.Uint8Var(&f.qos, "qos", 1, qosUsage)
	flags.IntVarP(&f.count, "count", "n", 0, "end after this `NUMBER` of messages; 0 is no end")
	flags.DurationVar(&f.timeout, "timeout", 0, "end after this time, as 10s or 2m; 0 is never")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "print the topic in front of the message")
	outputFlag(cmd, &f.output)
	choiceFlag(cmd, &f.retained, "retained", "retained messages, those kept by the broker from before", "include", "skip", "only")
	return cmd
}

func (f subFlags) check(filters []string) error {
	for _, filter := range filters {
		if err := client.ValidateFilter(filter); err != nil {
			return usageError{err}
		}
	}
	switch {
	case f.qos > 2:
		return usageError{fmt.Errorf("--qos is 0, 1 or 2, not %d", f.qos)}
	case f.count < 0:
		return usageError{fmt.Errorf("--count must not be negative, it is %d", f.count)}
	case f.timeout < 0:
		return usageError{fmt.Errorf("--timeout must not be negative, it is %s", f.timeout)}
	}
	return nil
}

func mqttSub(cmd *cobra.Command, filters []string, f subFlags) error {
	if err := f.check(filters); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	if f.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	p := &messagePrinter{out: cmd.OutOrStdout(), flags: f, end: cancel}
	cfg := f.broker.config(cmd)
	subscribed := false
	cfg.Subscribed = func(filters []string) {
		subscribed = true
		fmt.Fprintf(cmd.ErrOrStderr(), "subscribed to %q\n", filters)
	}
	err := withBroker(ctx, cfg, func(c *client.Client) error {
		return c.SubscribeAll(ctx, filters, f.qos, 1, p.handle)
	})
	switch {
	case p.err != nil:
		return p.err
	case f.count > 0 && p.printed < f.count && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("after %s there were %d of %d messages", f.timeout, p.printed, f.count)
	case cmd.Context().Err() != nil, subscribed && ctx.Err() != nil:
		return nil // ended by Ctrl-C, --count or --timeout
	}
	return err
}

// messagePrinter prints messages until it has printed enough. Its handle is
// called by one goroutine at a time.
type messagePrinter struct {
	out     io.Writer
	flags   subFlags
	end     context.CancelFunc
	printed int
	err     error
}

func (p *messagePrinter) handle(_ context.Context, m client.Message) error {
	enough := p.flags.count > 0 && p.printed == p.flags.count
	if enough || p.err != nil || !p.wanted(m) {
		return nil
	}
	if p.err = p.print(m); p.err != nil {
		if errors.Is(p.err, syscall.EPIPE) {
			p.err = exitError{exitOK} // whoever read has read enough
		}
		p.end()
		return nil
	}
	p.printed++
	if p.printed == p.flags.count {
		p.end()
	}
	return nil
}

func (p *messagePrinter) wanted(m client.Message) bool {
	switch p.flags.retained {
	case "skip":
		return !m.Retained
	case "only":
		return m.Retained
	}
	return true
}

// printedMessage is a message as --output json shows it.
type printedMessage struct {
	Topic    string `json:"topic"`
	QoS      byte   `json:"qos"`
	Retained bool   `json:"retained"`

	// One of both: text as it is, other bytes in base64.
	Payload       *string `json:"payload,omitempty"`
	PayloadBase64 *string `json:"payload_base64,omitempty"`
}

func (p *messagePrinter) print(m client.Message) error {
	if p.flags.output == "json" {
		out := printedMessage{Topic: m.Topic, QoS: m.QoS, Retained: m.Retained}
		if text := string(m.Payload); utf8.ValidString(text) {
			out.Payload = &text
		} else {
			encoded := base64.StdEncoding.EncodeToString(m.Payload)
			out.PayloadBase64 = &encoded
		}
		enc := json.NewEncoder(p.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(out)
	}
	line := make([]byte, 0, len(m.Topic)+len(m.Payload)+2)
	if p.flags.verbose {
		line = append(append(line, m.Topic...), ' ')
	}
	line = append(append(line, m.Payload...), '\n')
	_, err := p.out.Write(line)
	return err
}

const pubHelp = `Publish one message: MESSAGE, or what comes from standard input if it is left out
or is -. With QoS 1 and 2 the command succeeds when the broker has acknowledged
the message.`

// pubFlags are the flags of mqtt pub.
type pubFlags struct {
	broker  brokerFlags
	qos     uint8
	retain  bool
	timeout time.Duration
}

func newMQTTPubCommand() *cobra.Command {
	var f pubFlags
	cmd := &cobra.Command{
		Use:   "pub TOPIC [MESSAGE]",
		Short: "Publish a message",
		Long:  pubHelp,
		Example: `  flowctl mqtt pub orders/new '{"id": 17}'
  flowctl mqtt pub state/door --retain < state.json`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return mqttPub(cmd, args, f) },
	}
	f.broker.add(cmd)
	flags := cmd.Flags()
	flags.Uint8Var(&f.qos, "qos", 1, qosUsage)
	flags.BoolVarP(&f.retain, "retain", "r", false, "have the broker keep the message for later subscribers")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "give up after this time")
	return cmd
}

func mqttPub(cmd *cobra.Command, args []string, f pubFlags) error {
	if err := client.ValidateTopic(args[0]); err != nil {
		return usageError{err}
	}
	if f.qos > 2 {
		return usageError{fmt.Errorf("--qos is 0, 1 or 2, not %d", f.qos)}
	}
	if f.timeout <= 0 {
		return usageError{fmt.Errorf("--timeout must be positive, it is %s", f.timeout)}
	}
	payload, err := messageOf(cmd, args[1:])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	cfg := f.broker.config(cmd)
	cfg.PublishTimeout = f.timeout
	return withBroker(ctx, cfg, func(c *client.Client) error {
		return c.Publish(ctx, args[0], f.qos, f.retain, payload)
	})
}

func messageOf(cmd *cobra.Command, args []string) ([]byte, error) {
	if len(args) == 1 && args[0] != "-" {
		return []byte(args[0]), nil
	}
	payload, err := io.ReadAll(input(cmd))
	if err != nil {
		return nil, fmt.Errorf("reading the message from standard input: %w", err)
	}
	return payload, nil
}
