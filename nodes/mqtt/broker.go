package mqtt

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

// Broker is the config of the resource mqtt.broker.
type Broker struct {
	URL            expr.Value[string] `yaml:"url" doc:"Where the broker is: mqtt://HOST, mqtts:// for TLS, ws:// or wss:// for WebSocket, with a port if it is not 1883, 8883, 80 or 443. Empty or left out, it is the broker that flowctl run brings along."`
	Username       expr.Value[string] `yaml:"username" doc:"The user to connect as. The local broker is not told."`
	Password       expr.Value[string] `yaml:"password" doc:"The user's password; take it from env. It is never printed."`
	TLS            TLS                `yaml:"tls" doc:"How mqtts:// and wss:// are set up. Without it the broker's certificate is verified against the system's authorities."`
	ClientID       string             `yaml:"client_id" default:"flowctl" doc:"How the client identifiers begin; the rest is random, for the broker throws out a client whose identifier another one uses. A session of mqtt.in is an identifier of its own."`
	KeepAlive      engine.Duration    `yaml:"keep_alive" default:"30s" doc:"After this time of silence a connection is probed, and not trusted with a message before it was opened anew; 1s to 65535s, rounded up to seconds."`
	ConnectTimeout engine.Duration    `yaml:"connect_timeout" default:"10s" doc:"How long it may take to connect, until the broker has let the client in."`
	PublishTimeout engine.Duration    `yaml:"publish_timeout" default:"10s" doc:"How long the broker may take to acknowledge a message."`
	Will           Will               `yaml:"will" doc:"A message that the broker publishes for this process when the connection that mqtt.out uses breaks off without a goodbye."`
}

// TLS sets up encrypted connections. The files are in PEM and read anew for
// each connection, so that they can be replaced. Relative paths begin at the
// app's folder.
type TLS struct {
	CA         expr.Value[string] `yaml:"ca" doc:"Path, from the app's folder, of a file with the authorities to trust instead of the system's."`
	Cert       expr.Value[string] `yaml:"cert" doc:"Path of the client's certificate, for brokers that ask for one. It needs key."`
	Key        expr.Value[string] `yaml:"key" doc:"Path of the private key to cert."`
	ServerName string             `yaml:"server_name" doc:"The name that the broker's certificate must carry, if it is not the URL's host."`
	Insecure   bool               `yaml:"insecure" doc:"Takes any certificate, and so talks to anyone who answers. For trials only."`
}

// Will is a message left with the broker, section 3.1.2.5.
type Will struct {
	Topic   expr.Value[string] `yaml:"topic,required" doc:"The topic to publish to."`
	Payload expr.Value[[]byte] `yaml:"payload" doc:"What to publish; nothing if not given."`
	QoS     int                `yaml:"qos" doc:"0, 1 or 2; 0 if not given."`
	Retain  bool               `yaml:"retain" doc:"Whether the broker keeps the message for later subscribers."`
}

var brokerKind = engine.DefineResource(engine.ResourceSpec[Broker]{
	Type: "mqtt.broker",
	Doc: `An MQTT broker, version 3.1.1.

All mqtt.out of an app share one connection to it. It is opened by the first message and again by the first one after it was lost.
Without ` + "`url`" + ` it is the broker that ` + "`flowctl run`" + ` brings along, which keeps its data on disk.`,
	Check: (*Broker).check,
	Examples: []engine.Example{
		{Doc: "The broker of flowctl run.", YAML: `{type: mqtt.broker}`},
		{Doc: "A broker that the environment names, by default the one of flowctl run.", YAML: `{type: mqtt.broker, url: "${{ env.MQTT_URL }}", username: "${{ env.MQTT_USER }}", password: "${{ env.MQTT_PASSWORD }}"}`},
		{Doc: "A client certificate, and a notice to others when the connection breaks off.", YAML: "type: mqtt.broker\nurl: mqtts://broker.example.com\ntls: {ca: certs/ca.pem, cert: certs/client.pem, key: certs/client.key}\nwill: {topic: apps/taxi, payload: gone, qos: 1, retain: true}\n"},
	},
})

const maxKeepAlive = 65535 * time.Second // section 3.1.2.10

