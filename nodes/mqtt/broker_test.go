package mqtt

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flowctl-dev/flowctl/engine"
	"github.com/flowctl-dev/flowctl/engine/enginetest"
	"github.com/flowctl-dev/flowctl/engine/expr"
	"github.com/flowctl-dev/flowctl/nodes/mqtt/client"
)

func TestBrokerFindsWhatItsFieldsCannotSay(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Broker)
		field  string
	}{
		"fine":                      {func(*Broker) {}, ""},
		"no keep alive":             {func(b *Broker) { b.KeepAlive = 0 }, "keep_alive"},
		"half a second":             {func(b *Broker) { b.KeepAlive = engine.Duration(500 * time.Millisecond) }, "keep_alive"},
		"more than 16 bits":         {func(b *Broker) { b.KeepAlive = engine.Duration(65536 * time.Second) }, "keep_alive"},
		"no time to connect":        {func(b *Broker) { b.ConnectTimeout = 0 }, "connect_timeout"},
		"no time to publish":        {func(b *Broker) { b.PublishTimeout = 0 }, "publish_timeout"},
		"password without user":     {func(b *Broker) { b.Password.Set(expr.Text("${{ env.P }}")) }, "password"},
		"password in the file":      {func(b *Broker) { b.Username.Set(expr.Text("ann")); b.Password.Set(expr.Text("hunter2")) }, "password"},
		"certificate without a key": {func(b *Broker) { b.TLS.Cert.Set(expr.Text("a.pem")) }, "tls"},
		"will of QoS 3":             {func(b *Broker) { b.Will.Topic.Set(expr.Text("a")); b.Will.QoS = 3 }, "will.qos"},
		"will with a wildcard":      {func(b *Broker) { b.Will.Topic.Set(expr.Text("a/#")) }, "will.topic"},
	} {
		t.Run(name, func(t *testing.T) {
			b := enginetest.Config[Broker](t)
			tt.change(b)
			found := brokerKind.Check(b)
			wantFinding(t, found, tt.field)
			for _, f := range found {
				if strings.Contains(f.Message+f.Hint, "hunter2") {
					t.Errorf("%v tells the password", f)
				}
			}
		})
	}
}

func TestClientIsSetUpAsTheResourceSays(t *testing.T) {
	b := enginetest.Config[Broker](t)
	b.URL, b.Username, b.Password = expr.Of("mqtts://broker.example"), expr.Of("ann"), expr.Of("secret")
	b.TLS.CA, b.TLS.ServerName, b.TLS.Insecure = expr.Of("ca.pem"), "name", true
	b.ClientID = "app"
	b.KeepAlive, b.ConnectTimeout, b.PublishTimeout = engine.Duration(5*time.Second), engine.Duration(6*time.Second), engine.Duration(7*time.Second)
	b.Will = Will{Topic: expr.Of("will"), Payload: expr.Of([]byte("gone")), QoS: 1, Retain: true}
	cfg, err := b.clientConfig("site", "mqtt://local", engine.Deps{Dir: "app"})
	if err != nil {
		t.Fatal(err)
	}
	if *cfg.TLS != (client.TLSConfig{CAFile: "app/ca.pem", ServerName: "name", Insecure: true}) {
		t.Errorf("TLS %+v", *cfg.TLS)
	}
	if w := cfg.Will; w.Topic != "will" || string(w.Payload) != "gone" || w.QoS != 1 || !w.Retain {
		t.Errorf("will %+v", *w)
	}
	cfg.TLS, cfg.Will = nil, nil
	want := client.Config{URL: "mqtts://broker.example", Username: "ann", Password: "secret", ClientIDPrefix: "app",
		KeepAlive: 5 * time.Second, ConnectTimeout: 6 * time.Second, WriteTimeout: 7 * time.Second, PublishTimeout: 7 * time.Second}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got %+v, want %+v", cfg, want)
	}
}

// What the file says of the broker outside (user, certificates) is not for the local one.
func TestBrokerWithoutURLIsTheLocalOne(t *testing.T) {
	_, url := startBroker(t)
	s := services(t)
	engine.Provide(s, Local{URL: url})
	broker := site(t, "", func(b *Broker) {
		b.Username, b.Password, b.TLS.CA = expr.Of("ann"), expr.Of("secret"), expr.Of("no such file")
	})
	deliver, got := collect(t)
	run(t, s, broker, deliver, asText)
	publish(t, outNode(t, s, broker), "a/x", "hi")
	if body := receive(t, "message", got); body != "hi" {
		t.Errorf("got %q", body)
	}
}

func TestMistakesOfABrokerEndTheStartWithWhatToDo(t *testing.T) {
	for name, tt := range map[string]struct {
		broker   engine.Ref[Broker]
		services *engine.Services
		want     string
	}{
		"no url and no local broker": {site(t, ""), services(t), "give the resource a url"},
		"no url at all":              {engine.Ref[Broker]{Name: "site", Resource: enginetest.Config[Broker](t)}, services(t), "give the resource a url"},
		"an unknown scheme":          {site(t, "http://ann:hunter2@broker"), services(t), "scheme"},
		"no host":                    {site(t, "broker:hunter2"), services(t), "does not begin with mqtt://"},
		"TLS where there is none":    {site(t, "mqtt://b", func(b *Broker) { b.TLS.Insecure = true }), services(t), "mqtts"},
		"no such file":               {site(t, "mqtts://b", func(b *Broker) { b.TLS.CA = expr.Of("no/such/file") }), services(t), "no/such/file"},
		"a bad will":                 {site(t, "mqtt://b", func(b *Broker) { b.Will.Topic = expr.Of("a/+") }), services(t), "will"},
		"no service":                 {site(t, "mqtt://b"), &engine.Services{}, "Connections"},
	} {
		t.Run(name, func(t *testing.T) {
			d := engine.Deps{Services: tt.services}
			out, in := enginetest.Config[Out](t), enginetest.Config[In](t)
			out.Broker, in.Broker, in.Topic = tt.broker, tt.broker, filters("a")
			_, outErr := newOut(out, d)
			_, inErr := newSource(in, d)
			for _, err := range []error{outErr, inErr} {
				if name == "a bad will" && err == inErr {
					continue // a source leaves no will
				}
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				if err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%v tells the password", err)
				}
			}
		})
	}
}

func TestOutsideAndRedactedShowNoSecret(t *testing.T) {
	b := site(t, "mqtts://ann:hunter2@broker:8883").Resource
	outside, err := b.Outside()
	if err != nil {
		t.Fatal(err)
	}
	if got := Redacted(outside); got != "mqtts://broker:8883" {
		t.Errorf("got %q", got)
	}
	if got := Redacted("mqtt://ann:hunter2@%zz"); strings.Contains(got, "hunter2") {
		t.Errorf("got %q", got)
	}
}