func (b *Broker) check() []engine.Finding {
	var found []engine.Finding
	add := func(field, message, hint string) {
		found = append(found, engine.Finding{Field: field, Message: message, Hint: hint})
	}
	if b.KeepAlive < engine.Duration(time.Second) || b.KeepAlive.Std() > maxKeepAlive {
		add("keep_alive", fmt.Sprintf("%s is out of range", b.KeepAlive), "give 1s to 65535s")
	}
	for _, d := range []struct {
		field string
		value engine.Duration
	}{{"connect_timeout", b.ConnectTimeout}, {"publish_timeout", b.PublishTimeout}} {
		if d.value == 0 {
			add(d.field, "no time at all is not enough", "give for example 10s")
		}
	}
	if b.Password.Given() && !b.Username.Given() {
		add("password", "a password needs a user name", "add username")
	}
	if literal(&b.Password) != "" {
		add("password", "a password does not belong into the file", "declare it under env and write password: ${{ env.MQTT_PASSWORD }}")
	}
	if b.TLS.Cert.Given() != b.TLS.Key.Given() {
		add("tls", "a client certificate needs both cert and key", "")
	}
	if b.Will.QoS < 0 || b.Will.QoS > 2 {
		add("will.qos", qosRange(b.Will.QoS), qosHint)
	}
	if topic := literal(&b.Will.Topic); topic != "" {
		if err := client.ValidateTopic(topic); err != nil {
			add("will.topic", err.Error(), "")
		}
	}
	return found
}

const qosHint = "give 0, 1 or 2"

func qosRange(qos int) string { return fmt.Sprintf("there is no QoS %d", qos) }

// literal is the text of a field that holds no expression, "" for any other.
func literal(v *expr.Value[string]) string {
	if t := v.Tree(); t != nil && t.Kind == expr.KindText && !strings.Contains(t.Text, "${{") {
		return t.Text
	}
	return ""
}

// nothing stands for the event and the run where no message is at hand.
type nothing struct{}

var errNoMessage = errors.New("there is no message yet here, only env can be read")

func (nothing) Field(string) (any, error)       { return nil, errNoMessage }
func (nothing) Fields() (map[string]any, error) { return nil, errNoMessage }

// atStart is what a field reads that is needed before the first message.
func atStart() *expr.Env { return &expr.Env{Event: nothing{}, Run: nothing{}} }

// clientConfig is the broker as the connection layer takes it. It fails if an
// expression does, or if there is no broker.
func (b *Broker) clientConfig(name, local string, d engine.Deps) (client.Config, error) {
	cfg := client.Config{
		ClientIDPrefix: b.ClientID,
		KeepAlive:      b.KeepAlive.Std(),
		ConnectTimeout: b.ConnectTimeout.Std(),
		WriteTimeout:   b.PublishTimeout.Std(),
		PublishTimeout: b.PublishTimeout.Std(),
		Log:            d.Log,
	}
	var t client.TLSConfig
	env := atStart()
	for _, f := range []struct {
		key  string
		from *expr.Value[string]
		into *string
	}{
		{"url", &b.URL, &cfg.URL}, {"username", &b.Username, &cfg.Username}, {"password", &b.Password, &cfg.Password},
		{"tls.ca", &b.TLS.CA, &t.CAFile}, {"tls.cert", &b.TLS.Cert, &t.CertFile}, {"tls.key", &b.TLS.Key, &t.KeyFile},
	} {
		var err error
		if *f.into, err = f.from.Get(env); err != nil {
			return cfg, fmt.Errorf("%s of the broker %q: %w", f.key, name, err)
		}
	}
	for _, path := range []*string{&t.CAFile, &t.CertFile, &t.KeyFile} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(d.Dir, *path)
		}
	}
	t.ServerName, t.Insecure = b.TLS.ServerName, b.TLS.Insecure
	switch {
	case cfg.URL != "":
		if t != (client.TLSConfig{}) {
			cfg.TLS = &t
		}
	case local != "":
		// The local broker asks nobody who he is, and what the file says of the other one is not for it.
		cfg.URL, cfg.Username, cfg.Password = local, "", ""
	default:
		return cfg, fmt.Errorf("the broker %q has no url and there is no local broker in this process; give the resource a url, such as mqtt://broker.example.com, or the variable that it reads", name)
	}
	err := b.setWill(&cfg, env)
	return cfg, err
}

func (b *Broker) setWill(cfg *client.Config, env *expr.Env) error {
	if !b.Will.Topic.Given() {
		return nil
	}
	topic, err := b.Will.Topic.Get(env)
	if err != nil {
		return fmt.Errorf("topic of the will: %w", err)
	}
	payload, err := b.Will.Payload.Get(env)
	if err != nil {
		return fmt.Errorf("payload of the will: %w", err)
	}
	cfg.Will = &client.Will{Topic: topic, Payload: payload, QoS: byte(b.Will.QoS), Retain: b.Will.Retain}
	return nil
}
